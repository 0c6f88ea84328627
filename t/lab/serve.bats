#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: the service over what only a real kernel has.

bats_require_minimum_version 1.5.0
load ../lib
load ../fl-serve/serve
load lab
load thin

setup() {
	BATS_FILE_TMPDIR=$BATS_TEST_TMPDIR
	export FL_STATE_DIR=/tmp/state IMAGES=/tmp/small FLINTLOCKD_IMAGE_ROOTS=/tmp/small
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

# The pool's numbers as Prometheus gets them.
pool_metric() {
	curl -sS --unix-socket /tmp/http http://fl/metrics |
		sed -n "s/^flintlock_pool_$1{pool=\"$POOL\"\(,[^}]*\)\{0,1\}} //p"
}

@test "a pool's numbers are among the metrics, and follow it" {
	mkdir -p /tmp/pools
	export POOLS=/tmp/pools
	pool_make 64 128 error_if_no_space
	serve_start --backend thin --enable-http --http-endpoint unix:/tmp/http
	small_spec counted | fl-pull up -q | fl-snap up -q --backend thin >/tmp/record
	[ "$(pool_metric size_bytes) $(pool_metric volumes)" = "$((64 << 20)) 1" ]
	[ "$(pool_metric metadata_size_bytes)" = $((8 << 20)) ]
	[ "$(pool_metric metadata_used_bytes)" -gt 0 ]
	before=$(pool_metric used_bytes)
	[ "$before" -gt 0 ]
	curl -sS --unix-socket /tmp/http http://fl/metrics |
		grep -qxF "flintlock_pool_state{pool=\"$POOL\",state=\"ok\"} 1"
	fl-snap grow counted root 128M
	run ! dd if=/dev/urandom of="$(volume "$(cat /tmp/record)")" bs=1M oflag=direct status=none
	sleep 1
	[ "$(pool_metric used_bytes)" -gt "$before" ]
	curl -sS --unix-socket /tmp/http http://fl/metrics |
		grep -qxF "flintlock_pool_state{pool=\"$POOL\",state=\"full\"} 1"
	fl down -q counted >/dev/null
	[ "$(pool_metric volumes) $(pool_metric state)" = "0 1" ]
	remove_bases
	[ -z "$(pool_content)" ]
	pool_off
}
