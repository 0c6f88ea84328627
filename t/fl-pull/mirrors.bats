#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The registries file: mirrors, certificates, and who is spoken to without.

load ../lib
load registries

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	bad_start
	registry_start "$BATS_FILE_TMPDIR/plain"
	export PLAIN=$REGISTRY PLAIN_PID=$REGISTRY_PID
	registry_start "$BATS_FILE_TMPDIR/mtls" mtls
	export MTLS=$REGISTRY MTLS_PID=$REGISTRY_PID
	registry_start "$BATS_FILE_TMPDIR/tls" tls
	export REGISTRY_PID
	skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:root" "docker://$PLAIN/team/t/root:1"
	skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:root" "docker://$REGISTRY/t/root:1"
	mkdir "$BATS_FILE_TMPDIR/client"
	cp "$BATS_FILE_TMPDIR/mtls/client.crt" "$BATS_FILE_TMPDIR/client/client.cert"
	cp "$BATS_FILE_TMPDIR/mtls/client.key" "$BATS_FILE_TMPDIR/client/client.key"
	skopeo copy -q --dest-tls-verify=false --dest-cert-dir "$BATS_FILE_TMPDIR/client" \
		"oci:$IMAGES/layout:root" "docker://$MTLS/t/root:1"
}

teardown_file() {
	registry_stop
	kill "$BAD_PID" "$PLAIN_PID" "$MTLS_PID"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	unset FL_REGISTRIES
}

# Says it in the user's own file.
registries() {
	mkdir -p "$HOME/.config/flintlock"
	cat >"$HOME/.config/flintlock/registries.yaml"
}

@test "a mirror with a path goes first: the host is not asked" {
	registries <<<"hosts: {\"127.0.0.1:1\": {mirrors: [\"$PLAIN/team\"]}}"
	run fl-pull get -v 127.0.0.1:1/t/root:1
	[ "$status" = 0 ]
	[[ "$output" == *"from the mirror $PLAIN/team"* ]]
	[ "$(fl-pull ls --json | jq -r .ref)" = 127.0.0.1:1/t/root:1 ]
}

@test "mirrors are asked in their order; what is wrong with each is said with -v" {
	registries <<-FILE
		hosts:
		  "$PLAIN":
		    mirrors: ["127.0.0.1:1", "$BAD/login", "$BAD/layerlies", "$BAD/missing"]
	FILE
	run fl-pull get -v "$PLAIN/team/t/root:1"
	[ "$status" = 0 ]
	grep -o "not from the mirror [^:]*:[0-9]*[a-z/]*" <<<"$output" | cut -d: -f2- >"$BATS_TEST_TMPDIR/order"
	[ "$(cut -d/ -f2 "$BATS_TEST_TMPDIR/order" | xargs)" = "1 login layerlies missing" ]
	own_state "$BATS_TEST_TMPDIR/quiet"
	run fl-pull get "$PLAIN/team/t/root:1"
	[[ "$output" == sha256:* && "${#lines[@]}" = 1 ]]
}

@test "when nobody has it, the host's own answer is the error" {
	registries <<<"hosts: {\"*\": {mirrors: [\"127.0.0.1:1\"]}}"
	fails_with 4 "$PLAIN/v2/nosuch" fl-pull get "$PLAIN/nosuch:1"
	nothing_published
}

@test "what the image is does not change with whom is asked" {
	registries <<<"hosts: {\"$PLAIN\": {mirrors: [\"$BAD/foreign\"]}}"
	fails_with 13 squashfs fl-pull get "$PLAIN/team/t/root:1"
}

@test "certificates: a CA, from the file's folder; any; a client's" {
	fails_with 10 "\"plain-http: false\" for the host" fl-pull get "$REGISTRY/t/root:1"
	mkdir "$BATS_TEST_TMPDIR/c"
	cp "$BATS_FILE_TMPDIR"/mtls/*.{crt,key} "$BATS_TEST_TMPDIR/c"
	cp "$BATS_FILE_TMPDIR/tls/tls.crt" "$BATS_TEST_TMPDIR/c/ca.crt"
	cat >"$BATS_TEST_TMPDIR/c/r.yaml" <<-FILE
		hosts:
		  "$REGISTRY": {ca-file: ca.crt}
		  "$MTLS": {skip-verify: true, plain-http: false, cert-file: client.crt, key-file: client.key}
	FILE
	fl-pull get --registries "$BATS_TEST_TMPDIR/c/r.yaml" "$REGISTRY/t/root:1"
	FL_REGISTRIES=$BATS_TEST_TMPDIR/c/r.yaml fl-pull get "$MTLS/t/root:1"
	fails_with 10 "$MTLS" fl-pull get --pull always --ca-file "$BATS_FILE_TMPDIR/mtls/tls.crt" "$MTLS/t/root:1"
	registries <<<"hosts: {\"*\": {plain-http: false}}"
	fails_with 10 "https://$REGISTRY" fl-pull get --pull always "$REGISTRY/t/root:1"
	[[ "$output" == *"\"ca-file\" for the host in the registries file"* ]]
	fails_with 10 "it speaks no TLS: --plain-http" fl-pull get --pull always "$PLAIN/team/t/root:1"
	registries <<<"hosts: {\"*\": {plain-http: false, skip-verify: true}}"
	fl-pull get --pull always "$REGISTRY/t/root:1"
}

@test "a mirror gets its own login, not the host's" {
	registries <<<"hosts: {\"127.0.0.1:1\": {mirrors: [\"$BAD/basic\"]}}"
	logins_file "$HOME/.docker/config.json" 127.0.0.1:1
	fails_with 10 "127.0.0.1:1" fl-pull get 127.0.0.1:1/t/root:root
	logins_file "$HOME/.docker/config.json" "$BAD"
	fl-pull get 127.0.0.1:1/t/root:root
}

@test "a helper's time is bounded by the file" {
	mkdir -p "$BATS_TEST_TMPDIR/bin" "$HOME/.docker"
	printf '#!/bin/sh\nexec sleep 96.31\n' >"$BATS_TEST_TMPDIR/bin/docker-credential-hangs"
	chmod +x "$BATS_TEST_TMPDIR/bin/docker-credential-hangs"
	echo '{"credsStore":"hangs"}' >"$HOME/.docker/config.json"
	registries <<<"helper-timeout: 500ms"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run fl-pull get "$BAD/basic:root"
	[[ "$output" == *docker-credential-hangs* ]]
	[ "$status" != 0 ]
	[ -z "$(pgrep -f "^sleep 96.31$")" ]
}

@test "a file that is wrong is refused with its key or line" {
	while read -r words document; do
		registries <<<"$document"
		fails_with 3 "registries.yaml" fl-pull get "$PLAIN/team/t/root:1"
		[[ "$output" == *"${words//_/ }"* ]]
	done <<-'FILES'
		line_ [
		mirrors: mirrors: []
		hosts.a.example.nonsense: hosts: {a.example: {nonsense: 1}}
		hosts.a.example.plain-http: hosts: {a.example: {plain-http: "true"}}
		hosts.a.example.mirrors: hosts: {a.example: {mirrors: [https://x]}}
		go_together hosts: {a.example: {cert-file: x}}
		hosts.a/b: hosts: {a/b: {}}
		not_a_mapping hosts: 1
		helper-timeout helper-timeout: 2h
		twice hosts: {a.example: {}, a.example: {}}
	FILES
	fails_with 4 "nosuch.yaml" fl-pull get --registries "$HOME/nosuch.yaml" "$PLAIN/team/t/root:1"
	registries <<<"# nothing"
	fl-pull get "$PLAIN/team/t/root:1"
}

@test "up and the whole chain know the file" {
	registries <<<"hosts: {\"127.0.0.1:1\": {mirrors: [\"$PLAIN/team\"]}}"
	mv "$HOME/.config/flintlock/registries.yaml" "$HOME/r.yaml"
	fl spec --name m --kernel 127.0.0.1:1/t/root:1 --root 127.0.0.1:1/t/root:1 --memory 64 >"$HOME/spec"
	fl-pull up --registries "$HOME/r.yaml" "$HOME/spec" | jq -e '.host.images | length == 1'
	fails_with 4 "nosuch.yaml" fl up --registries "$HOME/nosuch.yaml" "$HOME/spec"
}
