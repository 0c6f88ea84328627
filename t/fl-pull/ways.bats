#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Through proxies, and what is said on the way.

load ../lib
load registries

setup_file() {
	export LAYOUT=$BATS_FILE_TMPDIR/layout LOG=$BATS_FILE_TMPDIR/log CA=$BATS_FILE_TMPDIR/tls/tls.crt
	mkdir -p "$BATS_FILE_TMPDIR/one"
	head -c 3000000 /dev/urandom >"$BATS_FILE_TMPDIR/one/random"
	fl-pack image -q --compression none -t big -o "$LAYOUT" "$BATS_FILE_TMPDIR/one" >/dev/null
	registry_start "$BATS_FILE_TMPDIR/tls" tls
	export TLS=$REGISTRY TLS_PID=$REGISTRY_PID
	registry_start "$BATS_FILE_TMPDIR/plain"
	export REGISTRY_PID
	for host in "$TLS" "$REGISTRY"; do
		skopeo copy -q --dest-tls-verify=false "oci:$LAYOUT:big" "docker://$host/big:1"
	done
	python3 "$FL_TOP/t/fl-pull/forward_proxy.py" "$BATS_FILE_TMPDIR/port" "$LOG" 3>&- &
	export PROXY_PID=$!
	wait_for_file "$BATS_FILE_TMPDIR/port"
	PROXY=127.0.0.1:$(cat "$BATS_FILE_TMPDIR/port")
	export PROXY
}

teardown_file() {
	registry_stop
	kill "$PROXY_PID" "$TLS_PID"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	: >"$LOG"
}

@test "a proxy for HTTP, one for TLS, and hosts that need none" {
	local plain=registry.test:${REGISTRY#*:} tls=registry.test:${TLS#*:}
	export FL_REGISTRIES=$BATS_TEST_TMPDIR/r.yaml
	echo "hosts: {\"$tls\": {skip-verify: true}, \"$plain\": {plain-http: true}}" >"$FL_REGISTRIES"
	http_proxy=http://$PROXY fl-pull get "$plain/big:1"
	grep -q "^GET $plain None$" "$LOG"
	HTTPS_PROXY=http://$PROXY fl-pull get "$tls/big:1"
	grep -q "^CONNECT $tls None$" "$LOG"
	ALL_PROXY=http://$PROXY fl-pull get --pull always "$plain/big:1"
	: >"$LOG"
	NO_PROXY=registry.test ALL_PROXY=http://$PROXY fails_with 10 "registry.test" fl-pull get --pull always "$plain/big:1"
	no_proxy="*" ALL_PROXY=http://$PROXY fails_with 10 "registry.test" fl-pull get --pull always "$plain/big:1"
	[ ! -s "$LOG" ]
}

@test "loopback is reached without a proxy, whatever is set" {
	http_proxy=http://$PROXY ALL_PROXY=http://$PROXY fl-pull get "$REGISTRY/big:1"
	NO_PROXY=other.example ALL_PROXY=http://$PROXY fl-pull get --pull always "localhost:${REGISTRY#*:}/big:1"
	[ ! -s "$LOG" ]
}

@test "a proxy's login is used and not said" {
	http_proxy="http://user:open%20sesame@$PROXY" run fl-pull get -v --plain-http "registry.test:${REGISTRY#*:}/big:1"
	[ "$status" = 0 ]
	grep -q "Basic $(printf 'user:open sesame' | base64)" "$LOG"
	[[ "$output" != *sesame* && "$output" != *"$(printf 'user:open sesame' | base64)"* ]]
}

@test "a proxy that is away is an error" {
	http_proxy=http://127.0.0.1:1 fails_with 10 "registry.test" fl-pull get --plain-http registry.test/big:1
	nothing_published
}

@test "--progress=json: lines on standard error, up to the whole" {
	fl-pull get --progress=json "$REGISTRY/big:1" 2>"$BATS_TEST_TMPDIR/lines"
	jq -es --arg name "$REGISTRY/big:1" 'length >= 1 and all(.name == $name and .done <= .total) and
		(map(.done) == (map(.done) | sort)) and (last | .done == .total and .total > 3000000)' "$BATS_TEST_TMPDIR/lines"
	fl-pull export --progress=json "$REGISTRY/big:1" "oci-archive:$BATS_TEST_TMPDIR/a.tar" 2>"$BATS_TEST_TMPDIR/lines"
	jq -es 'last | .done == .total and .total > 3000000' "$BATS_TEST_TMPDIR/lines"
	fl-pull push --progress=json "oci:$LAYOUT" "$REGISTRY/pushed:1" 2>"$BATS_TEST_TMPDIR/lines"
	jq -es 'last | .done == .total and .total > 3000000' "$BATS_TEST_TMPDIR/lines"
	[ -z "$(fl-pull get --pull always --progress=none "$REGISTRY/big:1" 2>&1 >/dev/null)" ]
	fails_with 2 "not auto, none or json" fl-pull get --progress=loud "$REGISTRY/big:1"
}

@test "--progress=json with a slow line comes while it lasts, not ten times a second more" {
	fl-pull get --progress=json --limit-rate 2M "$REGISTRY/big:1" 2>"$BATS_TEST_TMPDIR/lines"
	count=$(wc -l <"$BATS_TEST_TMPDIR/lines")
	[ "$count" -ge 3 ]
	[ "$count" -le 40 ]
}

@test "the bar on a terminal stays in one line of it, however long the name" {
	cd "$BATS_TEST_TMPDIR" || return 1
	long=$REGISTRY/$(printf 'folder/%.0s' $(seq 12))image:1
	fl-pull push "oci:$LAYOUT" "$long"
	for columns in 130 80 50; do
		fl-pull rm "$long" || true
		fl-pull gc
		script -qec "stty cols $columns; fl-pull get --limit-rate 10M $long" /dev/null </dev/null >out
		python3 - "$columns" <<-'PYTHON'
			import re, sys
			drawn = [p for p in re.split(r"\r\n?|\x1b\[K|\n", open("out", newline="").read()) if "%" in p]
			print(drawn)
			assert drawn and all(":1 [" in p for p in drawn)
			assert all(len(p) < int(sys.argv[1]) for p in drawn)
		PYTHON
	done
}
