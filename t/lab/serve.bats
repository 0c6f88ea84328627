#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: the service over what only a real kernel has.

load ../lib
load ../fl-serve/serve
load lab

setup() {
	BATS_FILE_TMPDIR=$BATS_TEST_TMPDIR
	export FL_STATE_DIR=/tmp/state IMAGES=/tmp/small
	small_images "$IMAGES"
	ip link add wire0 type veth peer name wire1
	ip link set wire0 up
	ip link set wire1 up
}

teardown() {
	serve_stop
	fl down -q --all >/dev/null
	ip link del wire0
	[ -z "$(what_is_left)" ]
	[ -z "$(ip -o link show type macvtap)" ]
}

@test "the spec of Cluster API's template comes up" {
	serve_start --parent-iface wire0
	checks traps cluster_api wire0
}
