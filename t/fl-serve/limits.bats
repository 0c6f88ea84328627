#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Addresses of every kind, what a client may use up, and what is told of its requests.

bats_require_minimum_version 1.5.0
load ../lib
load serve

setup() {
	BATS_FILE_TMPDIR=$BATS_TEST_TMPDIR
	own_state "$BATS_TEST_TMPDIR"
	export IMAGES=$BATS_TEST_TMPDIR/images
	small_images "$IMAGES"
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	serve_teardown
}

@test "a client that falls silent is asked, and let go" {
	serve_start --keepalive 1
	checks wire keepalive
}

@test "a connection without calls ends when it is asked to" {
	serve_start --idle-timeout 1
	checks wire idle
}

@test "so many calls a second, from an address" {
	serve_start --max-requests 20 --enable-http --http-endpoint "unix:$PWD/http"
	checks wire rate
	curl -s -o 'answer#1' -w '%{http_code} %{filename_effective}\n' --unix-socket http \
		'http://localhost/healthz?[1-200]' >codes
	answer=$(sed -n 's/^429 //p' codes | head -n 1)
	[ -n "$answer" ]
	jq -e '.code == 8 and (.message | contains("requests a second"))' "$answer"
}

@test "unix sockets: one of an earlier life is replaced, a file is not; gone at the end" {
	SERVE=unix:$PWD/grpc
	fl-serve run --grpc-endpoint "$SERVE" 2>serve.log 3>&- &
	SERVE_PID=$!
	until [ -S grpc ]; do sleep 0.05; done
	[ "$(stat -c %a grpc)" = 660 ]
	export SERVE SERVE_PID
	checks traps listing
	kill -9 "$SERVE_PID"
	wait "$SERVE_PID" || true
	[ -S grpc ]
	fl-serve run --grpc-endpoint "$SERVE" 2>serve.log 3>&- &
	SERVE_PID=$!
	until grep -q listening serve.log; do sleep 0.05; done
	checks traps health
	serve_stop
	[ ! -e grpc ]
	echo kept >grpc
	run ! fl-serve run --grpc-endpoint "$SERVE"
	[[ $output == *"is not a socket"* ]]
	[ "$(cat grpc)" = kept ]
}

@test "IPv6" {
	[ -e /proc/net/if_inet6 ] || skip "no IPv6 on this machine"
	port=$(free_port)
	fl-serve run --grpc-endpoint "[::1]:$port" --enable-http --http-endpoint "[::1]:$((port + 1))" 2>serve.log 3>&- &
	SERVE_PID=$!
	export SERVE="[::1]:$port" SERVE_PID
	until grep -q listening serve.log; do is_alive "$SERVE_PID"; sleep 0.05; done
	checks traps health
	curl -gsf "http://[::1]:$((port + 1))/healthz"
	run -2 fl-serve run --grpc-endpoint "[::]:$port"
	[[ $output == *"can be reached from other machines"* ]]
}

@test "a request's id: in the answer, the record, the journal, the log of what it started" {
	serve_start --enable-http --http-endpoint "unix:$PWD/http" --log-format json
	fl spec --name traced --kernel "oci:$IMAGES/layout:kernel" --kernel-file boot/vmlinux \
		--root "oci:$IMAGES/layout:root" --root-size 16M --memory 1024 >spec
	curl -sf -D head --unix-socket http -H 'X-Request-Id: from-the-client/1' --data @spec \
		http://localhost/v1alpha1/microvm >answer
	grep -qi '^x-request-id: from-the-client/1' head
	uid=$(jq -r .microvm.spec.uid answer)
	[ "$(fl inspect --json "$uid" | jq -r .host.request)" = from-the-client/1 ]
	fl events --json | jq -es --arg uid "$uid" 'map(select(.uid == $uid)) | length > 0 and all(.request == "from-the-client/1")'
	jq -es --arg uid "$uid" 'any(.uid == $uid and .request == "from-the-client/1" and (.msg | startswith("CreateMicroVM")))' serve.log
	until fl ls --json | jq -e 'select(.state == "CREATED")' >/dev/null; do sleep 0.1; done
	# Stopping and starting are somebody's, too; and nobody's from the command line.
	for verb in stop start; do
		curl -sf --unix-socket http -H "X-Request-Id: the-$verb" -d '{"force": true}' \
			"http://localhost/v1/microvm/$uid/$verb"
		[ "$(fl inspect --json "$uid" | jq -r .host.request)" = "the-$verb" ]
		fl events --json | jq -es --arg request "the-$verb" 'any(.request == $request)'
	done
	fl stop --force "$uid"
	[ "$(fl inspect --json "$uid" | jq -r .host.request)" = null ]
	# Without one, or with one that is no good, it is given one.
	curl -sf -D head --unix-socket http -H 'X-Request-Id: "b a d"' -X DELETE "http://localhost/v1alpha1/microvm/$uid"
	fresh=$(sed -n 's/^x-request-id: \([0-9A-Z]\{26\}\).$/\1/Ip' head)
	[ -n "$fresh" ]
	until [ -z "$(fl ls --json)" ]; do sleep 0.1; done
	fl events --json | jq -es --arg fresh "$fresh" '.[-1] | .what == "deleted" and .request == $fresh'
}

@test "what a program says is in the log with the microVM and the request" {
	serve_start --log-format json
	/usr/bin/python3 - <<-END
		import json, os, sys
		sys.path.insert(0, "$FL_TOP/t/fl-serve")
		os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
		from client import API, Client, FAILED, message, spec
		wanted = spec("failing")
		wanted.kernel.filename = "boot/nothing"
		client = Client(metadata=(("x-request-id", "why"),))
		client.wait(client.create(wanted).spec.uid, FAILED)
	END
	jq -es 'any(.request == "why" and (.uid | length) == 26 and (.msg | contains("boot/nothing")))' serve.log
	fl down -q --all
}

@test "all that a program says is heard, also what it says last and without a newline" {
	local bin=$BATS_TEST_TMPDIR/bin
	mkdir "$bin"
	cp "$FL_BUILD/bin/fl-serve" "$bin"
	ln -s "$FL_BUILD/bin/fl" "$bin"
	cat >"$bin/fl-run" <<-'END'
		#!/bin/sh
		for i in $(seq 40); do printf 'fl-run: line %d %0500d\n' $i 0; done >&2
		printf 'fl-run: this is why' >&2
		exit 8
	END
	chmod +x "$bin/fl-run"
	uid=$(small_spec said --memory 1024 | quick_up | jq -r .spec.uid)
	PATH=$bin:$PATH serve_start --enable-http --http-endpoint "unix:$BATS_TEST_TMPDIR/http"
	run -0 curl -sS --unix-socket "$BATS_TEST_TMPDIR/http" -X POST "http://x/v1/microvm/$uid/start"
	[ "$(jq -r .message <<<"$output")" = "this is why" ]
	[ "$(grep -c 'line [0-9]* 0000' "$BATS_FILE_TMPDIR/serve.log")" = 40 ]
	serve_stop
	fl down -q "$uid" >/dev/null
}

@test "the jailer that is named reaches the program that needs it" {
	serve_start --log-format json --jailer-bin /nowhere/jailer
	/usr/bin/python3 - <<-END
		import os, sys
		sys.path.insert(0, "$FL_TOP/t/fl-serve")
		os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
		from client import Client, FAILED, spec
		wanted = spec("jailed")
		wanted.provider = "firecracker"
		client = Client()
		client.wait(client.create(wanted).spec.uid, FAILED)
	END
	jq -es 'any(.msg | contains("/nowhere/jailer: there is no such jailer"))' serve.log
	fl down -q --all
}

@test "nobody writes lines of their own into the log" {
	serve_start --enable-http --http-endpoint "unix:$PWD/http"
	curl -s --unix-socket http -d '{"uid": "x\nfl-serve: forged\u001b[31m"}' \
		http://localhost/microvm.services.api.v1alpha1.MicroVM/GetMicroVM | jq -e '.code == 5'
	# The line is written after the answer.
	for _ in $(seq 50); do
		! grep -q 'x?fl-serve: forged?\[31m' serve.log || break
		sleep 0.1
	done
	grep -q 'x?fl-serve: forged?\[31m' serve.log
	run -1 grep -q '^fl-serve: forged' serve.log
}

@test "entries with fields for the service manager's journal" {
	unshare -m true 2>/dev/null || skip "no mount namespaces for this user"
	cat >journal.py <<-END
		import os, socket, sys
		os.makedirs("/run/systemd/journal", exist_ok=True)
		ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		ear.bind("/run/systemd/journal/socket")
		ear.settimeout(20)
		open("ready", "w").close()
		seen = b""
		while b"CreateMicroVM" not in seen:
		    seen = ear.recv(65536)
		fields, rest = {}, seen
		while rest:
		    name, rest = rest.split(b"\n", 1)
		    size = int.from_bytes(rest[:8], "little")
		    fields[name.decode()] = rest[8:8 + size].decode()
		    rest = rest[9 + size:]
		assert fields["PRIORITY"] == "6" and fields["SYSLOG_IDENTIFIER"] == "fl-serve", fields
		assert len(fields["FLINTLOCK_UID"]) == 26 and fields["FLINTLOCK_REQUEST"] == "journal", fields
	END
	cat >run <<-END
		mount -t tmpfs tmpfs /run
		/usr/bin/python3 journal.py 3>&- &
		journal=\$!
		until [ -e ready ]; do sleep 0.05; done
		fl-serve run --grpc-endpoint "unix:\$PWD/grpc" --enable-http --http-endpoint "unix:\$PWD/http" --log-format journald \
			--accel tcg --qemu "$FL_BUILD/drivers/fake-vmm" 2>said 3>&- &
		serve=\$!
		until [ -S http ]; do sleep 0.05; done
		curl -sf --unix-socket http -H 'X-Request-Id: journal' --data @spec http://localhost/v1alpha1/microvm
		wait \$journal
		status=\$?
		kill \$serve
		wait \$serve
		# Nobody listened to the last words any more: they are not lost.
		grep -c . said | grep -qx 1 && grep -q Terminated said && exit \$status
	END
	fl spec --name entry --kernel "oci:$IMAGES/layout:kernel" --kernel-file boot/vmlinux \
		--root "oci:$IMAGES/layout:root" --root-size 16M --memory 1024 >spec
	FL_RUN_DIR=$BATS_TEST_TMPDIR/run.d timeout 60 unshare -m bash run
	FL_RUN_DIR=$BATS_TEST_TMPDIR/run.d fl down -q --all
}

@test "SIGHUP reads the log's level from the file again" {
	echo 'verbosity: 0' >config.yaml
	serve_start --config config.yaml
	checks traps health
	run -1 grep -q 'Check: code 0' serve.log
	echo 'verbosity: 2' >config.yaml
	kill -HUP "$SERVE_PID"
	until grep -q 'read again' serve.log; do sleep 0.05; done
	checks traps health
	grep -q 'Check: code 0' serve.log
	echo 'verbosity: many' >config.yaml
	kill -HUP "$SERVE_PID"
	until grep -q 'what was there stays' serve.log; do sleep 0.05; done
	grep -q 'line 1: verbosity' serve.log
}
