#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Many processes and one store: each blob comes once, whoever is killed.

load ../lib
load registries

setup_file() {
	export LAYOUT=$BATS_FILE_TMPDIR/layout LOG=$BATS_FILE_TMPDIR/registry/log
	own_state "$BATS_FILE_TMPDIR"
	for i in 1 2 3; do
		mkdir -p "$BATS_FILE_TMPDIR/$i"
		head -c 2000000 /dev/urandom >"$BATS_FILE_TMPDIR/$i/random"
	done
	fl-pack image -q --compression none -t x -o "$LAYOUT" "$BATS_FILE_TMPDIR"/[123] >/dev/null
	registry_start "$BATS_FILE_TMPDIR/registry" log
	export REGISTRY_PID
	skopeo copy -q --dest-tls-verify=false "oci:$LAYOUT:x" "docker://$REGISTRY/big:1"
}

teardown_file() {
	registry_stop
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	before=$(wc -l <"$LOG")
}

# How often each blob was sent since the test began: "COUNT DIGEST" lines.
sent() {
	tail -n "+$((before + 1))" "$LOG" | grep -oE 'GET /v2/big/blobs/[^ ]+ HTTP/1.1" 2' | sort | uniq -c
}

start_ten() {
	pids=()
	for i in $(seq 10); do
		fl-pull get "$@" "$REGISTRY/big:1" >"out.$i" 2>"err.$i" 3>&- &
		pids+=($!)
	done
}

@test "ten processes at once: each blob is sent once, all have the image" {
	start_ten
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	sent
	[ "$(sent | wc -l)" = 4 ]
	[ "$(sent | awk '{ n += $1 } END { print n }')" = 4 ]
	[ "$(sort -u out.* | wc -l)" = 1 ]
	[ -z "$(ls -A "$FL_RUN_DIR")" ]
}

@test "ten processes, five of them killed: the others finish, and nothing is left" {
	start_ten --limit-rate 3M
	sleep 0.7
	# The one that fetches is among them, whichever it is.
	local victims=() i
	for i in "${!pids[@]}"; do
		[ "${#victims[@]}" -lt 5 ] || break
		if ls -l "/proc/${pids[i]}/fd" 2>/dev/null | grep -q '/blobs/sha256/.new-'; then victims+=("$i"); fi
	done
	[ "${#victims[@]}" -ge 1 ]
	for i in 0 1 2 3 4 5 6 7 8 9; do
		[ "${#victims[@]}" -lt 5 ] || break
		[[ " ${victims[*]} " == *" $i "* ]] || victims+=("$i")
	done
	for i in "${victims[@]}"; do
		kill -9 "${pids[i]}"
	done
	for i in "${!pids[@]}"; do
		[[ " ${victims[*]} " == *" $i "* ]] || wait "${pids[i]}" || { cat "err.$i"; false; }
	done
	fl-snap export "$REGISTRY/big:1" img
	e2fsck -fn img
	settled "$FL_STATE_DIR"
	fl-pull gc -q
	[ -z "$(find "$FL_STATE_DIR/images" -name '.new-*')" ]
}

@test "ten processes, one place: one after the other, and each gets it" {
	start_ten --max-pulls 1 --pull always -v
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	grep -q "waiting for one" err.*
	[ "$(sort -u out.* | wc -l)" = 1 ]
	[ -z "$(ls -A "$FL_RUN_DIR")" ]
}

@test "a place is waited for; its holder's death gives it; what is in the store needs none" {
	mkdir -p "$FL_RUN_DIR"
	flock "$FL_RUN_DIR/pull.0" sleep 60 3>&- &
	holder=$!
	sleep 0.3
	status=0
	timeout -s INT --preserve-status 2 fl-pull get --max-pulls 1 "$REGISTRY/big:1" || status=$?
	[ "$status" = 130 ]
	nothing_published
	fl-pull get -q --max-pulls 2 "$REGISTRY/big:1"
	fl-pull get -q --max-pulls 1 "$REGISTRY/big:1"
	fl-pull get -q --max-pulls 1 --pull always "$REGISTRY/big:1" 3>&- &
	waiting=$!
	sleep 0.5
	kill -0 "$waiting"
	pkill -9 -P "$holder"
	wait "$waiting"
}
