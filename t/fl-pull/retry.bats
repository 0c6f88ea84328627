#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# A real registry behind faults that pass: cuts, 503, 429; and the rate limit.

load ../lib
load registries

setup_file() {
	mkdir -p "$BATS_FILE_TMPDIR/one"
	head -c 3000000 /dev/urandom >"$BATS_FILE_TMPDIR/one/random"
	fl-pack image -q --compression none -t big -o "$BATS_FILE_TMPDIR/layout" "$BATS_FILE_TMPDIR/one" >/dev/null
	registry_start "$BATS_FILE_TMPDIR/registry"
	export REGISTRY_PID
	for fault in fine cut norange otherrange always busy wait far down; do
		skopeo copy -q --dest-tls-verify=false "oci:$BATS_FILE_TMPDIR/layout:big" "docker://$REGISTRY/$fault/big:1"
	done
	head -c 100000 /dev/urandom >"$BATS_FILE_TMPDIR/one/more"
	mkdir "$BATS_FILE_TMPDIR/two" && echo x >"$BATS_FILE_TMPDIR/two/x"
	mkdir "$BATS_FILE_TMPDIR/three" && head -c 2000000 /dev/urandom >"$BATS_FILE_TMPDIR/three/y"
	fl-pack image -q --compression none -t three -o "$BATS_FILE_TMPDIR/layout" "$BATS_FILE_TMPDIR"/{one,two,three} >/dev/null
	skopeo copy -q --dest-tls-verify=false "oci:$BATS_FILE_TMPDIR/layout:three" "docker://$REGISTRY/stall/three:1"
	export LOG=$BATS_FILE_TMPDIR/log
	python3 "$FL_TOP/t/fl-pull/faulty_proxy.py" "$REGISTRY" "$BATS_FILE_TMPDIR/port" "$LOG" 3>&- &
	export PROXY_PID=$!
	wait_for_file "$BATS_FILE_TMPDIR/port"
	PROXY=127.0.0.1:$(cat "$BATS_FILE_TMPDIR/port")
	export PROXY
}

teardown_file() {
	registry_stop
	kill "$PROXY_PID"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	: >"$LOG"
}

blobs_are_whole() {
	(cd "$FL_STATE_DIR/images/blobs/sha256" && for blob in *; do
		[ "$(sha256sum <"$blob")" = "$blob  -" ] || exit 1
	done)
}

@test "a blob that was cut goes on where it was, and -v says so" {
	run fl-pull get -v "$PROXY/cut/big:1"
	[ "$status" = 0 ]
	[[ "$output" == *"try 2 of 4"*"from byte "[1-9]* ]]
	grep -E "^blobs .* bytes=[1-9][0-9]*- 206$" "$LOG"
	blobs_are_whole
}

@test "a registry that does not mind ranges sends all again, and each byte is taken once" {
	fl-pull get "$PROXY/norange/big:1"
	grep -E "^blobs .* bytes=[1-9][0-9]*- 200$" "$LOG"
	blobs_are_whole
}

@test "a part that was not asked for is refused" {
	fails_with 12 "another part came" fl-pull get "$PROXY/otherrange/big:1"
	nothing_published
}

@test "without retries a cut is the end; with them it is, when nothing ever comes" {
	fails_with 10 "$PROXY" fl-pull get --retries 0 "$PROXY/always/big:1"
	[ "$(grep -c ^blobs "$LOG")" -le 2 ]
	fails_with 10 "$PROXY" fl-pull get --retries 1 -j 1 "$PROXY/always/big:1"
	nothing_published
}

@test "503 twice, for manifest and blobs" {
	fl-pull get "$PROXY/busy/big:1"
	[ "$(grep -c " 503$" "$LOG")" = 6 ]
}

@test "one blob waits to be tried again, the others come on as they are" {
	run fl-pull get -v "$PROXY/stall/three:1"
	echo "$output"
	[ "$status" = 0 ]
	[ "$(grep -c " 503$" "$LOG")" = 1 ]
	[ "$(grep -c "^blobs" "$LOG")" = 5 ]
	blobs_are_whole
}

@test "503 always: as often as was said, and not more" {
	fails_with 10 "answers 503" fl-pull get --retries 2 "$PROXY/down/big:1"
	[ "$(wc -l <"$LOG")" = 3 ]
	fails_with 2 "--retries" fl-pull get --retries x "$PROXY/down/big:1"
}

@test "429 with Retry-After: waited for, unless that is too long" {
	SECONDS=0
	fl-pull get "$PROXY/wait/big:1"
	[ "$SECONDS" -ge 2 ]
	[ "$(grep -c " 429$" "$LOG")" = 3 ]
	: >"$LOG"
	fails_with 10 "Retry-After: 3600" fl-pull get "$PROXY/far/big:1"
	[ "$(wc -l <"$LOG")" = 1 ]
}

@test "a signal ends the wait for the next try" {
	export ASAN_OPTIONS=detect_leaks=0
	SECONDS=0
	run timeout -s TERM --preserve-status 1 fl-pull get --retries 50 "$PROXY/down/big:1"
	[ "$status" = 143 ]
	[ "$SECONDS" -le 3 ]
}

@test "the rate is kept" {
	SECONDS=0
	fl-pull get --limit-rate 1M "$REGISTRY/fine/big:1"
	[ "$SECONDS" -ge 2 ]
	[ "$SECONDS" -le 10 ]
	blobs_are_whole
	fails_with 2 "--limit-rate" fl-pull get --limit-rate fast "$REGISTRY/fine/big:1"
}

@test "a high rate is not a low one" {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir tree && head -c 40M /dev/urandom >tree/data
	fl-pack image -q --compression none -t large -o layout tree
	fl-pull push "oci:layout:large" "$REGISTRY/large:1"
	start=$(date +%s%N)
	fl-pull get --limit-rate 40M "$REGISTRY/large:1"
	took=$((($(date +%s%N) - start) / 1000000))
	[ "$took" -ge 800 ]
	[ "$took" -le 3000 ]
}
