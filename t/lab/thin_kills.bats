#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: fl-snap killed at any of its calls while it works on a thin pool.

load ../lib
load lab
load thin

setup_file() {
	is_sanitized && skip "a preloaded library and the sanitizers exclude each other"
	thin_setup_file
	cc -shared -fPIC -D_GNU_SOURCE -o /tmp/kill-at.so "$FL_TOP/t/preload/kill-at.c" -ldl
}

setup() {
	thin_setup
}

teardown() {
	thin_teardown
}

# What a killed program left is either found again by the next one, or taken away.
killed_at() { # VERB N < RECORD
	LD_PRELOAD=/tmp/kill-at.so FL_KILL_IN=fl-snap FL_KILL_AT=$2 fl-snap "$1" -q
}

# A microVM without disks, to begin with again and again.
prepare() {
	record=$(small_spec walked | fl-pull up -q)
	fl-snap up -q <<<"$record" >/dev/null
	base=$(fl-snap ls --json | jq -r 'select(.kind == "thin").name')
	fl down -q --all >/dev/null
	fl-snap rm "$base"
	record=$(small_spec walked | fl-pull up -q)
	rm -rf /tmp/vm
	cp -a "$FL_STATE_DIR/vm" /tmp/vm
	dmsetup message "$POOL" 0 "create_thin 7"
	[ "$(pool_content)" = "7 0" ]
}

# walk VERB FIRST STEP AFTER: kills fl-snap VERB at one after another of its calls that change
# something, those to the kernel's device-mapper included; AFTER must leave the pool as it was.
# LAB_WALK_STEP: at every so many of them only.
walk() {
	local n status
	prepare
	for ((n = $2; n < 300; n += $3 * ${LAB_WALK_STEP:-1})); do
		rm -rf "$FL_STATE_DIR/vm"
		cp -a /tmp/vm "$FL_STATE_DIR/vm"
		[ "$1" = up ] || fl-snap up -q <<<"$record" >/dev/null
		status=0
		killed_at "$1" "$n" <<<"$record" >/dev/null 2>&1 || status=$?
		if ! "$4" || ! walked_clean; then
			echo "fl-snap $1 killed at call $n, $4:"
			pool_content
			dmsetup ls
			cat "$FL_STATE_DIR"/thin/*/[0-9]*
			return 1
		fi
		[ "$status" = 137 ] || break
	done
	dmsetup message "$POOL" 0 "delete 7"
	echo "fl-snap $1: $n calls"
	[ "$n" -gt 20 ]
}

walked_clean() {
	fl-snap rm "$base" 2>/dev/null || true
	[ -z "$(find "$FL_STATE_DIR/thin" -name '[0-9]*')" ] && [ "$(pool_content)" = "7 0" ] &&
		[ "$(dmsetup ls | wc -l)" = 1 ]
}

then_up() {
	local path
	path=$(volume "$(fl-snap up -q <<<"$record")") && e2fsck -fn "$path" >/dev/null &&
		fl-snap down -q <<<"$record" >/dev/null
}

then_down() {
	fl-snap down -q <<<"$record" >/dev/null
}

# As if the record had not reached the disk.
then_lost() {
	rm -rf "$FL_STATE_DIR/vm"
	mkdir -m 711 "$FL_STATE_DIR/vm"
	fl-snap gc -q >/dev/null
}

# Two tests for one walk: a test has its time.
@test "killed at any call on the way up, up goes on (odd calls)" {
	pool_make
	walk up 1 2 then_up
}

@test "killed at any call on the way up, up goes on (even calls)" {
	pool_make
	walk up 2 2 then_up
}

@test "killed on the way up, down leaves nothing" {
	pool_make
	walk up 1 2 then_down
}

@test "killed on the way up, and the record lost, gc leaves nothing" {
	pool_make
	walk up 2 2 then_lost
}

@test "killed at any call on the way down, down goes on" {
	pool_make
	walk down 1 1 then_down
}
