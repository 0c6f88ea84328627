#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Images from a real registry, from layouts, and from a registry with faults.

load ../lib
load registries

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	registry_start "$BATS_FILE_TMPDIR/registry"
	export REGISTRY_PID
	for image in kernel root; do
		skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:$image" "docker://$REGISTRY/t/$image:1"
	done
	bad_start
}

teardown_file() {
	registry_stop
	kill "$BAD_PID"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
}

@test "get from a registry: one line of JSON, and the store is a layout" {
	run fl-pull get "$REGISTRY/t/root:1" --json
	[ "$status" = 0 ]
	[ "$(jq -r '.ref, .layers, .platform' <<<"$output" | xargs)" = "$REGISTRY/t/root:1 2 linux/amd64" ]
	digest=$(jq -r .digest <<<"$output")
	[ "$(skopeo inspect "oci:$FL_STATE_DIR/images:$REGISTRY/t/root:1" | jq -r .Digest)" = "$digest" ]
	run fl-pull get "$REGISTRY/t/root@$digest"
	[ "$output" = "$digest" ]
}

@test "get from a layout, and again without a source" {
	cp -r "$IMAGES/layout" "$BATS_TEST_TMPDIR/layout"
	first=$(fl-pull get "oci:$BATS_TEST_TMPDIR/layout:root")
	rm -r "$BATS_TEST_TMPDIR/layout"
	[ "$(fl-pull get "oci:$BATS_TEST_TMPDIR/layout:root")" = "$first" ]
	run fl-pull get --pull always "oci:$BATS_TEST_TMPDIR/layout:root"
	[ "$status" = 4 ]
}

@test "a blob that a foreign tool removed is pulled again" {
	fl-pull get "$REGISTRY/t/root:1" --json
	find "$FL_STATE_DIR/images/blobs/sha256" -maxdepth 1 -type f -delete
	fl-pull get "$REGISTRY/t/root:1"
	fl-snap export "$REGISTRY/t/root:1" "$BATS_TEST_TMPDIR/img"
}

@test "blobs of another boot that are not known to be on disk are pulled again" {
	FL_BOOT_ID=before fl-pull get "$REGISTRY/t/root:1"
	settled "$FL_STATE_DIR"
	# As if power went before the sync in the background was done.
	for blob in "$FL_STATE_DIR"/images/blobs/sha256/*; do
		echo -n before >"$FL_STATE_DIR/images/blobs/sha256/.pending/${blob##*/}"
		chmod u+w "$blob" && : >"$blob"
	done
	FL_BOOT_ID=after fl-pull get "$REGISTRY/t/root:1"
	FL_BOOT_ID=after fl-snap export "$REGISTRY/t/root:1" "$BATS_TEST_TMPDIR/img"
}

@test "two processes at once fetch each blob once" {
	fl-pull get "$REGISTRY/t/root:1" >"$BATS_TEST_TMPDIR/a" &
	fl-pull get "$REGISTRY/t/root:1" >"$BATS_TEST_TMPDIR/b"
	wait $!
	cmp "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
}

@test "a bearer token is fetched and used" {
	fl-pull get "$BAD/token:root"
}

@test "unknown host" {
	fails_with 10 "nosuchhost.invalid" fl-pull get nosuchhost.invalid/a:1
	nothing_published
}

@test "refused connection" {
	fails_with 10 "127.0.0.1:1" fl-pull get 127.0.0.1:1/a:1
}

@test "no such image" {
	fails_with 4 "$REGISTRY/t/nosuch:1" fl-pull get "$REGISTRY/t/nosuch:1"
}

@test "the registry answers 500" {
	fails_with 10 "answers 500" fl-pull get "$BAD/status500:root"
}

@test "the registry wants a login" {
	fails_with 7 "login" fl-pull get "$BAD/login:root"
}

@test "a manifest with another digest" {
	digest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "root").digest' "$IMAGES/layout/index.json")
	fails_with 12 "another digest" fl-pull get "$BAD/manifestlies@$digest"
	nothing_published
}

@test "a config with another digest" {
	fails_with 12 "another digest" fl-pull get "$BAD/configlies:root"
	nothing_published
}

@test "a layer with another digest" {
	fails_with 12 "another digest" fl-pull get "$BAD/layerlies:root"
	nothing_published
}

@test "a short layer" {
	fails_with 12 "were announced" fl-pull get "$BAD/short:root"
	nothing_published
}

@test "a layer cut in the middle" {
	fails_with 10 "$BAD" fl-pull get "$BAD/cut:root"
	nothing_published
}

@test "a long layer" {
	fails_with 12 "more than the expected" fl-pull get "$BAD/long:root"
	nothing_published
}

@test "a missing layer" {
	fails_with 4 "does not have it" fl-pull get "$BAD/missing:root"
	nothing_published
}

@test "a layer of a foreign type" {
	fails_with 13 "squashfs" fl-pull get "$BAD/foreign:root"
}

@test "a manifest that is not JSON" {
	fails_with 3 "not JSON" fl-pull get "$BAD/notjson:root"
	fails_with 10 "a portal or proxy" fl-pull get "$BAD/portal:root"
}

@test "a config digest of another kind" {
	fails_with 12 "config" fl-pull get "$BAD/badconfig:root"
}

@test "the platform is not there" {
	fails_with 13 "linux/s390x" fl-pull get "$BAD/index:root"
	fails_with 13 "choose with --platform" fl-pull get --platform linux/arm64 "$REGISTRY/t/root:1"
}

@test "bad references" {
	for ref in "" "UPPER/x" "a b" "host/name@sha256:12" "host/../x" "oci:" "x:" \
		./x.tar dir:/tmp/x docker://host.test/x:1 https://host.test/x; do
		run fl-pull get "$ref"
		[ "$status" = 3 ]
		[[ "$output" == *"reference"* ]]
	done
}

@test "no space: a clear error, nothing half-written, works again with room" {
	unshare -m true 2>/dev/null || skip "no right to mount a small file system"
	mkdir -p "$BATS_TEST_TMPDIR/big"
	head -c 600000 /dev/urandom >"$BATS_TEST_TMPDIR/big/random"
	fl-pack image -q -t big -o "$BATS_TEST_TMPDIR/layout" "$BATS_TEST_TMPDIR/big" >/dev/null
	unshare -m bash -euc '
		mkdir -p "$FL_STATE_DIR"
		mount -t tmpfs -o size=400k tmpfs "$FL_STATE_DIR"
		status=0
		fl-pull get "oci:$0/layout:big" || status=$?
		[ "$status" = 11 ]
		[ -z "$(find "$FL_STATE_DIR" -name ".new-*")" ]
		[ -z "$(fl-pull ls --json)" ]
		mount -o remount,size=8m "$FL_STATE_DIR"
		fl-pull get "oci:$0/layout:big"' "$BATS_TEST_TMPDIR"
}

@test "SIGTERM and SIGINT stop a download at once" {
	# The leak check at a program's exit does not bear another signal.
	export ASAN_OPTIONS=detect_leaks=0
	for signal in TERM INT; do
		timeout -s "$signal" --preserve-status 1 fl-pull get "$BAD/slow:root" || status=$?
		[ "$status" = $((128 + $(kill -l "$signal"))) ]
		nothing_published
	done
}

@test "a closed pipe is the end, quietly" {
	fl-pull get -q "$REGISTRY/t/root:1"
	run bash -c 'set -o pipefail; fl-pull ls --json | true; fl-pull ls 2>&1 >/dev/full'
	[ "$status" != 0 ]
}

@test "a folder that has another image under the tag by now, another folder of that name, one that is gone" {
	local old new
	mkdir "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b" "$BATS_TEST_TMPDIR/c"
	small_images "$BATS_TEST_TMPDIR/a"
	cp -r "$BATS_TEST_TMPDIR/a/." "$BATS_TEST_TMPDIR/b"
	cd "$BATS_TEST_TMPDIR/a"
	old=$(fl-pull get oci:layout:root)
	echo more >a/etc/more
	fl-pack image -q --owner 0:0 --tag root -o layout a >/dev/null
	[ "$(fl-pull get --pull never oci:layout:root)" = "$old" ]
	new=$(fl-pull get oci:layout:root)
	[ "$new" != "$old" ]
	[ "$(fl-pull get oci:layout:root)" = "$new" ]
	cd ../b
	[ "$(fl-pull get oci:layout:root)" = "$old" ]
	mv layout ../c
	[ "$(fl-pull get oci:layout:root)" = "$old" ]
	# From anywhere it is the folder that was meant.
	cd ../c
	[ "$(fl-pull get oci:../a/layout:root)" = "$new" ]
	[ "$(fl-pull get "oci:$BATS_TEST_TMPDIR/a/layout:root")" = "$new" ]
	[ "$(fl-pull get --pull never "oci:$BATS_TEST_TMPDIR/b/layout:root")" = "$old" ]
	fails_with 4 "oci:$BATS_TEST_TMPDIR/c/nosuch:root" fl-pull get oci:./nosuch:root
}

@test "in a folder whose name has a colon, and a name that was kept by a relative path" {
	mkdir "$BATS_TEST_TMPDIR/c:d"
	cd "$BATS_TEST_TMPDIR/c:d"
	small_images .
	fl spec --name a --kernel oci:layout:kernel --root oci:layout:root | jq -r .kernel.image >said
	[ "$(cat said)" = oci:layout:kernel ]
	fl-pull get -q oci:layout:root
	fl-pull ls --json | grep -q '"oci:layout:root"'
	cd ..
	fl-pull rm oci:layout:root
	[ -z "$(fl-pull ls --json)" ]
}

@test "fl spec names folders and files by their whole path" {
	cd "$BATS_TEST_TMPDIR"
	fl spec --name a --kernel oci:./k:1 --root oci-archive:r.tar --volume d=oci:v:/data --initrd docker.io/i |
		jq -r '.kernel.image, .root_volume.source.container_source, .initrd.image,
			(.additional_volumes[0] | .source.container_source, .mount_point)' >said
	printf '%s\n' "oci:$PWD/k:1" "oci-archive:$PWD/r.tar" docker.io/i "oci:$PWD/v" /data | diff said -
}
