#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The server killed, the disk full, records damaged: nothing promised is lost.

bats_require_minimum_version 1.5.0
load ../lib
load serve

setup() {
	BATS_FILE_TMPDIR=$BATS_TEST_TMPDIR
	own_state "$BATS_TEST_TMPDIR"
	export IMAGES=$BATS_TEST_TMPDIR/images
	small_images "$IMAGES"
}

teardown() {
	serve_teardown
}

serve_kill() {
	kill -9 "$SERVE_PID"
	while is_alive "$SERVE_PID"; do sleep 0.02; done
}

@test "killed while microVMs are made: what was answered comes, once" {
	local round
	serve_start
	for round in 1 2 3; do
		checks faults promise "$BATS_TEST_TMPDIR/uids" 4 &
		sleep "0.$((RANDOM % 6 + 2))"
		serve_kill
		wait $! || true
		serve_start
	done
	checks faults kept "$BATS_TEST_TMPDIR/uids"
	checks faults delete_all
	serve_kill
	serve_start
	checks faults gone
}

@test "killed with many deletes to do: all of them are done" {
	uid=$(small_spec stopped | quick_up | jq -r .spec.uid)
	fl stop "$uid"
	fl inspect --json "$uid" >"$BATS_TEST_TMPDIR/record"
	fl down -q "$uid" >/dev/null
	python3 "$FL_TOP/bench/records.py" "$FL_STATE_DIR" 150 "$BATS_TEST_TMPDIR/record" >/dev/null
	serve_start
	checks faults delete_all
	serve_kill
	serve_start
	checks faults empty 60
}

@test "at rest after work, it does nothing" {
	serve_start
	uid=$(checks faults create rests)
	checks faults wait_created "$uid"
	sleep 1
	before=$(awk '/ctxt_switches/ { sum += $2 } END { print sum }' "/proc/$SERVE_PID/status")
	sleep 2
	after=$(awk '/ctxt_switches/ { sum += $2 } END { print sum }' "/proc/$SERVE_PID/status")
	[ $((after - before)) -le 20 ]
	checks faults gone
}

@test "what a killed server had begun and not written is taken away at the start" {
	local left=$FL_STATE_DIR/vm/ns0/begun/01ARZ3NDEKTSV4RRFFQ69G5FAV
	mkdir -p "$left"
	touch "$left/.new-0123456789abcdef-record.json"
	serve_start
	for _ in $(seq 100); do [ -e "$FL_STATE_DIR/vm/ns0" ] || break; sleep 0.05; done
	[ ! -e "$FL_STATE_DIR/vm/ns0" ]
}

@test "microVMs outlive the server; a stop leaves them, too" {
	serve_start
	uid=$(checks faults create lives)
	checks faults wait_created "$uid"
	pid=$(fl inspect --json "$uid" | jq -r .host.vmm.pid)
	serve_kill
	is_alive "$pid"
	serve_start
	checks faults state_of "$uid" CREATED
	serve_stop
	is_alive "$pid"
	serve_start
	checks faults gone
	! is_alive "$pid"
}

@test "what lost its VMM while nobody looked comes back at the start" {
	serve_start
	uid=$(checks faults create lost)
	checks faults wait_created "$uid"
	serve_kill
	supervisor=$(pgrep -f "fl-supervise $FL_STATE_DIR ns0 lost")
	kill -9 "$supervisor"
	while is_alive "$supervisor"; do sleep 0.02; done
	serve_start
	for try in $(seq 100); do
		[ -n "$(pgrep -f "fl-supervise $FL_STATE_DIR ns0 lost")" ] && break
		sleep 0.1
	done
	pgrep -f "fl-supervise $FL_STATE_DIR ns0 lost"
	checks faults wait_created "$uid"
	checks faults gone
}

@test "a damaged record is FAILED, the others work" {
	serve_start
	uid=$(checks faults create damaged)
	good=$(checks faults create good)
	checks faults wait_created "$uid"
	checks faults wait_created "$good"
	serve_kill
	cp "$FL_STATE_DIR/vm/ns0/damaged/$uid/record.json" "$BATS_TEST_TMPDIR/whole"
	echo '{"version":' >"$FL_STATE_DIR/vm/ns0/damaged/$uid/record.json"
	serve_start
	checks faults state_of "$uid" FAILED
	checks faults state_of "$good" CREATED
	cp "$BATS_TEST_TMPDIR/whole" "$FL_STATE_DIR/vm/ns0/damaged/$uid/record.json"
	serve_kill
	serve_start
	checks faults gone
}

@test "a full disk" {
	mkdir -p "$FL_STATE_DIR"
	mount -t tmpfs -o size=24m tmpfs "$FL_STATE_DIR" || skip "no right to mount"
	serve_start
	uid=$(checks faults create before)
	checks faults wait_created "$uid"
	dd if=/dev/zero of="$FL_STATE_DIR/ballast" bs=4k status=none || true
	result=0
	checks faults full || result=$?
	rm "$FL_STATE_DIR/ballast"
	[ "$result" = 0 ] && uid=$(checks faults create after) && checks faults wait_created "$uid" || result=1
	checks faults gone
	serve_stop
	left=$(what_is_left)
	umount "$FL_STATE_DIR"
	[ -z "$left" ] || echo "left: $left"
	[ -z "$left" ]
	[ "$result" = 0 ]
}

@test "no more file descriptors" {
	serve_start --max-connections 1000 --max-connections-per-peer 1000
	prlimit --pid "$SERVE_PID" --nofile=64:64
	checks faults many_connections 200
}

@test "no more file descriptors: what lives is not said to be gone" {
	serve_start
	checks faults out_of_files
	checks faults gone
}

@test "clients of HTTP that say nothing leave descriptors for the others" {
	local http
	http=127.0.0.1:$(free_port)
	export FLINTLOCKD_ENABLE_HTTP=true FLINTLOCKD_HTTP_ENDPOINT=$http
	serve_start
	prlimit --pid "$SERVE_PID" --nofile=64:64
	checks faults many_strangers "$http" 100
	[ "$(grep -c 'too many connections' "$BATS_FILE_TMPDIR/serve.log")" = 1 ]
	[ "$(wc -l <"$BATS_FILE_TMPDIR/serve.log")" -lt 100 ]
	checks faults gone
}

@test "a stop: streams without end do not hold it, an answer that has begun does" {
	serve_start
	checks faults endless_streams
	serve_start --enable-http --http-endpoint "unix:$BATS_TEST_TMPDIR/http"
	checks faults slow_reader "$BATS_TEST_TMPDIR/http"
	serve_start
	checks faults gone
}

@test "what keeps it from starting is said" {
	serve_start
	run -17 fl-serve run --state-dir "$BATS_TEST_TMPDIR/other" --grpc-endpoint "$SERVE"
	[[ $output == *"$SERVE"*"in use"* ]]
	touch "$BATS_TEST_TMPDIR/file"
	mkdir -p "$BATS_TEST_TMPDIR/folder/serve.lock"
	run fl-serve run --grpc-endpoint unix:sock --state-dir "$BATS_TEST_TMPDIR/folder"
	[[ $output == *"$BATS_TEST_TMPDIR/folder: serve.lock: cannot be opened"* ]]
	run fl-serve run --grpc-endpoint unix:sock --state-dir "$BATS_TEST_TMPDIR/file"
	[ "$status" != 0 ]
	[[ $output == *"$BATS_TEST_TMPDIR/file"* ]]
	run -2 fl-serve run --grpc-endpoint 0.0.0.0:9090
	[[ $output == *--insecure* ]]
	run -2 fl-serve run --tls-cert x
	run -2 fl-serve run --grpc-endpoint nonsense
	run -2 fl-serve run --enable-http --http-endpoint 0.0.0.0:8090
}
