#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# What microVMs use, and picking them by label.

bats_require_minimum_version 1.5.0
load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	export FL_STATE_DIR=$BATS_FILE_TMPDIR/state FL_RUN_DIR=$BATS_FILE_TMPDIR/run
}

teardown() {
	fl ls --json | jq -r .uid | xargs -r fl down -q >/dev/null
	[ -z "$(what_is_left)" ]
}

@test "metrics: JSON and Prometheus' text" {
	small_spec vm0 | quick_up >/dev/null
	fl metrics vm0 --json >"$BATS_TEST_TMPDIR/one"
	[ "$(jq -c '[.running,.answered,.vcpu,.memory_limit_bytes]' "$BATS_TEST_TMPDIR/one")" = "[true,true,2,67108864]" ]
	[ "$(jq -c '.disks' "$BATS_TEST_TMPDIR/one")" = \
		'[{"id":"root","read_bytes":512,"written_bytes":1024,"reads":1,"writes":2,"flushes":3}]' ]
	[ "$(jq '.memory_bytes > 0 and (.cpu_us | type) == "number"' "$BATS_TEST_TMPDIR/one")" = true ]
	uid=$(jq -r .uid "$BATS_TEST_TMPDIR/one")
	fl metrics >"$BATS_TEST_TMPDIR/text"
	grep -qxF "flintlock_microvm_disk_read_bytes_total{namespace=\"default\",name=\"vm0\",uid=\"$uid\",disk=\"root\"} 512" \
		"$BATS_TEST_TMPDIR/text"
	[ "$(grep -c '^# TYPE flintlock_microvm_cpu_seconds_total counter$' "$BATS_TEST_TMPDIR/text")" = 1 ]
	[ -z "$(grep -vE '^(#|flintlock_microvm_[a-z_]+\{.*\} [0-9.]+$)' "$BATS_TEST_TMPDIR/text")" ]
}

@test "metrics: each that does not answer costs 200 ms and nobody else" {
	small_spec mute --cmdline fake=mute | quick_up >/dev/null
	small_spec cut --cmdline fake=half | quick_up >/dev/null
	small_spec odd --cmdline fake=nonsense | quick_up >/dev/null
	small_spec good | quick_up >/dev/null
	small_spec off | quick_up >/dev/null
	fl stop --force off
	start=$(date +%s%N)
	fl metrics --json >"$BATS_TEST_TMPDIR/all"
	took=$((($(date +%s%N) - start) / 1000000))
	is_sanitized || [ "$took" -lt 600 ]
	[ "$(jq -c '[.name,.running,.answered]' "$BATS_TEST_TMPDIR/all" | xargs)" = \
		"[cut,true,false] [good,true,true] [mute,true,false] [odd,true,true] [off,false,null]" ]
	fl metrics --json >/dev/null
	kill -STOP "$(pgrep -f "[f]l-supervise $FL_STATE_DIR default mute")"
	fl metrics --json | jq -c '[.name,.answered]' | grep -qF '["mute",false]'
	kill -CONT "$(pgrep -f "[f]l-supervise $FL_STATE_DIR default mute")"
}

@test "label selectors on ls, stop, metrics and down" {
	small_spec a --label tier=web --label old= | quick_up >/dev/null
	small_spec b --label tier=db | quick_up >/dev/null
	small_spec c | quick_up >/dev/null
	names() {
		fl ls --json "$@" | jq -r .name | xargs
	}
	[ "$(names -l tier=web)" = a ]
	[ "$(names -l tier!=web)" = "b c" ]
	[ "$(names -l tier)" = "a b" ]
	[ "$(names -l '!tier')" = c ]
	[ "$(names -l 'tier,!old')" = b ]
	[ "$(names -l tier -l old)" = a ]
	[ "$(names -l tier=none)" = "" ]
	run -2 fl ls -l '=x'
	[[ "$output" == *"label selector"* ]]
	run -2 fl stop -f -l tier=web a
	run -2 fl stop -f
	run -4 fl stop -f -l tier=none
	fl stop -f -l tier
	[ "$(fl ls --json | jq -r .vmm_state | xargs)" = "stopped stopped running" ]
	[ "$(fl metrics --json -l tier | wc -l)" = 2 ]
	fl down -q -l tier=web,old >/dev/null
	[ "$(names)" = "b c" ]
	fl down -q -l tier=web >/dev/null
	[ "$(names)" = "b c" ]
}

@test "top: rates between two looks, sorted, as table and JSON" {
	small_spec idle | quick_up >/dev/null
	small_spec busy | quick_up >/dev/null
	small_spec resting | quick_up >/dev/null
	fl stop --force resting
	run fl top --json --interval 200ms --count 2
	[ "$status" = 0 ]
	[ "$(jq -r .name <<<"$output" | sort | xargs)" = "busy busy idle idle resting resting" ]
	jq -es 'map(select(.name == "idle")) | length == 2 and all(.memory_bytes > 0 and .cpu_percent >= 0 and
		.disk_read_bytes_per_second == 0)' <<<"$output"
	[ "$(fl-run top --json --interval 200ms --count 1 --sort name | jq -r .name | xargs)" = "busy idle resting" ]
	[ "$(fl-run top --json --interval 200ms --count 1 idle | jq -r .name)" = idle ]
	fl-run top --interval 200ms --count 1 | grep -E '^NAMESPACE +NAME +STATE +VMM +CPU% +MEMORY'
	run -2 fl-run top --sort size
	run -2 fl-run top --interval 1ms
	run -4 fl-run top --count 1 nobody
}

@test "top: processor time is told in parts of one processor" {
	small_spec busy --cmdline fake=busy | quick_up >/dev/null
	busy=$(fl-run top --json --interval 1s --count 2 | tail -n 1 | jq .cpu_percent)
	echo "busy: $busy"
	# Others may have most of the processors.
	python3 -c 'import sys; sys.exit(not 3 < float(sys.argv[1]) <= 110)' "$busy"
	run -130 timeout --preserve-status -s INT 1 fl-run top --json --interval 300ms
}

# on_terminal COMMAND…: what it says there, with <green> … <> for colours.
on_terminal() {
	script -qec "$*" /dev/null </dev/null | tr -d '\r' |
		sed 's/\x1b\[31m/<red>/g; s/\x1b\[32m/<green>/g; s/\x1b\[33m/<yellow>/g; s/\x1b\[0m/<>/g'
}

@test "states are coloured on a terminal only, and never with NO_COLOR" {
	local plain command
	export TERM=xterm
	unset NO_COLOR
	small_spec well | quick_up >/dev/null
	small_spec held | quick_up >/dev/null
	fl pause held
	small_spec ill --cmdline fake=panic | quick_up --settle 2s >/dev/null 2>&1 || true
	small_spec lacking | jq -c '.kernel.image = "oci:/nowhere:kernel"' | quick_up >/dev/null 2>&1 || true
	cd "$BATS_TEST_TMPDIR"
	on_terminal fl ls >seen
	grep -q "^default *well .* <green>CREATED<>  <green>running<> " seen
	grep -q "^default *held .* <green>CREATED<>  <yellow>paused<> " seen
	grep -q "^default *ill .* <red>FAILED<> *<red>failed<> " seen
	grep -q "^default *lacking .* <red>FAILED<> " seen
	on_terminal fl status held | grep -qx "vmm_state     <yellow>paused<>"
	on_terminal fl top --interval 200ms --count 1 | grep -q "held *<green>CREATED<> "
	# But for the colours nothing is another, neither words nor widths.
	plain=$(fl ls | sed 's/  [0-9]*s  .*//')
	[ "$(sed 's/<[a-z]*>//g; s/  [0-9]*s  .*//' seen)" = "$plain" ]
	for command in "NO_COLOR=1 fl ls" "NO_COLOR=0 fl status held" "TERM=dumb fl ls" "TERM= fl ls" \
		"fl ls --json" "fl status held --json" "fl ls | cat"; do
		on_terminal "$command" >seen
		grep -qE 'CREATED|paused' seen
		run ! grep -E $'\033|<[a-z]*>' seen
	done
	# Empty is as good as not set.
	on_terminal NO_COLOR= fl ls | grep -q "<green>running"
}
