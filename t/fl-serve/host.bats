#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The second service: life, changes, reasons, the host; over gRPC and as REST.

load ../lib
load serve

setup_file() {
	own_state "$BATS_FILE_TMPDIR"
	export IMAGES=$BATS_FILE_TMPDIR/images HTTP=$BATS_FILE_TMPDIR/http
	small_images "$IMAGES"
	export FILES=600
	ulimit -Sn "$FILES"
	serve_start --enable-http --http-endpoint "unix:$HTTP"
}

teardown_file() {
	serve_teardown
}

ask() {
	curl -sS -m 20 --unix-socket "$HTTP" "${@:1:$#-1}" "http://fl${*: -1}"
}

@test "stop, start, pause, resume" { checks host life; }
@test "watch, and watch on from a cursor" { checks host watch; }
@test "watch from too long ago" { checks host too_old "$FL_STATE_DIR/events.jsonl"; }
@test "explain" { checks host explain; }
@test "server info" { checks host info; }
@test "many who ask for server info" { checks host many_ask; }
@test "many who watch" { checks host many_watch; }
@test "more who watch than there are descriptors for" { checks host few_descriptors; }
@test "many orders for one microVM" { checks host many_orders; }

@test "the same as REST; watching as lines" {
	cd "$BATS_TEST_TMPDIR"
	fl spec --name rest --kernel "oci:$IMAGES/layout:kernel" --root "oci:$IMAGES/layout:root" \
		--root-size 16M --memory 1024 >spec.json
	ask -N /v1/watch >lines &
	watcher=$!
	for try in $(seq 100); do
		[ -s lines ] && break
		sleep 0.05
	done
	uid=$(ask -d @spec.json /v1alpha1/microvm | jq -er .microvm.spec.uid)
	for try in $(seq 100); do
		[ "$(ask "/v1/microvm/$uid/explain" | jq -r .vmmState)" = running ] && break
		sleep 0.1
	done
	ask -d '{"force": true}' "/v1/microvm/$uid/stop" | jq -e '.state == "stopped"'
	ask -X POST "/v1/microvm/$uid/start" | jq -e '.state == "running"'
	ask -X POST "/v1/microvm/$uid/start" | jq -e '.state == "running"'
	ask /v1/server | jq -e '.providers[0].name == "qemu" and (.capacity.memoryBytes | tonumber) > 0'
	ask -X DELETE "/v1alpha1/microvm/$uid"
	for try in $(seq 100); do
		grep -q '"what":"deleted"' lines && break
		sleep 0.1
	done
	kill "$watcher"
	jq -es --arg uid "$uid" 'map(.result) | .[0].what == "watching" and .[-1].what == "deleted" and
		any(.microvm.status.state == "CREATED") and .[-1].uid == $uid' lines
}
