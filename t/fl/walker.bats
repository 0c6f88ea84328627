#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Every program killed at every call that changes state, on the way up and on the way down:
# afterwards "up" reaches the same microVM, and "down" leaves nothing.

load ../lib

setup_file() {
	is_sanitized && skip "a preloaded library and the sanitizers exclude each other"
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	cc -shared -fPIC -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/kill-at.so" "$FL_TOP/t/preload/kill-at.c" -ldl
	mkdir -p "$BATS_FILE_TMPDIR/bin"
	ln -sf "$FL_BUILD/drivers/fake-vmm" "$BATS_FILE_TMPDIR/bin/qemu-system-$(uname -m)"
	export PATH=$BATS_FILE_TMPDIR/bin:$PATH
	export FL_STATE_DIR=$BATS_FILE_TMPDIR/state FL_RUN_DIR=$BATS_FILE_TMPDIR/run
	unshare -n true 2>/dev/null && export OWN="unshare -n"
	export STEPS="fl-pull fl-snap fl-net fl-meta fl-run"
}

# The chain by hand, with one program that is killed at its Nth call.
chain_up() { # PROGRAM N < SPEC
	LD_PRELOAD=$BATS_FILE_TMPDIR/kill-at.so FL_KILL_IN=$1 FL_KILL_AT=$2 bash -c '
		fl-pull up -q | fl-snap up | fl-net up | fl-meta up |
		fl-run up --accel tcg --settle 20ms -q; echo "${PIPESTATUS[*]}" >&3' 3>"$BATS_TEST_TMPDIR/status"
}

was_killed() {
	grep -qw 137 "$BATS_TEST_TMPDIR/status"
}

everything_left() {
	what_is_left
	ip -o link | grep fltap || true
	ls -A "$FL_STATE_DIR/vm" 2>/dev/null || true
}

# Walks PROGRAM through its calls; the supervisor is walked as fl-supervise.
walk_up() {
	local program=$1 step=${2:-1} n uid
	for ((n = 1; n < 400; n += step)); do
		chain_up "$program" "$n" <"$BATS_FILE_TMPDIR/spec" >/dev/null 2>&1 || true
		killed=$(was_killed && echo yes || true)
		before=$(fl-run ls --json | jq -r .uid)
		uid=$(quick_up "$BATS_FILE_TMPDIR/spec" 2>"$BATS_TEST_TMPDIR/err" | jq -r .spec.uid)
		if [ -z "$uid" ] || { [ -n "$before" ] && [ "$before" != "$uid" ]; }; then
			echo "$program killed at call $n: up reached '$uid', before '$before'"
			cat "$BATS_TEST_TMPDIR/err"
			return 1
		fi
		if [ "$(fl-run status --json "$uid" | jq -r .vmm_state)" != running ]; then
			echo "$program killed at call $n: does not run"
			fl-run status "$uid"
			return 1
		fi
		fl down -q "$uid" >/dev/null || { echo "$program killed at call $n: down failed"; return 1; }
		left=$(everything_left)
		[ -z "$left" ] || { echo "$program killed at call $n: left $left"; return 1; }
		[ -n "$killed" ] || [ "$program" = fl-supervise -a "$n" -lt 40 ] || break
	done
	echo "$program: $n calls"
	[ "$n" -gt 1 ]
}

walk_down() {
	local program=$1 n
	for ((n = 1; n < 400; n++)); do
		uid=$(quick_up "$BATS_FILE_TMPDIR/spec" | jq -r .spec.uid)
		LD_PRELOAD=$BATS_FILE_TMPDIR/kill-at.so FL_KILL_IN=$program FL_KILL_AT=$n bash -c '
			fl-run down "$0" -q | fl-meta down | fl-net down | fl-snap down
			echo "${PIPESTATUS[*]}" >&3' "$uid" 3>"$BATS_TEST_TMPDIR/status" >/dev/null 2>&1 || true
		fl down -q "$uid" >/dev/null || { echo "$program killed at call $n: down failed"; return 1; }
		left=$(everything_left)
		[ -z "$left" ] || { echo "$program killed at call $n: left $left"; return 1; }
		was_killed || break
	done
	echo "$program: $n calls"
	[ "$n" -gt 1 ]
}

# Kills PROGRAM at its calls in COMMAND; done again it reaches its end, which CHECK is about. BACK leads
# to where the next begins.
walk_verb() { # PROGRAM COMMAND CHECK BACK
	local program=$1 n status
	for ((n = 1; n < 400; n++)); do
		status=0
		LD_PRELOAD=$BATS_FILE_TMPDIR/kill-at.so FL_KILL_IN=$program FL_KILL_AT=$n bash -c "$2" >/dev/null 2>&1 || status=$?
		if ! bash -c "$2" >/dev/null || ! bash -c "$3"; then
			echo "$2: killed at call $n, then done again:"
			fl-run status walked
			return 1
		fi
		bash -c "$4" >/dev/null
		[ "$status" = 137 ] || break
	done
	echo "$2: $n calls"
	[ "$n" -gt 1 ] && [ "$n" -lt 400 ]
}

is() {
	[ "$(fl-run status --json walked | jq -r .vmm_state)" = "$1" ]
}

has_size() {
	[ "$(stat -c %s "$(fl inspect --json walked | jq -r .host.volumes.root.path)")" = $(("$1" << 20)) ]
}

inside() {
	export -f walk_verb is has_size chain_up was_killed everything_left walk_up walk_down what_is_left quick_up small_spec
	${OWN:-} env PATH="$FL_BUILD/killable:$PATH" bash -c '
		set -o pipefail
		[ -z "$OWN" ] || { fl-net bridge create br0 --address 10.7.0.1/24; bridge="--bridge br0"; }
		small_spec walked ${bridge:-} >"$BATS_FILE_TMPDIR/spec"
		'"$1"
}

@test "up: fl-pull" {
	inside 'walk_up fl-pull'
}

@test "up: fl-snap" {
	inside 'walk_up fl-snap'
}

@test "up: fl-net" {
	[ -n "${OWN:-}" ] || skip "no right to make a network namespace"
	inside 'walk_up fl-net'
}

@test "up: fl-meta" {
	inside 'walk_up fl-meta'
}

@test "up: fl-run" {
	inside 'walk_up fl-run'
}

@test "up: fl-supervise" {
	inside 'walk_up fl-supervise'
}

@test "down: fl-run" {
	inside 'walk_down fl-run'
}

@test "down: fl-meta, fl-net, fl-snap" {
	inside 'walk_down fl-meta && { [ -z "$OWN" ] || walk_down fl-net; } && walk_down fl-snap'
}

@test "pause, resume, grow" {
	inside '
		set -e
		quick_up "$BATS_FILE_TMPDIR/spec" >/dev/null
		walk_verb fl-run "fl-run pause walked" "is paused" "fl-run resume walked"
		fl-run pause walked
		walk_verb fl-run "fl-run resume walked" "is running" "fl-run pause walked"
		fl-run resume walked
		echo 24 >"$BATS_TEST_TMPDIR/mib"
		export MIB=$BATS_TEST_TMPDIR/mib
		walk_verb fl-snap "fl-snap grow walked root \$(cat \$MIB)M" "has_size \$(cat \$MIB)" \
			"echo \$((\$(cat \$MIB) + 8)) >\$MIB"
		is running
		fl down -q walked >/dev/null
		left=$(everything_left)
		[ -z "$left" ] || { echo "left: $left"; exit 1; }'
}
