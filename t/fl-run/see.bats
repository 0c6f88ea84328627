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

@test "metrics: one that does not answer costs 200 ms and nobody else" {
	small_spec mute --cmdline fake=mute | quick_up >/dev/null
	small_spec odd --cmdline fake=nonsense | quick_up >/dev/null
	small_spec good | quick_up >/dev/null
	small_spec off | quick_up >/dev/null
	fl stop --force off
	start=$(date +%s%N)
	fl metrics --json >"$BATS_TEST_TMPDIR/all"
	took=$((($(date +%s%N) - start) / 1000000))
	is_sanitized || [ "$took" -lt 400 ]
	[ "$(jq -c '[.name,.running,.answered]' "$BATS_TEST_TMPDIR/all" | xargs)" = \
		"[good,true,true] [mute,true,false] [odd,true,true] [off,false,null]" ]
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
