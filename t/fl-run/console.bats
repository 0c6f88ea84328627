#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The console both ways, and what the VMM says.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	own_state "$BATS_TEST_TMPDIR"
	out=$BATS_TEST_TMPDIR/out
}

teardown() {
	fl ls --json | jq -r .uid | xargs -r fl down -q >/dev/null
	[ -z "$(what_is_left)" ]
}

holds() {
	for _ in $(seq 100); do
		grep -qaF -- "$2" "$1" && return
		sleep 0.05
	done
	return 1
}

# on_terminal OUT COMMAND…: with a terminal of its own; keys come through the fifo "keys".
on_terminal() {
	local to=$1
	shift
	[ -p "$BATS_TEST_TMPDIR/keys" ] || mkfifo "$BATS_TEST_TMPDIR/keys"
	python3 "$FL_TOP/t/fl-run/terminal.py" "$BATS_TEST_TMPDIR/keys" "$@" >"$to" 2>&1 3>&- &
	terminal=$!
	exec 8>"$BATS_TEST_TMPDIR/keys"
}

# The pid of what on_terminal runs.
runs() {
	holds "$1" "pid "
	sed -n 's/^pid \([0-9]*\)$/\1/p' "$1"
}

@test "a script is piped in, and its echo comes out" {
	small_spec vm0 | quick_up >/dev/null
	printf 'uname -a\nlast' | fl console vm0 --linger 300ms >"$out"
	[ "$(cat "$out")" = "$(printf 'fake guest: up\nuname -a\nlast')" ]
	printf 'more\n' | fl console vm0 --linger 300ms --scrollback 4 >"$out"
	[ "$(cat "$out")" = "lastmore" ]
	head -c 300000 /dev/zero | tr '\0' x | fl console vm0 --linger 500ms --scrollback 1 >"$out"
	[ "$(tr -cd x <"$out" | wc -c)" = 300000 ]
	[ "$(fl console --print vm0 | head -n1)" = "fake guest: up" ]
}

@test "on a terminal: the key is named, detaches, and the terminal is as before" {
	small_spec vm0 | quick_up >/dev/null
	on_terminal "$out" fl console vm0
	holds "$out" "Ctrl-] detaches"
	printf 'hello\r\003' >&8
	holds "$out" "hello"
	printf '\035' >&8
	wait "$terminal"
	holds "$out" "detached"
	holds "$out" "status 0 terminal restored"
	fl console --print vm0 | grep -qa $'\003'
}

@test "the terminal is as before at the end by signals" {
	small_spec vm0 | quick_up >/dev/null
	for signal in TERM INT HUP QUIT ABRT USR1; do
		on_terminal "$out" fl console vm0
		holds "$out" "Ctrl-] detaches"
		holds "$out" "[raw]"
		kill -"$signal" "$(runs "$out")"
		wait "$terminal"
		holds "$out" "terminal restored"
	done
}

@test "several look, one writes, and the others are told" {
	small_spec vm0 | quick_up >/dev/null
	on_terminal "$out" fl console vm0
	holds "$out" "Ctrl-] detaches"
	fl console --read-only vm0 >"$out.2" 3>&- 8>&- &
	viewer=$!
	run -9 fl console vm0 </dev/null
	[[ "$output" == *"process "*" writes to this console"* ]]
	printf 'seen by all\r' >&8
	holds "$out" "seen by all"
	holds "$out.2" "seen by all"
	printf '\035' >&8
	wait "$terminal"
	echo again | fl console vm0 --linger 200ms >/dev/null
	holds "$out.2" "again"
	fl stop --force vm0
	wait "$viewer"
}

@test "a viewer or writer that stands still holds up nobody" {
	small_spec vm0 | quick_up >/dev/null
	mkfifo "$BATS_TEST_TMPDIR/full"
	sleep 100 <"$BATS_TEST_TMPDIR/full" 3>&- &
	reader=$!
	fl console --read-only vm0 >"$BATS_TEST_TMPDIR/full" 3>&- &
	viewer=$!
	sleep 0.2
	kill -STOP "$viewer"
	printf 'flood\nend\n' | timeout 60 fl console vm0 --linger 1s >"$out"
	grep -qa "00089999 the quick" "$out"
	SECONDS=0
	fl stop vm0
	[ "$SECONDS" -lt 10 ]
	kill -CONT "$viewer"
	kill -KILL "$viewer" "$reader"
	wait "$viewer" "$reader" || true
}

# Hours of a guest that talks: what is kept is its end.
@test "output that nobody reads is kept up to a bound, and the guest goes on" {
	small_spec vm0 | quick_up >/dev/null
	folder=$(echo "$FL_STATE_DIR"/vm/default/vm0/*)
	for _ in 1 2 3; do
		echo flood | fl console vm0 --linger 0 >/dev/null
		sleep 0.1
	done
	echo the-last | fl console vm0 --linger 0 >/dev/null
	for _ in $(seq 300); do
		! tail -n 1 "$folder/qemu.stdout" | grep -q the-last || break
		sleep 0.1
	done
	tail -n 2 "$folder/qemu.stdout" | grep -q "^00089999 "
	[ "$(cat "$folder"/qemu.stdout* | wc -c)" -gt $((4 << 20)) ]
	[ "$(cat "$folder"/qemu.stdout* | wc -c)" -le $((8 << 20)) ]
	[ "$(fl status --json vm0 | jq -r .vmm_state)" = running ]
	fl stop vm0
}

@test "a full disk loses what the guest says, and nothing else" {
	unshare -m true 2>/dev/null || skip "no right to mount a small file system"
	cd "$BATS_TEST_TMPDIR"
	small_spec vm0 >spec.json
	unshare -m bash -euc '
		. "$FL_TOP/t/lib.bash"
		fl-pull up -q <spec.json >/dev/null
		fl down -q vm0 >/dev/null
		mount -t tmpfs -o size=64m tmpfs "$FL_STATE_DIR"
		quick_up spec.json >/dev/null
		dd if=/dev/zero of="$FL_STATE_DIR/fill" bs=4k 2>/dev/null || true
		echo flood | fl console vm0 --linger 1s >/dev/null
		[ "$(fl status --json vm0 | jq -r .vmm_state)" = running ]
		rm "$FL_STATE_DIR/fill"
		echo heard | fl console vm0 --linger 1s | grep -qa heard
		grep -qa heard "$FL_STATE_DIR"/vm/default/vm0/*/qemu.stdout
		fl down -q vm0 >/dev/null
		[ -z "$(what_is_left)" ]'
}

@test "keys and signals are heard while nobody takes the output; without a reader it ends" {
	small_spec vm0 | quick_up >/dev/null
	echo flood | fl console vm0 --linger 300ms >/dev/null
	on_terminal "$out" sh -c 'fl console vm0 --scrollback 1M | (sleep 1.5; cat >/dev/null)'
	holds "$out" "[raw]"
	SECONDS=0
	printf '\035' >&8
	wait "$terminal"
	[ "$SECONDS" -lt 10 ]
	holds "$out" "detached"
	on_terminal "$out" sh -c 'fl console vm0 --scrollback 1M | sleep 30'
	holds "$out" "[raw]"
	kill -TERM "$(pgrep -P "$(runs "$out")" -f "fl-run console")"
	holds "$out" "interrupted by"
	kill "$(pgrep -P "$(runs "$out")" sleep)"
	wait "$terminal"
	holds "$out" "terminal restored"
	SECONDS=0
	fl console --read-only vm0 | head -c 1 >"$out"
	fl logs --follow vm0 | sleep 0.1
	fl events --follow | sleep 0.1
	[ "$SECONDS" -lt 10 ]
}

@test "a guest that does not read its keyboard: a writer that dies gives its place away" {
	small_spec vm0 --cmdline fake=asleep | quick_up >/dev/null
	yes | fl console vm0 >/dev/null 3>&- &
	writer=$!
	sleep 0.5
	run -9 fl console vm0 </dev/null
	kill -KILL "$writer"
	sleep 0.2
	on_terminal "$out" fl console vm0
	holds "$out" "Ctrl-] detaches"
	printf '\035' >&8
	wait "$terminal"
	run -1 grep -q "writes to this" "$out"
	fl stop vm0
}

@test "a console of what does not run, wrong options" {
	small_spec vm0 | quick_up >/dev/null
	fl stop --force vm0
	run -8 fl console vm0 </dev/null
	[[ "$output" == *"fake guest: up"*"does not run"* ]]
	run -2 fl console vm0 --detach x </dev/null
	run -2 fl console </dev/null
	run -4 fl console other </dev/null
}

@test "logs: times, since, following to the end" {
	small_spec vm0 | quick_up >/dev/null
	fl logs --follow vm0 >"$out" 3>&- &
	follower=$!
	echo complain | fl console vm0 --linger 0 >/dev/null
	holds "$out" "fake-vmm: a complaint"
	[ "$(fl logs vm0)" = "fake-vmm: a complaint" ]
	fl logs -t vm0 | grep -qE '^20..-..-..T..:..:..\.......Z fake-vmm: a complaint$'
	sleep 1.1
	between=$(date -u +%FT%TZ)
	echo complain | fl console vm0 --linger 0 >/dev/null
	for _ in $(seq 50); do
		[ "$(fl logs vm0 | wc -l)" = 2 ] && break
		sleep 0.05
	done
	[ "$(fl logs --since "$between" vm0 | wc -l)" = 1 ]
	[ "$(fl logs --since 1h vm0 | wc -l)" = 2 ]
	[ "$(fl logs --since 2030-01-01 vm0 | wc -l)" = 0 ]
	fl stop --force vm0
	wait "$follower"
	[ "$(wc -l <"$out")" = 2 ]
	run -2 fl logs --since never vm0
	run -2 fl logs --follow -l a
}
