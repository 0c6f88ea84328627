#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# flintlock's API as its clients know it, asked for by a real gRPC client.

load ../lib
load serve

setup_file() {
	own_state "$BATS_FILE_TMPDIR"
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	export SPEC=$BATS_FILE_TMPDIR/spec
	small_spec shared >"$SPEC"
	serve_start
}

teardown_file() {
	serve_teardown
}

@test "present and empty" { checks traps presence; }
@test "two of one name" { checks traps twins; }
@test "the status is always present" { checks traps status_bytes; }
@test "unknown uids, and the words for them" { checks traps not_found; }
@test "deleting twice" { checks traps delete_twice; }
@test "instance_id" { checks traps instance_id; }
@test "metadata that is refused" { checks traps metadata_refused; }
@test "gateways" { checks traps gateways; }
@test "what the provider cannot do" { checks traps macvtap_default; }
@test "the spec of Cluster API's template, where no macvtap can be had" { checks traps cluster_api; }
@test "unknown fields" { checks traps unknown_fields; }
@test "a spec sent is the spec returned" { checks traps everything_returned; }
@test "defaults" { checks traps defaults; }
@test "violations, all at once" { checks traps violations; }
@test "validation" { checks traps validation; }
@test "hammertime's commands" { checks traps hammertime; }
@test "what breaks a running flintlockd" { checks traps running_bugs; }
@test "a key twice in a map" { checks traps map_keys; }
@test "empty overrides" { checks traps empty_overrides; }
@test "lists and streams" { checks traps listing; }
@test "a failure that cannot heal" { checks traps failure_at_once; }
@test "a failure that may heal" { checks traps retries; }
@test "the command line's changes" { checks traps command_line; }
@test "a damaged record" { checks traps damaged; }
@test "reflection" { checks traps reflection; }
@test "health" { checks traps health; }
