#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# TLS, client certificates and tokens: who is let in, and what a stranger is told.

bats_require_minimum_version 1.5.0
load ../lib
load serve

# certificate NAME CA DAYS [EXTENSION]: NAME.key and NAME.pem, signed by CA.
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$CERTS/$1.key" \
		-out "$CERTS/$1.csr" 2>/dev/null
	printf '%s\n' "${4:-basicConstraints=CA:FALSE}" >"$CERTS/$1.ext"
	openssl x509 -req -in "$CERTS/$1.csr" -CA "$CERTS/$2.pem" -CAkey "$CERTS/$2.key" -days "$3" \
		-extfile "$CERTS/$1.ext" -out "$CERTS/$1.pem" 2>/dev/null
}

authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -days 2 \
		-keyout "$CERTS/$1.key" -out "$CERTS/$1.pem" 2>/dev/null
}

setup_file() {
	export CERTS=$BATS_FILE_TMPDIR/certs
	mkdir "$CERTS"
	authority ca
	authority other-ca
	certificate server ca 2 subjectAltName=DNS:localhost,IP:127.0.0.1
	certificate client ca 2
	certificate expired ca -1
	certificate stranger other-ca 2
}

setup() {
	BATS_FILE_TMPDIR=$BATS_TEST_TMPDIR
	own_state "$BATS_TEST_TMPDIR"
	export IMAGES=$BATS_TEST_TMPDIR/images
	small_images "$IMAGES"
	printf '# who may what\nreader0123456789 ns0 read\nwriter0123456789\n' >"$BATS_TEST_TMPDIR/tokens"
	chmod 600 "$BATS_TEST_TMPDIR/tokens"
	server=(--tls-cert "$CERTS/server.pem" --tls-key "$CERTS/server.key")
}

teardown() {
	serve_teardown
}

s_client() {
	timeout 5 openssl s_client -connect "$SERVE" -CAfile "$CERTS/ca.pem" -verify_return_error "$@" </dev/null 2>&1
}

@test "TLS 1.3 and h2, nothing older and nothing else" {
	serve_start "${server[@]}"
	run -0 s_client -alpn h2
	[[ $output == *"ALPN protocol: h2"* && $output == *TLSv1.3* ]]
	run ! s_client -tls1_2
	run ! s_client -alpn http/1.1
}

@test "client certificates: wanted, in date, of the right authority" {
	serve_start "${server[@]}" --tls-client-validate --tls-client-ca "$CERTS/ca.pem"
	checks security mutual
	curl -s "http://$SERVE/" || true
	for why in "peer did not return a certificate (--tls-client-validate" "certificate verify failed" \
		"http request (it speaks no TLS)"; do
		grep -q "127.0.0.1: turned away, TLS: $why" "$BATS_FILE_TMPDIR/serve.log"
	done
	[ "$(grep -c "turned away" "$BATS_FILE_TMPDIR/serve.log")" -ge 4 ]
	run ! grep eof "$BATS_FILE_TMPDIR/serve.log"
}

@test "Cluster API's calls, by grpc-go" {
	local version
	version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//')
	[ "$(printf '%s\n' 1.24 "${version:-0}" | sort -V | head -n 1)" = 1.24 ] || skip "no Go 1.24 on this machine"
	cd "$FL_TOP/t/fl-serve/go"
	GOTOOLCHAIN=local timeout 120 go mod download 2>/dev/null || skip "grpc-go cannot be had on this machine"
	GOTOOLCHAIN=local go build -o "$BATS_TEST_TMPDIR/capmvm" .
	serve_start "${server[@]}" --tls-client-validate --tls-client-ca "$CERTS/ca.pem" --token-file "$BATS_TEST_TMPDIR/tokens"
	timeout 60 "$BATS_TEST_TMPDIR/capmvm" "$FL_BUILD/gen/api.binpb" "localhost:${SERVE##*:}" "$CERTS" writer0123456789 "$IMAGES/layout"
}

@test "tokens by namespace and verb" {
	serve_start --token-file "$BATS_TEST_TMPDIR/tokens"
	checks security tokens
}

@test "SIGHUP reads tokens again; a bad file changes nothing" {
	serve_start --token-file "$BATS_TEST_TMPDIR/tokens"
	checks security reload "$SERVE_PID" "$BATS_TEST_TMPDIR/tokens"
}

@test "SIGHUP counts for a watch that runs" {
	serve_start --token-file "$BATS_TEST_TMPDIR/tokens"
	checks security revoked "$SERVE_PID" "$BATS_TEST_TMPDIR/tokens"
}

@test "SIGHUP reads certificates again" {
	cp "$CERTS/server.pem" "$CERTS/server.key" "$BATS_TEST_TMPDIR"
	serve_start --tls-cert "$BATS_TEST_TMPDIR/server.pem" --tls-key "$BATS_TEST_TMPDIR/server.key"
	s_client -alpn h2 >/dev/null
	certificate newer ca 2 subjectAltName=DNS:localhost,IP:127.0.0.1
	cp "$CERTS/newer.key" "$BATS_TEST_TMPDIR/server.key"
	cp "$CERTS/newer.pem" "$BATS_TEST_TMPDIR/server.pem"
	kill -HUP "$SERVE_PID"
	for try in $(seq 50); do
		s_client -alpn h2 | grep -q "CN = newer" && return
		sleep 0.1
	done
	return 1
}

@test "HTTP under TLS with a token" {
	serve_start "${server[@]}" --token-file "$BATS_TEST_TMPDIR/tokens" --enable-http \
		--http-endpoint "unix:$BATS_TEST_TMPDIR/http"
	run -0 curl -sS --http1.1 --unix-socket "$BATS_TEST_TMPDIR/http" --cacert "$CERTS/ca.pem" \
		-H 'Authorization: Bearer writer0123456789' https://localhost/v1alpha1/microvm
	[ "$output" = '{"microvm":[]}' ]
	run ! curl -sS --unix-socket "$BATS_TEST_TMPDIR/http" http://localhost/healthz
}

@test "what is wrong with files is said before anything listens" {
	run -3 fl-serve run --tls-cert "$CERTS/server.pem" --tls-key "$CERTS/client.key"
	[[ $output == *"$CERTS/client.key"* ]]
	run ! fl-serve run --tls-cert "$CERTS/none.pem" --tls-key "$CERTS/client.key"
	[[ $output == *"$CERTS/none.pem"* ]]
	chmod 644 "$BATS_TEST_TMPDIR/tokens"
	run ! fl-serve run --token-file "$BATS_TEST_TMPDIR/tokens"
	[[ $output == *"$BATS_TEST_TMPDIR/tokens"* ]]
	printf '# nobody\n\n' >"$BATS_TEST_TMPDIR/none"
	chmod 600 "$BATS_TEST_TMPDIR/none"
	run -3 fl-serve run --token-file "$BATS_TEST_TMPDIR/none"
	[[ $output == *"holds no token"* ]]
	SERVE_PID=
}

@test "no secret in the list of processes or the log" {
	serve_start --token-file "$BATS_TEST_TMPDIR/tokens"
	checks security tokens
	run -1 grep -r 0123456789 "/proc/$SERVE_PID/cmdline" "$BATS_TEST_TMPDIR/serve.log"
	run -1 grep -r writer0123456789 "$FL_STATE_DIR"
}
