#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Waiting for one of several things.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	own_state "$BATS_TEST_TMPDIR"
}

teardown() {
	[ -z "${server:-}" ] || kill "$server"
	fl ls --json | jq -r .uid | xargs -r fl down -q >/dev/null
	[ -z "$(what_is_left)" ]
}

@test "boot is seen by the prompt, which ends no line" {
	small_spec up --cmdline fake=prompt | quick_up --wait=boot >"$BATS_TEST_TMPDIR/record"
	[ "$(jq -r .spec.id "$BATS_TEST_TMPDIR/record")" = up ]
	fl wait up --for=boot
	small_spec never | quick_up >/dev/null
	run -14 fl wait never --for=boot --timeout 300ms
	[[ "$output" == *"default/never: not within the timeout: boot"* ]]
	run -14 quick_up --wait=boot --wait-timeout 300ms < <(small_spec silent)
	fl stop --force up
	run -16 fl wait up --for=boot --timeout 5s
}

@test "who waits, or looks all the time, while it is started does not disturb it nor take it for lost" {
	local pid try
	cd "$BATS_TEST_TMPDIR"
	small_spec vm | fl-pull up -q | fl-snap up | fl-meta up >record
	fl-run wait vm --timeout 20s 3>&- &
	pid=$!
	for try in $(seq 100); do
		grep -q inotify <(readlink /proc/$pid/fd/*) && break
		sleep 0.02
	done
	quick_up record >/dev/null
	wait $pid
	python3 - "$(dirname "$(fl inspect --json vm | jq -r .host.seed.path)")/run.lock" 3>&- <<-'END' &
		import fcntl, sys, time
		end = time.time() + 60
		while time.time() < end:
		    with open(sys.argv[1]) as file:
		        try:
		            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
		        except BlockingIOError:
		            pass
	END
	pid=$!
	for try in $(seq 20); do
		fl-run stop --force vm
		fl-run start --settle 20ms vm || break
	done
	kill $pid
	[ "$(fl-run status --json vm | jq -r .vmm_state)" = running ]
	fl down -q vm >/dev/null
}

@test "a signal ends the waiting of up, and what is up stays" {
	small_spec patient >"$BATS_TEST_TMPDIR/spec"
	quick_up --wait=exit "$BATS_TEST_TMPDIR/spec" >/dev/null 2>&1 3>&- &
	waiting=$!
	until [ "$(fl-run status --json patient 2>/dev/null | jq -r .vmm_state)" = running ] &&
		pgrep -f "fl-run wait.*$FL_STATE_DIR|wait --for" >/dev/null; do sleep 0.05; done
	fl_of_it=$(pgrep -P "$waiting" -x fl || echo "$waiting")
	kill -INT "$fl_of_it"
	SECONDS=0
	wait "$waiting" || true
	[ "$SECONDS" -lt 5 ]
	[ "$(fl-run status --json patient | jq -r .vmm_state)" = running ]
}

@test "several things: the status tells which" {
	small_spec a --cmdline fake=prompt | quick_up >/dev/null
	run -0 fl wait a --for=boot --for=exit
	[ "$output" = "default/a  boot" ]
	run -32 fl wait a --for=exit --for=boot
	small_spec b --cmdline fake=poweroff,fake=late | quick_up >/dev/null
	run -33 fl wait b --for=boot --for=cloud-init --for=exit --json
	[ "$(jq -r .is <<<"$output")" = exit ]
	run -32 quick_up --wait=exit --wait=running < <(small_spec c)
	run -32 fl wait a c --for=exit --for=running
}

@test "a port that opens" {
	small_spec a | quick_up >/dev/null
	run -8 fl wait a --for=port:1 --timeout 1s
	[[ "$output" == *"address is not known"* ]]
	record=$(echo "$FL_STATE_DIR"/vm/default/a/*/record.json)
	jq '.host.network.eth0.address = "127.0.0.1/8"' "$record" >"$record.tmp"
	mv "$record.tmp" "$record"
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	run -14 fl wait a --for="port:$port" --timeout 600ms
	(sleep 0.5 && exec python3 -c 'import socket, sys, time
s = socket.create_server(("127.0.0.1", int(sys.argv[1]))); time.sleep(60)' "$port") 3>&- &
	server=$!
	fl wait a --for="port:$port" --timeout 20s
	run -32 fl wait a --for=exit --for="port:$port" --timeout 20s
}

@test "what cannot be waited for is said" {
	for what in "" nothing port: port:0 port:65536 port:x port:-1 Running; do
		run -2 fl wait a --for="$what"
	done
	run -2 fl wait a --for=boot --timeout soon
}
