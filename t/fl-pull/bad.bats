#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# What is refused, and how it is told: rights, certificates, configs, a store that others own.

load ../lib
load registries

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	bad_start
	registry_start "$BATS_FILE_TMPDIR/tls" tls
	export REGISTRY_PID
	skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:root" "docker://$REGISTRY/t/root:1"
}

teardown_file() {
	registry_stop
	kill "$BAD_PID"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
	if [ -n "${OPEN:-}" ]; then rm -rf "$OPEN"; fi
}

# with_config FILTER: a layout whose config went through jq.
with_config() {
	local old new manifest
	rm -rf altered
	cp -r "$IMAGES/layout" altered
	manifest=$(jq -r '.manifests[] | select(.annotations[] == "root").digest' altered/index.json)
	old=$(jq -r .config.digest "altered/blobs/sha256/${manifest#*:}")
	jq -c "$1" "altered/blobs/sha256/${old#*:}" >new
	new=$(sha256sum <new | cut -d' ' -f1)
	jq --arg d "sha256:$new" --argjson s "$(stat -c %s new)" '.config.digest = $d | .config.size = $s' \
		"altered/blobs/sha256/${manifest#*:}" >manifest
	mv new "altered/blobs/sha256/$new"
	new=$(sha256sum <manifest | cut -d' ' -f1)
	jq --arg d "sha256:$new" --argjson s "$(stat -c %s manifest)" \
		'.manifests = [.manifests[0] | .digest = $d | .size = $s | .annotations |= map_values("x")]' \
		altered/index.json >index
	mv manifest "altered/blobs/sha256/$new"
	mv index altered/index.json
	echo oci:altered:x
}

@test "403: the registry's word, and no asking for a login" {
	fails_with 6 "not yours" fl-pull get "$BAD/forbidden:root"
	nothing_published
}

@test "certificates: unknown, for another name" {
	echo "hosts: {\"$REGISTRY\": {plain-http: false}}" >registries
	fails_with 10 "certificate" fl-pull get --registries registries "$REGISTRY/t/root:1"
	fails_with 10 "400 (Client sent an HTTP request to an HTTPS server.)" fl-pull get "$REGISTRY/t/root:1"
	mkdir other
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=elsewhere.test \
		-addext "subjectAltName=DNS:elsewhere.test" -keyout other/tls.key -out other/tls.crt 2>/dev/null
	good=$REGISTRY pid=$REGISTRY_PID
	registry_start "$PWD/other" tls
	run fl-pull get --ca-file other/tls.crt "$REGISTRY/t/root:1"
	registry_stop
	REGISTRY=$good REGISTRY_PID=$pid
	echo "$output"
	[ "$status" = 10 ]
	[[ "$output" == *"no alternative certificate subject name matches"* ]]
	fails_with 4 "--ca-file: nosuch.crt" fl-pull get --ca-file nosuch.crt "$REGISTRY/t/root:1"
	fl-pull get --ca-file <(cat "$BATS_FILE_TMPDIR/tls/tls.crt") "$REGISTRY/t/root:1"
	fl-pull rm "$REGISTRY/t/root:1"
	echo hello >hello.crt
	fails_with 3 "hello.crt: has no certificate" fl-pull get --ca-file hello.crt "$REGISTRY/t/root:1"
	nothing_published
	fl-pull get --ca-file "$BATS_FILE_TMPDIR/tls/tls.crt" "$REGISTRY/t/root:1"
}

@test "configs without rootfs, with diff_ids of another number or kind, that are no object" {
	fails_with 12 "names 0 layers and the manifest 2" fl-pull get "$(with_config 'del(.rootfs)')"
	fails_with 12 "names 3 layers and the manifest 2" fl-pull get "$(with_config '.rootfs.diff_ids += [.rootfs.diff_ids[0]]')"
	fails_with 12 "diff_id 1 is not a digest" fl-pull get "$(with_config '.rootfs.diff_ids[1] = "sha256:zz"')"
	fails_with 12 "diff_id 0 is not a digest" fl-pull get "$(with_config '.rootfs.diff_ids[0] = 7')"
	fails_with 12 "names 0 layers" fl-pull get "$(with_config '[]')"
	nothing_published
	# A right diff_id of another layer is only seen when it is unpacked.
	ref=$(with_config '.rootfs.diff_ids[0] = .rootfs.diff_ids[1]')
	fl-pull get "$ref"
	fails_with 12 "has the digest" fl-snap export "$ref" img
	[ ! -e img ]
}

@test "index.json damaged: of a source, and of the store" {
	fl-pull get -q "oci:$IMAGES/layout:root"
	settled "$FL_STATE_DIR"
	cp -r "$IMAGES/layout" source
	for content in '' '{' '[]' '7' '{"manifests": {"a": 1}}' '{"manifests": [1, null, {"digest": 5}]}' "$(printf '\001\377')"; do
		printf %s "$content" >source/index.json
		run fl-pull get "oci:source:root"
		echo "source $content: $output"
		[ "$status" = 3 ] || [ "$status" = 4 ] || [ "$status" = 12 ]
		printf %s "$content" >"$FL_STATE_DIR/images/index.json"
		for command in "ls" "get --pull never oci:$IMAGES/layout:root" "gc"; do
			# shellcheck disable=SC2086 # words
			run fl-pull $command
			echo "store $content, $command: $status $output"
			[ "$status" -lt 20 ]
			[[ "$output" != *"AddressSanitizer"* ]]
		done
	done
}

@test "an index.json that a loss of power emptied: the one before counts" {
	export FL_BOOT_ID=before
	fl-pull get -q "oci:$IMAGES/layout:root"
	settled "$FL_STATE_DIR"
	[ ! -e "$FL_STATE_DIR/images/.pending/index.json" ]
	# The next is not settled: as if power went at once.
	fl-pull get -q "oci:$IMAGES/layout:kernel"
	settled "$FL_STATE_DIR"
	mkdir -p "$FL_STATE_DIR/images/.pending"
	printf before >"$FL_STATE_DIR/images/.pending/index.json"
	: >"$FL_STATE_DIR/images/index.json"
	export FL_BOOT_ID=after
	[ "$(fl-pull ls --json | jq -r .ref)" = "oci:$IMAGES/layout:root" ]
	fl-pull get -q "oci:$IMAGES/layout:kernel"
	[ "$(fl-pull ls --json | wc -l)" = 2 ]
	# A new store, whose first is lost: nothing was named yet.
	own_state "$BATS_TEST_TMPDIR/new"
	fl-pull get -q "oci:$IMAGES/layout:root"
	settled "$FL_STATE_DIR"
	: >"$FL_STATE_DIR/images/index.json"
	: >"$FL_STATE_DIR/images/.index.before"
	: >"$FL_STATE_DIR/images/oci-layout"
	fl-pull get -q "oci:$IMAGES/layout:root"
	[ "$(skopeo inspect "oci:$FL_STATE_DIR/images:oci:$IMAGES/layout:root" | jq -r .Digest)" = "$(fl-pull ls --json | jq -r .digest)" ] ||
		jq -e .imageLayoutVersion "$FL_STATE_DIR/images/oci-layout"
}

@test "a store on a read-only file system" {
	unshare -m true 2>/dev/null || skip "no right to mount"
	fl-pull get -q "oci:$IMAGES/layout:root"
	settled "$FL_STATE_DIR"
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare -m bash -euc '
		mount --bind "$FL_STATE_DIR" "$FL_STATE_DIR"
		mount -o remount,bind,ro "$FL_STATE_DIR"
		fl-pull ls --json | grep -q root
		fl-pull inspect "oci:$IMAGES/layout:root" >/dev/null
		for command in "fl-pull get --pull always oci:$IMAGES/layout:root" "fl-pull gc" "fl-pull rm oci:$IMAGES/layout:root" \
			"fl-snap export oci:$IMAGES/layout:root img" "fl-pull export oci:$IMAGES/layout:root oci:out"; do
			status=0
			$command 2>error || status=$?
			cat error
			[ "$status" = 6 ]
			grep -q "Read-only file system" error
			! grep -q "being pulled" error
		done'
	[ ! -e img ]
	[ ! -e out/index.json ] || [ "$(jq '.manifests | length' out/index.json)" = 0 ]
}

@test "two users: the store of one is not the other's, who has one of their own" {
	[ "$(id -u)" = 0 ] || skip "not root: there is no other user to be"
	OPEN=$(mktemp -d)
	chmod 777 "$OPEN"
	cp -r "$IMAGES/layout" "$OPEN/layout"
	chmod -R a+rX "$OPEN"
	export FL_STATE_DIR=$OPEN/state FL_RUN_DIR=$OPEN/run
	as_nobody() {
		setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$OPEN" "$@"
	}
	as_nobody "$FL_BUILD/bin/fl-pull" --version >/dev/null 2>&1 || skip "the programs are in a folder of root's"
	cd "$OPEN"
	fl-pull get -q oci:layout:root
	settled "$FL_STATE_DIR"
	before=$(find "$FL_STATE_DIR" -printf '%p %s %T@\n' | sort | sha256sum)
	for command in "get --pull always oci:layout:root" "rm oci:layout:root" gc; do
		# shellcheck disable=SC2086 # words
		fails_with 6 "Permission denied" as_nobody "$FL_BUILD/bin/fl-pull" $command
	done
	fails_with 6 "Permission denied" as_nobody "$FL_BUILD/bin/fl-snap" create oci:layout:root disk
	[ "$(find "$FL_STATE_DIR" -printf '%p %s %T@\n' | sort | sha256sum)" = "$before" ]
	mkdir -m 700 roots
	for command in "fl-pull get oci:layout:root" "fl-snap ls" "fl up oci:layout:root"; do
		# shellcheck disable=SC2086 # words
		fails_with 6 "name a folder of yours with --state-dir" as_nobody env FL_STATE_DIR=roots/state "$FL_BUILD"/bin/$command
	done
	as_nobody "$FL_BUILD/bin/fl-pull" get --state-dir own oci:layout:root
	as_nobody "$FL_BUILD/bin/fl-snap" create --state-dir own --size 16M oci:layout:root disk
	e2fsck -fn disk
	[ "$(stat -c %U disk)" = nobody ]
}
