#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Where a filter forbids clone3, as under fl-serve's unit: everything still starts, the VMM in a
# control group of its own.

load ../lib

setup() {
	is_sanitized && skip "a preloaded library and the sanitizers exclude each other"
	own_state "$BATS_TEST_TMPDIR"
	export IMAGES=$BATS_TEST_TMPDIR/images
	small_images "$IMAGES"
	cc -shared -fPIC -D_GNU_SOURCE -o "$BATS_TEST_TMPDIR/no-clone3.so" "$FL_TOP/t/preload/no-clone3.c" -ldl
}

@test "up, exit statuses, a program that is missing, down" {
	small_spec a >"$BATS_TEST_TMPDIR/spec"
	quick_up "$BATS_TEST_TMPDIR/spec" >"$BATS_TEST_TMPDIR/with"
	group=$(sed 's|.*/fl.slice/[^/]*||' "/proc/$(jq .host.vmm.pid "$BATS_TEST_TMPDIR/with")/cgroup")
	fl down -q default/a
	export LD_PRELOAD=$BATS_TEST_TMPDIR/no-clone3.so
	quick_up "$BATS_TEST_TMPDIR/spec" >"$BATS_TEST_TMPDIR/without"
	[ "$(jq -r .status.state "$BATS_TEST_TMPDIR/without")" = CREATED ]
	[ "$(sed 's|.*/fl.slice/[^/]*||' "/proc/$(jq .host.vmm.pid "$BATS_TEST_TMPDIR/without")/cgroup")" = "$group" ]
	fl down -q default/a
	run fl up -q --qemu /nowhere/qemu "$BATS_TEST_TMPDIR/spec"
	[ "$status" != 0 ]
	[[ "$output" == *"/nowhere/qemu"* ]]
	fl down -q default/a
	[ -z "$(what_is_left)" ]
}
