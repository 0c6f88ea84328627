#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# gRPC and HTTP/2 byte by byte: errors as grpc-go tells them, floods in bounded memory,
# RFC 9113's MUSTs.

load ../lib
load serve

setup_file() {
	own_state "$BATS_FILE_TMPDIR"
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	serve_start
}

teardown_file() {
	serve_teardown
}

@test "errors, in grpc-go's words" { checks wire errors; }
@test "a deadline" { checks wire deadline; }
@test "HTTP/1 is told what this is" { checks wire http1; }
@test "rapid reset" { checks wire rapid_reset; }
@test "CONTINUATION without end" { checks wire continuation_flood; }
@test "PING, SETTINGS and PRIORITY without end" { checks wire floods; }
@test "4 MiB of empty messages" { checks wire empty_messages; }
@test "answers that nobody reads" { checks wire slow_reader; }
@test "requests that are never whole" { checks wire hoarder; }
@test "clients that say nothing" { checks wire slow_loris; }
@test "a call that is broken off" { checks wire cancel; }
@test "padding, CONTINUATION, PING" { checks wire padded_and_continued; }
@test "RFC 9113: errors of the connection" { checks wire musts; }
@test "RFC 9113: malformed requests" { checks wire malformed; }
@test "RFC 9113: errors of a stream, and what is none" { checks wire streams; }
