#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The whole way over the API with a real guest: create, CREATED, a login, delete, gone.

load ../lib

setup() {
	[ "$(id -u)" = 0 ] || skip "not root: the images cannot be built"
	own_state "$BATS_TEST_TMPDIR"
	layout=$("$FL_TOP/t/images.sh" "$FL_BUILD" 2>"$BATS_TEST_TMPDIR/images.log") || {
		tail -n 20 "$BATS_TEST_TMPDIR/images.log"
		return 1
	}
	export IMAGES=${layout%/layout}
	ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/key"
	unshare -n sleep 900 3>&- &
	HOLDER=$!
	sleep 0.2
	inside ip link set lo up
	inside fl-net bridge create br0 --address 10.9.0.1/24
	export SERVE=127.0.0.1:9090
	nsenter -t "$HOLDER" -n fl-serve run --grpc-endpoint "$SERVE" --accel tcg --bridge-name br0 --image-roots "$layout" \
		>"$BATS_TEST_TMPDIR/serve.log" 2>&1 3>&- &
	SERVER=$!
}

teardown() {
	kill "${SERVER:-}" 2>/dev/null || true
	wait "${SERVER:-}" 2>/dev/null || true
	inside fl ls --json | jq -r .uid | xargs -r nsenter -t "$HOLDER" -n fl down -q >/dev/null
	[ -z "$(inside ip -o link | grep fltap)" ]
	kill "$HOLDER"
	[ -z "$(what_is_left)" ]
}

inside() {
	nsenter -t "$HOLDER" -n "$@"
}

client() {
	PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python PYTHONDONTWRITEBYTECODE=1 \
		inside /usr/bin/python3 "$FL_TOP/t/guest/serve.py" "$@" || {
		tail -n 30 "$BATS_TEST_TMPDIR/serve.log"
		return 1
	}
}

@test "create, CREATED, logged in to, deleted, gone" {
	for _ in $(seq 100); do
		inside bash -c ': <>/dev/tcp/127.0.0.1/9090' 2>/dev/null && break
		sleep 0.1
	done
	uid=$(client create "$BATS_TEST_TMPDIR/key.pub")
	inside fl-run wait "$uid" --for=cloud-init --timeout 300s
	[ "$(inside timeout 60 fl ssh -i "$BATS_TEST_TMPDIR/key" "$uid" cloud-init query instance_id)" = "$uid" ]
	client delete "$uid"
	! inside fl inspect "$uid"
}
