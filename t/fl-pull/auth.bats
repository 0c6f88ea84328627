#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Logins: from docker's and podman's files and from credential helpers, to registries with
# basic and token authentication; and where they must not go.

load ../lib
load registries

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images CA=$BATS_FILE_TMPDIR/basic/tls.crt
	export TOKENS=$BATS_FILE_TMPDIR/tokens
	small_images "$IMAGES"
	bad_start
	mkdir -p "$TOKENS"
	python3 "$FL_TOP/t/fl-pull/token_server.py" "$TOKENS" "$TOKENS/port" "$TOKENS/log" 3>&- &
	export TOKEN_SERVER_PID=$!
	wait_for_file "$TOKENS/port"
	TOKEN_PORT=$(cat "$TOKENS/port") registry_start "$TOKENS" token
	export TOKEN=$REGISTRY TOKEN_PID=$REGISTRY_PID
	registry_start "$BATS_FILE_TMPDIR/basic" tls basic
	export REGISTRY_PID
	# skopeo has the login in its arguments: only a test may do that.
	skopeo copy -q --dest-creds "user:open sesame" --dest-tls-verify=false \
		"oci:$IMAGES/layout:root" "docker://$REGISTRY/t/root:1"
	for name in open closed; do
		skopeo copy -q --dest-creds "user:open sesame" --dest-tls-verify=false \
			"oci:$IMAGES/layout:root" "docker://$TOKEN/$name/root:1"
	done
}

teardown_file() {
	registry_stop
	kill "$BAD_PID" "$TOKEN_PID" "$TOKEN_SERVER_PID"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	: >"$TOKENS/log"
}

teardown() {
	# The password and its base 64 form stay out of whatever is printed.
	[[ "${output:-}" != *"open sesame"* && "${output:-}" != *"$(printf 'user:open sesame' | base64)"* ]]
}

get() {
	fl-pull get --pull always --ca-file "$CA" "$@"
}

# helper NAME SCRIPT: a credential helper in PATH.
helper() {
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/bash\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/docker-credential-$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/docker-credential-$1"
	export PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

docker_config() {
	mkdir -p "$HOME/.docker"
	printf '%s' "$1" >"$HOME/.docker/config.json"
}

# A helper that keeps logins in a folder.
keeping_helper() {
	mkdir -p "$BATS_TEST_TMPDIR/kept"
	helper "$1" 'cd '"$BATS_TEST_TMPDIR/kept"'
		case $1 in
		get) read -r host; cat "${host//\//_}" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
		store) cat >new; mv new "$(jq -r .ServerURL new | tr / _)" ;;
		erase) read -r host; rm -f "${host//\//_}" ;;
		esac'
}

@test "basic: without a login the registry's wish is told, and how to log in" {
	fails_with 7 "fl-pull login $REGISTRY" get "$REGISTRY/t/root:1"
	nothing_published
}

@test "basic: docker's file, its folder by DOCKER_CONFIG, podman's files, --auth-file" {
	logins_file "$HOME/.docker/config.json" "$REGISTRY"
	get "$REGISTRY/t/root:1"
	mv "$HOME/.docker" "$HOME/elsewhere"
	fails_with 7 "wants a login" get "$REGISTRY/t/root:1"
	DOCKER_CONFIG=$HOME/elsewhere get "$REGISTRY/t/root:1"
	REGISTRY_AUTH_FILE=$HOME/elsewhere/config.json get "$REGISTRY/t/root:1"
	get --auth-file "$HOME/elsewhere/config.json" "$REGISTRY/t/root:1"
	mkdir -p "$HOME/run/containers" "$HOME/.config/containers"
	cp "$HOME/elsewhere/config.json" "$HOME/run/containers/auth.json"
	XDG_RUNTIME_DIR=$HOME/run get "$REGISTRY/t/root:1"
	fails_with 7 "wants a login" get "$REGISTRY/t/root:1"
	mv "$HOME/run/containers/auth.json" "$HOME/.config/containers/auth.json"
	get "$REGISTRY/t/root:1"
}

@test "basic: a host's key in other spellings; a repository's own login goes first" {
	logins_file "$HOME/.docker/config.json" "https://$REGISTRY/v1/"
	get "$REGISTRY/t/root:1"
	jq --arg host "$REGISTRY/t" '.auths[$host] = {auth: "dXNlcjp3cm9uZw=="}' "$HOME/.docker/config.json" >"$HOME/new"
	mv "$HOME/new" "$HOME/.docker/config.json"
	fails_with 7 "the login for $REGISTRY was not taken" get "$REGISTRY/t/root:1"
	jq --arg host "$REGISTRY/t/root" '.auths[$host] = {username: "user", password: "open sesame"}' \
		"$HOME/.docker/config.json" >"$HOME/new"
	mv "$HOME/new" "$HOME/.docker/config.json"
	get "$REGISTRY/t/root:1"
}

@test "basic: a wrong password is told, and not printed" {
	logins_file "$HOME/.docker/config.json" "$REGISTRY" "user:very-wrong"
	fails_with 7 "was not taken" get -v "$REGISTRY/t/root:1"
	[[ "$output" != *very-wrong* && "$output" != *"$(printf 'user:very-wrong' | base64)"* ]]
}

@test "basic: up takes logins too" {
	logins_file "$HOME/.docker/config.json" "$REGISTRY"
	fl spec --name m --kernel "$REGISTRY/t/root:1" --root "$REGISTRY/t/root:1" --memory 64 |
		fl-pull up --ca-file "$CA" | jq -e '.host.images | length == 1'
}

@test "files that are no good are told by name, without what they hold" {
	docker_config '{"auths":{"x":{"auth":"c2VjcmV0"'
	fails_with 3 "config.json" get "$REGISTRY/t/root:1"
	[[ "$output" != *c2VjcmV0* ]]
	docker_config "{\"auths\":{\"$REGISTRY\":{\"auth\":\"no-base-64\"}}}"
	fails_with 3 "log in again" get "$REGISTRY/t/root:1"
	docker_config "{\"auths\":{\"$REGISTRY\":{\"auth\":\"bm9jb2xvbg==\"}}}"
	fails_with 3 "log in again" get "$REGISTRY/t/root:1"
	docker_config '[]'
	fails_with 3 "not a JSON object" get "$REGISTRY/t/root:1"
	docker_config "{\"auths\":{\"$REGISTRY\":7},\"credHelpers\":[]}"
	fails_with 7 "wants a login" get "$REGISTRY/t/root:1"
}

@test "credential helpers: of a host, of all" {
	helper one 'read -r host; [ "$1 $host" = "get '"$REGISTRY"'" ] && echo "{\"Username\":\"user\",\"Secret\":\"open sesame\"}"'
	docker_config "{\"credHelpers\":{\"$REGISTRY\":\"one\"}}"
	get "$REGISTRY/t/root:1"
	docker_config "{\"credsStore\":\"one\",\"auths\":{\"$REGISTRY\":{}}}"
	get "$REGISTRY/t/root:1"
}

@test "credential helpers: none there, failing, talking nonsense, without a login, with a path" {
	docker_config "{\"credHelpers\":{\"$REGISTRY\":\"bad\"}}"
	fails_with 4 "docker-credential-bad" get "$REGISTRY/t/root:1"
	helper bad 'echo "the key ring is shut"; exit 3'
	fails_with 7 "status 3: the key ring is shut" get "$REGISTRY/t/root:1"
	helper bad 'echo "{\"Secret\":\"open sesame\"}"; exit 1'
	fails_with 7 "status 1" get "$REGISTRY/t/root:1"
	helper bad 'echo "{\"Secret\":\"open sesame\"}"'
	fails_with 3 "docker-credential-bad" get "$REGISTRY/t/root:1"
	helper bad 'head -c 100000 /dev/zero'
	fails_with 3 "larger than" get "$REGISTRY/t/root:1"
	helper bad 'echo "credentials not found in native keychain"; exit 1'
	fails_with 7 "fl-pull login" get "$REGISTRY/t/root:1"
	docker_config "{\"credHelpers\":{\"$REGISTRY\":\"../bad\"}}"
	fails_with 3 "not a credential helper's name" get "$REGISTRY/t/root:1"
}

@test "credential helpers: a signal ends the wait for one that hangs" {
	export ASAN_OPTIONS=detect_leaks=0
	helper hangs 'exec sleep 97.53'
	docker_config "{\"credsStore\":\"hangs\"}"
	run timeout -s TERM --preserve-status 1 fl-pull get --ca-file "$CA" "$REGISTRY/t/root:1"
	[ "$status" = 143 ]
	[ -z "$(pgrep -f "^sleep 97.53$")" ]
}

@test "login: asked for, checked, written for its owner alone, other entries kept" {
	docker_config '{"auths":{"other.example":{"auth":"eDp5"}},"HttpHeaders":{"a":"b"}}'
	chmod 644 "$HOME/.docker/config.json"
	run fl-pull login "$REGISTRY" -u user --password-stdin --ca-file "$CA" <<<"open sesame"
	[ "$status" = 0 ]
	[ "$(stat -c %a "$HOME/.docker/config.json")" = 600 ]
	jq -e '.auths["other.example"].auth == "eDp5" and .HttpHeaders.a == "b"' "$HOME/.docker/config.json"
	get "$REGISTRY/t/root:1"
	skopeo inspect --tls-verify=false "docker://$REGISTRY/t/root:1" | jq -e .Digest
	fl-pull logout "$REGISTRY"
	jq -e '.auths | keys == ["other.example"]' "$HOME/.docker/config.json"
	fails_with 7 "wants a login" get "$REGISTRY/t/root:1"
	fl-pull logout "$REGISTRY"
	[ "$(find "$HOME/.docker" -type f | wc -l)" = 1 ]
}

@test "login: nothing is written when the registry does not take it" {
	fails_with 7 "was not taken" fl-pull login "$REGISTRY" -u user --password-stdin --ca-file "$CA" <<<"wrong"
	fails_with 10 "a page for people" fl-pull login --plain-http "portal.localhost:${BAD#*:}" -u user \
		--password-stdin <<<"open sesame"
	[ ! -e "$HOME/.docker" ]
	fails_with 2 "-u USER" fl-pull login "$REGISTRY" --password-stdin <<<"x"
	fails_with 2 "not a terminal" fl-pull login "$REGISTRY" -u user <<<"x"
	fails_with 2 "empty" fl-pull login "$REGISTRY" -u user --password-stdin </dev/null
	fails_with 2 "colon" fl-pull login "$REGISTRY" -u user:x --password-stdin <<<x
	for host in "" "nodot" "a b" "host.example/x y"; do
		fails_with 2 "not a registry's host" fl-pull login "$host" -u user --password-stdin <<<"x"
	done
	for host in quay.example/name https://quay.example/name/; do
		fails_with 2 "a whole host, here quay.example" fl-pull login "$host" -u user --password-stdin <<<"x"
	done
}

@test "login: where podman looks, and through a link" {
	export XDG_RUNTIME_DIR=$HOME/run
	fl-pull login "$REGISTRY" -u user --password-stdin --ca-file "$CA" <<<"open sesame"
	[ "$(stat -c %a "$HOME/run/containers/auth.json" "$HOME/run/containers" | xargs)" = "600 700" ]
	mv "$HOME/run/containers/auth.json" "$HOME/real.json"
	ln -s "$HOME/real.json" "$HOME/run/containers/auth.json"
	logins_file "$HOME/.docker/config.json" "$REGISTRY"
	run fl-pull logout "$REGISTRY"
	[[ "$output" == *".docker/config.json has a login"* ]]
	[ -L "$HOME/run/containers/auth.json" ]
	jq -e '.auths == {}' "$HOME/real.json"
}

@test "login: with a helper the secret is not in the file" {
	keeping_helper keeps
	docker_config '{"credsStore":"keeps"}'
	fl-pull login "$REGISTRY" -u user --password-stdin --ca-file "$CA" <<<"open sesame"
	jq -e --arg host "$REGISTRY" '.credsStore == "keeps" and .auths[$host] == {}' "$HOME/.docker/config.json"
	get "$REGISTRY/t/root:1"
	fl-pull logout "$REGISTRY"
	[ -z "$(ls "$BATS_TEST_TMPDIR/kept")" ]
	fails_with 7 "wants a login" get "$REGISTRY/t/root:1"
}

@test "login: ten at once lose none" {
	local pids=()
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		fl-pull login -q "$BAD" --auth-file "$HOME/x.json" -u user --password-stdin <<<"open sesame" &
		pids+=($!)
		fl-pull login -q "localhost:${BAD#*:}" --auth-file "$HOME/x.json" -u user --password-stdin <<<"x" &
		pids+=($!)
	done
	wait "${pids[@]}"
	jq -e '.auths | length == 2' "$HOME/x.json"
}

@test "token: for everybody, with a login, and refused without" {
	fl-pull get "$TOKEN/open/root:1"
	[ "$(cat "$TOKENS/log")" = "anonymous ['test'] ['repository:open/root:pull']" ]
	fails_with 7 "$TOKEN/closed/root:1" fl-pull get "$TOKEN/closed/root:1"
	logins_file "$HOME/.docker/config.json" "$TOKEN"
	fl-pull get "$TOKEN/closed/root:1"
	[ "$(tail -n 1 "$TOKENS/log")" = "basic ['test'] ['repository:closed/root:pull']" ]
	logins_file "$HOME/.docker/config.json" "$TOKEN" "user:wrong"
	fails_with 7 "the login for $TOKEN was not taken" fl-pull get --pull always "$TOKEN/closed/root:1"
	[[ "$output" == *"wrong login"* ]]
}

@test "token: login and logout" {
	fails_with 7 "was not taken" fl-pull login "$TOKEN" -u user --password-stdin <<<"wrong"
	fl-pull login "$TOKEN" -u user --password-stdin <<<"open sesame"
	fl-pull get "$TOKEN/closed/root:1"
}

@test "token: an identity token, from a file and from a helper" {
	docker_config "{\"auths\":{\"$TOKEN\":{\"auth\":\"dXNlcjo=\",\"identitytoken\":\"refresh me\"}}}"
	fl-pull get "$TOKEN/closed/root:1"
	[ "$(cat "$TOKENS/log")" = "refresh ['test'] ['repository:closed/root:pull']" ]
	helper keeps 'echo "{\"Username\":\"<token>\",\"Secret\":\"refresh me\"}"'
	docker_config '{"credsStore":"keeps"}'
	fl-pull get --pull always "$TOKEN/closed/root:1"
	docker_config "{\"auths\":{\"$TOKEN\":{\"identitytoken\":\"stale-one\"}}}"
	fails_with 7 "was not taken" fl-pull get -v --pull always "$TOKEN/closed/root:1"
	[[ "$output" != *stale-one* ]]
}

@test "token: one that ends before the layers are here is renewed; several challenges at once" {
	fl-pull get "$BAD/expires:root"
}

@test "token servers that are no good" {
	fails_with 10 "answers 500" fl-pull get "$BAD/brokenserver:root"
	fails_with 7 "gave no token" fl-pull get "$BAD/emptyserver:root"
	fails_with 7 "not the address of a token server" fl-pull get "$BAD/fileserver:root"
	fails_with 7 "Negotiate" fl-pull get "$BAD/negotiate:root"
	fails_with 7 "basic and bearer" fl-pull get "$BAD/nothing:root"
}

@test "another host that a redirection leads to gets no login" {
	logins_file "$HOME/.docker/config.json" "$BAD"
	fl-pull get "$BAD/elsewhere:root"
	own_state "$BATS_TEST_TMPDIR/empty"
	fails_with 10 "redirects" fl-pull get "$BAD/loop:root"
}

@test "loopback is told by address: a name that begins alike is asked with TLS" {
	for host in localhost.invalid 127.0.0.1.invalid; do
		fails_with 10 "https://$host" fl-pull get "$host/a:1"
	done
}
