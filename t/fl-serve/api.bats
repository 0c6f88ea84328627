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

@test "present and empty" { traps presence; }
@test "two of one name" { traps twins; }
@test "the status is always present" { traps status_bytes; }
@test "unknown uids, and the words for them" { traps not_found; }
@test "deleting twice" { traps delete_twice; }
@test "instance_id" { traps instance_id; }
@test "metadata that is refused" { traps metadata_refused; }
@test "gateways" { traps gateways; }
@test "what the provider cannot do" { traps macvtap_default; }
@test "unknown fields" { traps unknown_fields; }
@test "a spec sent is the spec returned" { traps everything_returned; }
@test "defaults" { traps defaults; }
@test "violations, all at once" { traps violations; }
@test "validation" { traps validation; }
@test "empty overrides" { traps empty_overrides; }
@test "lists and streams" { traps listing; }
@test "a failure that cannot heal" { traps failure_at_once; }
@test "a failure that may heal" { traps retries; }
@test "the command line's changes" { traps command_line; }
@test "a damaged record" { traps damaged; }
@test "reflection" { traps reflection; }
@test "health" { traps health; }
