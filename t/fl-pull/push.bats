#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Images into a real registry, with and without a login.

load ../lib
load registries

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images CA=$BATS_FILE_TMPDIR/basic/tls.crt TOKENS=$BATS_FILE_TMPDIR/tokens
	small_images "$IMAGES"
	mkdir -p "$TOKENS" "$BATS_FILE_TMPDIR/one"
	head -c 3000000 /dev/urandom >"$BATS_FILE_TMPDIR/one/random"
	fl-pack image -q --compression none -t big -o "$BATS_FILE_TMPDIR/big" "$BATS_FILE_TMPDIR/one" >/dev/null
	python3 "$FL_TOP/t/fl-pull/token_server.py" "$TOKENS" "$TOKENS/port" "$TOKENS/asked" 3>&- &
	export TOKEN_SERVER_PID=$!
	wait_for_file "$TOKENS/port"
	TOKEN_PORT=$(cat "$TOKENS/port") registry_start "$TOKENS" token
	export TOKEN=$REGISTRY TOKEN_PID=$REGISTRY_PID
	registry_start "$BATS_FILE_TMPDIR/basic" tls basic
	export BASIC=$REGISTRY BASIC_PID=$REGISTRY_PID
	registry_start "$BATS_FILE_TMPDIR/plain"
	export REGISTRY_PID LOG=$BATS_FILE_TMPDIR/log
	python3 "$FL_TOP/t/fl-pull/faulty_proxy.py" "$REGISTRY" "$BATS_FILE_TMPDIR/port" "$LOG" 3>&- &
	export PROXY_PID=$!
	wait_for_file "$BATS_FILE_TMPDIR/port"
	PROXY=127.0.0.1:$(cat "$BATS_FILE_TMPDIR/port")
	export PROXY
}

teardown_file() {
	registry_stop
	kill "$TOKEN_PID" "$BASIC_PID" "$TOKEN_SERVER_PID" "$PROXY_PID"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	: >"$LOG"
}

remote_digest() {
	skopeo inspect --tls-verify=false "$@" | jq -r .Digest
}

@test "out of a layout, an archive, standard input and the store: one digest" {
	local digest
	digest=$(fl-pull push "oci:$IMAGES/layout:root" "$REGISTRY/p/layout:1")
	[ "$(remote_digest "docker://$REGISTRY/p/layout:1")" = "$digest" ]
	skopeo copy -q "oci:$IMAGES/layout:root" "oci-archive:$BATS_TEST_TMPDIR/a.tar:x"
	[ "$(fl-pull push "oci-archive:$BATS_TEST_TMPDIR/a.tar" "$REGISTRY/p/archive:1")" = "$digest" ]
	[ "$(fl-pull push --json - "$REGISTRY/p/stdin:1" <"$BATS_TEST_TMPDIR/a.tar" | jq -r '.ref, .digest' | xargs)" = "$REGISTRY/p/stdin:1 $digest" ]
	[ ! -e "$FL_STATE_DIR/images" ]
	fl-pull get "$REGISTRY/p/stdin:1"
	[ "$(fl-pull push "$REGISTRY/p/stdin:1" "$REGISTRY/p/store:2")" = "$digest" ]
	own_state "$BATS_TEST_TMPDIR/fresh"
	[ "$(fl-pull get "$REGISTRY/p/store:2")" = "$digest" ]
}

@test "a large layer, and what is there is not sent again" {
	fl-pull push "oci:$BATS_FILE_TMPDIR/big" "$REGISTRY/p/big:1"
	fl-pull get "$REGISTRY/p/big:1"
	run fl-pull push -v "oci:$BATS_FILE_TMPDIR/big" "$REGISTRY/p/big:2"
	[ "$(grep -c "there already" <<<"$output")" = 2 ]
	fl-pull get "$REGISTRY/p/big:2"
}

@test "with a login: basic over TLS, and a token for pull and push" {
	fails_with 7 "fl-pull login" fl-pull push --ca-file "$CA" "oci:$IMAGES/layout:root" "$BASIC/p/root:1"
	logins_file "$HOME/.docker/config.json" "$BASIC"
	digest=$(fl-pull push --ca-file "$CA" "oci:$IMAGES/layout:root" "$BASIC/p/root:1")
	[ "$(remote_digest --creds "user:open sesame" "docker://$BASIC/p/root:1")" = "$digest" ]
	logins_file "$HOME/.docker/config.json" "$TOKEN"
	[ "$(fl-pull push "oci:$IMAGES/layout:root" "$TOKEN/p/root:1")" = "$digest" ]
	grep -E "basic .*repository:p/root:(pull,push|push,pull)" "$TOKENS/asked"
	rm "$HOME/.docker/config.json"
	fails_with 7 "$TOKEN" fl-pull push "oci:$IMAGES/layout:root" "$TOKEN/open/root:1"
}

@test "an upload that was cut or met a fault is begun anew, as often as was said" {
	fl-pull push "oci:$BATS_FILE_TMPDIR/big" "$PROXY/upcut/big:1"
	[ "$(grep -c "^PUT .*cut$" "$LOG")" = 2 ]
	own_state "$BATS_TEST_TMPDIR/fresh"
	fl-pull get "$REGISTRY/upcut/big:1"
	fails_with 10 "$PROXY" fl-pull push --retries 0 "oci:$IMAGES/layout:root" "$PROXY/upcut/other:1"
	fails_with 4 "does not have it" fl-pull get "$REGISTRY/upcut/other:1"
}

@test "another host that is to take the blobs gets no login, and never without TLS after TLS" {
	logins_file "$HOME/.docker/config.json" "$PROXY"
	fails_with 10 "answers 418" fl-pull push --retries 0 "oci:$IMAGES/layout:root" "$PROXY/upelsewhere/x:1"
	grep -q "^PUT elsewhere None$" "$LOG"
	fails_with 10 "where to send" fl-pull push --retries 0 "oci:$IMAGES/layout:root" "$PROXY/upnowhere/x:1"
	fails_with 10 "without TLS" fl-pull push --retries 0 "oci:$IMAGES/layout:root" "$PROXY/upfile/x:1"
}

@test "what cannot be pushed, or not there" {
	fails_with 2 "not a target" fl-pull push "oci:$IMAGES/layout:root" "oci:$BATS_TEST_TMPDIR/x"
	fails_with 2 "not a target" fl-pull push "oci:$IMAGES/layout:root" "$REGISTRY/x@sha256:$(printf %064d 0)"
	fails_with 4 "" fl-pull push "$REGISTRY/p/nosuch:1" "$REGISTRY/p/other:1"
	fails_with 10 "127.0.0.1:1" fl-pull push --retries 0 "oci:$IMAGES/layout:root" 127.0.0.1:1/x:1
	cp -r "$IMAGES/layout" "$BATS_TEST_TMPDIR/short"
	layer=$(fl-pull inspect --json "oci:$IMAGES/layout:root" | jq -r '.layers[0].digest' | cut -d: -f2)
	chmod u+w "$BATS_TEST_TMPDIR/short/blobs/sha256/$layer"
	printf x | dd of="$BATS_TEST_TMPDIR/short/blobs/sha256/$layer" bs=1 seek=20 conv=notrunc status=none
	run fl-pull push --retries 0 "oci:$BATS_TEST_TMPDIR/short:root" "$REGISTRY/p/altered:1"
	[ "$status" != 0 ]
	fails_with 4 "does not have it" fl-pull get "$REGISTRY/p/altered:1"
}
