#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Media types: OCI's and Docker's are one image; what is foreign or unknown is refused by name.

load ../lib
load registries

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	registry_start "$BATS_FILE_TMPDIR/registry"
	export REGISTRY_PID
	skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:root" "docker://$REGISTRY/t/root:oci"
	skopeo copy -q --dest-tls-verify=false --format v2s2 "oci:$IMAGES/layout:root" "docker://$REGISTRY/t/root:docker"
	for how in zstd gzip; do
		skopeo copy -q --dest-tls-verify=false --dest-compress-format "$how" \
			"oci:$IMAGES/layout:root" "docker://$REGISTRY/t/root:$how"
	done
}

teardown_file() {
	registry_stop
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
}

# altered FILTER: a layout whose one manifest went through jq.
altered() {
	local layout=$BATS_TEST_TMPDIR/altered old new
	rm -rf "$layout"
	cp -r "$IMAGES/layout" "$layout"
	old=$(jq -r '.manifests[] | select(.annotations[] == "root").digest' "$layout/index.json")
	jq -c "$1" "$layout/blobs/sha256/${old#*:}" >"$layout/new"
	new=$(sha256sum <"$layout/new" | cut -d' ' -f1)
	mv "$layout/new" "$layout/blobs/sha256/$new"
	jq --arg d "sha256:$new" --argjson s "$(stat -c %s "$layout/blobs/sha256/$new")" \
		'.manifests = [.manifests[0] | .digest = $d | .size = $s | .annotations |= map_values("x")]' "$layout/index.json" >"$layout/i"
	mv "$layout/i" "$layout/index.json"
	echo "oci:$layout:x"
}

@test "OCI and Docker's schema 2, gzip and zstd: one disk" {
	for tag in oci docker zstd gzip; do
		fl-pull get "$REGISTRY/t/root:$tag"
		fl-snap export "$REGISTRY/t/root:$tag" "$BATS_TEST_TMPDIR/$tag.img"
		cmp "$BATS_TEST_TMPDIR/oci.img" "$BATS_TEST_TMPDIR/$tag.img"
	done
	fl-pull inspect --json "$REGISTRY/t/root:docker" |
		jq -e '.media_type == "application/vnd.docker.distribution.manifest.v2+json"'
}

@test "layers that are foreign or unknown" {
	for type in application/vnd.docker.image.rootfs.foreign.diff.tar.gzip \
		application/vnd.oci.image.layer.nondistributable.v1.tar+gzip \
		application/vnd.oci.image.layer.v1.tar+zstd+encrypted application/octet-stream; do
		fails_with 13 "\"$type\"" fl-pull get "$(altered ".layers[0].mediaType = \"$type\"")"
		nothing_published
	done
	fails_with 13 'the type ""' fl-pull get "$(altered "del(.layers[0].mediaType)")"
}

@test "manifests and configs of other kinds" {
	fails_with 13 application/vnd.oci.artifact.manifest.v1+json \
		fl-pull get "$(altered '.mediaType = "application/vnd.oci.artifact.manifest.v1+json"')"
	fails_with 13 application/vnd.docker.distribution.manifest.v1+prettyjws \
		fl-pull get "$(altered '.schemaVersion = 1 | .mediaType = "application/vnd.docker.distribution.manifest.v1+prettyjws"')"
	fails_with 13 "schema version 2" fl-pull get "$(altered '.schemaVersion = 1 | del(.mediaType)')"
	fails_with 13 application/vnd.cncf.helm.config.v1+json \
		fl-pull get "$(altered '.config.mediaType = "application/vnd.cncf.helm.config.v1+json"')"
	nothing_published
}

@test "descriptors that are wrong" {
	fails_with 12 "no size" fl-pull get "$(altered '.layers[0].size = -1')"
	fails_with 12 "no sha256 digest" fl-pull get "$(altered '.layers[1].digest = "sha512:00"')"
	fails_with 12 "the config names 2 layers and the manifest 1" fl-pull get "$(altered 'del(.layers[1])')"
	fails_with 13 "not an image manifest" fl-pull get "$(altered 'del(.layers)')"
	nothing_published
}

@test "manifests that are too large or too deep" {
	fails_with 3 "larger than" fl-pull get "$(altered '.annotations = {a: ("x" * 5000000)}')"
	local ref folder old new
	ref=$(altered .)
	folder=$BATS_TEST_TMPDIR/altered
	old=$(jq -r '.manifests[0].digest' "$folder/index.json" | cut -d: -f2)
	python3 -c 'print("[" * 100000 + "]" * 100000)' >"$folder/deep"
	new=$(sha256sum <"$folder/deep" | cut -d' ' -f1)
	mv "$folder/deep" "$folder/blobs/sha256/$new"
	sed -i "s/$old/$new/" "$folder/index.json"
	fails_with 3 "not JSON" fl-pull get "$ref"
	echo '{"manifests": 7' >"$folder/index.json"
	fails_with 3 "index.json" fl-pull get "$ref"
	nothing_published
}
