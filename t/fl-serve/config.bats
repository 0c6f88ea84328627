#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Options, variables and the configuration file: flintlockd's names, and what is wrong told
# with its place.

bats_require_minimum_version 1.5.0
load ../lib
load serve

setup() {
	BATS_FILE_TMPDIR=$BATS_TEST_TMPDIR
	own_state "$BATS_TEST_TMPDIR"
	mkdir "$BATS_TEST_TMPDIR/home"
	export HOME=$BATS_TEST_TMPDIR/home
	unset XDG_CONFIG_HOME
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	serve_teardown
}

# refused STATUS WORDS FILE-CONTENT…: by --check-config.
refused() {
	local wanted=$1 words=$2
	printf '%s\n' "${@:3}" >config.yaml
	run fl-serve run --config config.yaml --check-config
	echo "$status: $output"
	[ "$status" = "$wanted" ] && [[ $output == *"$words"* ]]
}

@test "a file is checked: file, line, key" {
	printf 'grpc-endpoint: "localhost:9091"\njobs: 3\nenable-http: true\n' >config.yaml
	run -0 fl-serve run --config config.yaml --check-config
	[ "$output" = "config.yaml: good" ]
	run -0 fl-serve run --config config.yaml --check-config --firecracker-bin /nowhere/firecracker
	[[ $output == *"--firecracker-bin /nowhere/firecracker: there is no such program here"*good ]]
	refused 3 "config.yaml: line 2: grpc-endpont: there is no such setting" 'jobs: 1' 'grpc-endpont: x'
	refused 3 "config.yaml: line 1: enable-http: true or false belongs here" 'enable-http: maybe'
	refused 3 "config.yaml: line 3: jobs" '# a comment' '' 'jobs: many'
	refused 3 "config.yaml: line 2: jobs: a single value belongs here" 'insecure: false' 'jobs: [1, 2]'
	refused 3 "config.yaml: line 2: jobs: stands here twice" 'jobs: 1' 'jobs: 2'
	refused 3 "not YAML: line 2" 'jobs: 1' $'\tinsecure: true'
	refused 3 "belongs here" '- a' '- b'
	refused 3 "config" 'check-config: true'
	refused 2 "tls-key" 'tls-cert: x'
	refused 13 "default-provider nothing: there is no such provider" 'default-provider: nothing'
	run ! fl-serve run --config nothing.yaml --check-config
	[[ $output == *nothing.yaml* ]]
}

@test "option before variable before file before default" {
	mkdir -p "$HOME/.config/flintlockd"
	printf 'jobs: nonsense\n' >"$HOME/.config/flintlockd/config.yaml"
	run -3 fl-serve run --check-config
	[[ $output == *".config/flintlockd/config.yaml: line 1: jobs"* ]]
	FLINTLOCKD_JOBS=2 run -0 fl-serve run --check-config
	FLINTLOCKD_JOBS=bad run -3 fl-serve run --check-config
	[[ $output == *FLINTLOCKD_JOBS* ]]
	FLINTLOCKD_JOBS=bad run -0 fl-serve run --check-config --jobs 4
	FLINTLOCKD_ENABLE_HTTP=perhaps run -3 fl-serve run --check-config --jobs 4
	printf 'insecure: true\ntls-cert: x\ntls-key: y\n' >"$HOME/.config/flintlockd/config.yaml"
	run -2 fl-serve run --check-config
	run ! fl-serve run --check-config --insecure=false
	[[ $output == *"x"* && $output != *exclude* ]]
}

@test "no file takes the place of a standard one that is closed" {
	serve_start
	serve_stop
	fl-serve run --grpc-endpoint "$SERVE" <&- >&- 2>&- 3>&- &
	SERVE_PID=$!
	serve_wait
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$SERVE_PID/fd/$fd")" = /dev/null ]
	done
	serve_stop
	run ! bash -c 'fl-serve --version >&-'
	[[ $output == *"Bad file descriptor"* ]]
}

@test "what is empty is not set, as with flintlockd; no empty token lets anybody in" {
	local key
	for key in grpc-endpoint http-endpoint debug-endpoint basic-auth-token token-file tls-cert tls-key tls-client-ca \
		bridge-name parent-iface default-provider log-format log-output accel qemu backend pool; do
		echo "$key: \"\""
	done >config.yaml
	run -0 fl-serve run --config config.yaml --check-config
	[[ $output == *"--basic-auth-token is empty: no token is asked for"* ]]
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout key.pem -out cert.pem 2>/dev/null
	run -2 fl-serve run --check-config --grpc-endpoint 0.0.0.0:9090 --tls-cert cert.pem --tls-key key.pem --basic-auth-token ""
	[[ $output == *"can be reached from other machines"* ]]
	serve_start --config config.yaml --http-endpoint "unix:http" --enable-http
	run -0 curl -sS --unix-socket http http://x/v1alpha1/microvm
	[ "$output" = '{"microvm":[]}' ]
	run -0 curl -sS --unix-socket http http://x/v1alpha1/microvm -d '{"id": "m", "kernel": {"image": "a.b/c:1", "filename": "x"},
		"rootVolume": {"id": "r", "source": {"containerSource": "a.b/c:1"}}, "interfaces": [{"deviceId": "eth1"}]}'
	[[ $output == *"macvtap network interfaces not supported by this host"* ]]
	serve_stop
	run -0 fl-serve run --check-config --http-endpoint localhost:8090
	[[ $output == *"--http-endpoint does nothing without --enable-http"* ]]
}

@test "flintlockd's command line works, with one warning" {
	serve_start --containerd-socket /run/containerd/containerd.sock --containerd-ns=flintlock \
		--parent-iface eth0 --firecracker-bin firecracker --firecracker-detach=true --resync-period 10m \
		--default-provider firecracker
	serve_stop
	[ "$(grep -c "not used here" serve.log)" = 1 ]
	grep -q -- "--containerd-socket, --containerd-ns.*--firecracker-detach" serve.log
}

@test "the log: text, JSON, a file that may be moved away" {
	serve_start --log-format json --log-output "$BATS_TEST_TMPDIR/log"
	jq -es '.[0].level == "info" and (.[0].msg | contains("listening")) and (.[0].time | endswith("Z"))' log
	mv log log.1
	kill -HUP "$SERVE_PID"
	for try in $(seq 50); do
		[ -s log ] && break
		sleep 0.1
	done
	jq -es 'any(.msg | contains("read again"))' log
	serve_stop
	serve_start --log-output "$BATS_TEST_TMPDIR/text"
	grep -E '^20[0-9-]+T[0-9:.]+Z fl-serve: .*: listening' text
	run -2 fl-serve run --log-format xml
	run ! fl-serve run --log-output /nowhere/log
	[[ $output == */nowhere/log* ]]
}

@test "two on one state folder" {
	serve_start
	run -9 fl-serve run --grpc-endpoint "unix:$PWD/other"
	[[ $output == *"another fl-serve serves this state folder"* ]]
}

@test "tokens' verbs and files of TLS, in words" {
	printf 'token0123456789 ns0 rea,write\n' >tokens
	chmod 600 tokens
	refused 3 'verbs are "read", "write" or both' 'token-file: tokens'
	printf 'token0123456789 ns0 read,\n' >tokens
	refused 3 'verbs are "read", "write" or both' 'token-file: tokens'
	printf 'sesame\n' >tokens
	run fl-serve run --check-config --token-file tokens
	[ "$status" = 0 ]
	[[ "$output" == *"a token of 6 characters can be guessed"* && "$output" != *sesame* ]]
	touch key
	refused 4 "nothing.pem: cannot be read: No such file or directory" 'tls-cert: nothing.pem' 'tls-key: key'
}

@test "a service manager: its sockets, readiness, watchdog, stop" {
	/usr/bin/python3 "$FL_TOP/t/fl-serve/manager.py" "$BATS_TEST_TMPDIR"
}
