#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Which image it is: platforms with variants out of an index, and when the registry is asked.

load ../lib
load registries

setup_file() {
	export LAYOUTS=$BATS_FILE_TMPDIR/layouts
	registry_start "$BATS_FILE_TMPDIR/registry"
	export REGISTRY_PID
	index arms linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm64/v8 linux/amd64
	index old linux/arm/v5 linux/arm/v6
	index new linux/arm64 linux/arm/v8
	index levels linux/amd64/v3 linux/amd64
}

teardown_file() {
	registry_stop
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
}

# index NAME PLATFORM…: an image for each, under one tag of the registry, their config's
# variant left out as many builders do. The file /etc/platform says which it is.
index() {
	local name=$1 platform folder list=()
	shift
	for platform in "$@"; do
		folder=$LAYOUTS/$name/${platform//\//_}
		mkdir -p "$folder/root/etc"
		echo "$platform" >"$folder/root/etc/platform"
		fl-pack image -q --platform "$(cut -d/ -f1-2 <<<"$platform")" -t x -o "$folder/layout" "$folder/root" >/dev/null
		skopeo copy -q --preserve-digests --dest-tls-verify=false "oci:$folder/layout:x" "docker://$REGISTRY/$name:${platform//\//_}"
		list+=("$(jq -c --arg p "$platform" '($p | split("/")) as $p | .manifests[0] | del(.annotations) |
			.platform = ({os: $p[0], architecture: $p[1], variant: $p[2]} | del(..|nulls))' "$folder/layout/index.json")")
	done
	printf '%s\n' "${list[@]}" | jq -s '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: .}' |
		curl -sf -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" --data-binary @- "http://$REGISTRY/v2/$name/manifests/1"
}

# put_index NAME TAG DESCRIPTOR…: prints its own descriptor.
put_index() {
	local name=$1 tag=$2 type=application/vnd.oci.image.index.v1+json text
	shift 2
	text=$(printf '%s\n' "$@" | jq -sc --arg type $type '{schemaVersion: 2, mediaType: $type, manifests: .}')
	printf %s "$text" | curl -sf -X PUT -H "Content-Type: $type" --data-binary @- "http://$REGISTRY/v2/$name/manifests/$tag"
	jq -nc --arg type $type --arg digest "sha256:$(printf %s "$text" | sha256sum | cut -d' ' -f1)" --argjson size ${#text} \
		'{mediaType: $type, digest: $digest, size: $size}'
}

# bare NAME PLATFORM: the descriptor of such an image, which does not say it.
bare() {
	jq -c '.manifests[0] | {mediaType, digest, size}' "$LAYOUTS/$1/${2//\//_}/layout/index.json"
}

# artifact NAME PLATFORM: the descriptor of what is no image, of that image's blobs.
artifact() {
	local digest text type=application/vnd.oci.image.manifest.v1+json
	digest=$(jq -r '.manifests[0].digest | sub("sha256:"; "")' "$LAYOUTS/$1/${2//\//_}/layout/index.json")
	text=$(jq -c --arg type $type '.mediaType = $type | .config.mediaType = "application/vnd.example+json"' \
		"$LAYOUTS/$1/${2//\//_}/layout/blobs/sha256/$digest")
	printf %s "$text" | curl -sf -X PUT -H "Content-Type: $type" --data-binary @- "http://$REGISTRY/v2/$1/manifests/artifact"
	jq -nc --arg type $type --arg digest "sha256:$(printf %s "$text" | sha256sum | cut -d' ' -f1)" --argjson size ${#text} \
		'{mediaType: $type, digest: $digest, size: $size}'
}

# takes NAME WANTED FOUND
takes() {
	own_state "$BATS_TEST_TMPDIR/${1}_${2//\//_}"
	local digest wanted
	digest=$(fl-pull get --platform "$2" "$REGISTRY/$1:1")
	wanted=$(jq -r '.manifests[0].digest' "$LAYOUTS/$1/${3//\//_}/layout/index.json")
	echo "$1 $2: $digest, not $wanted ($3)"
	[ "$digest" = "$wanted" ]
}

@test "the variant that was asked for, else the newest before it" {
	takes arms linux/arm/v7 linux/arm/v7
	takes arms linux/arm/v6 linux/arm/v6
	takes arms linux/arm linux/arm/v7
	takes arms linux/arm/v8 linux/arm/v7
	takes arms linux/arm64 linux/arm64/v8
	takes arms linux/arm64/v8 linux/arm64/v8
	takes old linux/arm/v7 linux/arm/v6
	takes old linux/arm linux/arm/v6
	takes new linux/arm64/v8 linux/arm64
	takes levels linux/amd64 linux/amd64
	takes levels linux/amd64/v2 linux/amd64
	takes levels linux/amd64/v3 linux/amd64/v3
}

@test "what the machine does not run is not taken, and what there is is named" {
	fails_with 13 "there are: linux/arm64 linux/arm/v8" fl-pull get --platform linux/arm/v7 "$REGISTRY/new:1"
	fails_with 13 "linux/arm/v6" fl-pull get --platform linux/arm64 "$REGISTRY/old:1"
	# An image for arm is not one for arm64, though the one's name begins the other's.
	fails_with 13 "choose with --platform" fl-pull get --platform linux/arm64 "$REGISTRY/old:linux_arm_v6"
	nothing_published
	for platform in arm linux/armv7l; do
		[ "$(fl-pull get --platform "$platform" "$REGISTRY/arms:1")" = \
			"$(fl-pull get --platform linux/arm/v7 "$REGISTRY/arms:1")" ]
	done
	for platform in linux linux/ /amd64 linux//v7 linux/arm/v7/x LINUX/arm "linux/arm v7" ""; do
		fails_with 2 "is not OS/ARCH" fl-pull get --platform "$platform" "$REGISTRY/arms:1"
	done
}

@test "entries without a platform: the config says it; an index within the index; attestations stay out" {
	local amd64 arm64 attestation nested deeper one
	amd64=$(bare arms linux/amd64) arm64=$(bare arms linux/arm64/v8)
	attestation=$(jq -c '. + {platform: {os: "unknown", architecture: "unknown"}}' <<<"$amd64")
	one=$REGISTRY/arms:odd
	put_index arms odd "$amd64"
	[ "$(fl-pull get --platform linux/amd64 "$one")" = "$(jq -r .digest <<<"$amd64")" ]
	put_index arms odd "$attestation" "$arm64" "$amd64"
	own_state "$BATS_TEST_TMPDIR/two"
	[ "$(fl-pull get --platform linux/amd64 "$one")" = "$(jq -r .digest <<<"$amd64")" ]
	fl-pull inspect --pull always --json --platform linux/arm64 "$one" | jq -e --argjson it "$arm64" \
		'.digest == $it.digest and .platforms == ["linux/arm64", "linux/amd64"]'
	fails_with 13 "platform linux/arm/v7; there are: linux/arm64 linux/amd64" fl-pull get --platform linux/arm/v7 "$one"
	put_index arms odd "$(artifact arms linux/amd64)" "$attestation" "$arm64"
	fails_with 13 "there are: linux/arm64, 1 without a platform" fl-pull get --pull always --platform linux/amd64 "$one"
	put_index arms odd "$attestation"
	fails_with 13 "there are: none" fl-pull get --pull always --platform linux/amd64 "$one"
	nested=$(put_index arms inner "$arm64" "$(jq -c '. + {platform: {os: "linux", architecture: "amd64"}}' <<<"$amd64")")
	deeper=$(put_index arms odd "$nested")
	own_state "$BATS_TEST_TMPDIR/nested"
	for platform in linux/amd64:$amd64 linux/arm64:$arm64; do
		[ "$(fl-pull get --platform "${platform%%:*}" "$one")" = "$(jq -r .digest <<<"${platform#*:}")" ]
	done
	fails_with 13 "there are: linux/arm64 linux/amd64" fl-pull get --platform linux/arm/v7 "$one"
	# One level is enough.
	put_index arms odd "$deeper" "$attestation"
	fails_with 13 "there are: 1 more index" fl-pull get --pull always --platform linux/amd64 "$one"
}

@test "two variants of one name live side by side" {
	fl-pull get --platform linux/arm/v6 "$REGISTRY/arms:1"
	fl-pull get --platform linux/arm/v7 "$REGISTRY/arms:1"
	[ "$(fl-pull ls --json | wc -l)" = 2 ]
	for variant in v6 v7; do
		[ "$(fl-pull get --pull never --platform "linux/arm/$variant" "$REGISTRY/arms:1")" = \
			"$(jq -r '.manifests[0].digest' "$LAYOUTS/arms/linux_arm_$variant/layout/index.json")" ]
	done
}

@test "gc --keep-since says which platform of a name goes, where it has several" {
	local one=$REGISTRY/arms:1 other=$REGISTRY/levels:1 digest
	fl-pull get --platform linux/amd64 "$other"
	fl-pull get --platform linux/arm/v6 "$one"
	digest=$(fl-pull get --platform linux/arm/v7 "$one")
	settled "$FL_STATE_DIR"
	touch -d "3 days ago" "$FL_STATE_DIR"/images/blobs/sha256/*
	fl-pull get --platform linux/arm/v6 "$one"
	# One of two: which it is must be said as well.
	fl-pull gc --dry-run --keep-since 48h --json | jq -e --arg one "$one" --arg digest "$digest" \
		'.images | any(.ref == $one and .digest == $digest and .platform == "linux/arm/v7")'
	run fl-pull gc --keep-since 48h
	echo "$output"
	grep -qx "$one  linux/arm/v7" <<<"$output"
	grep -qx "$other" <<<"$output"
	[ "$(fl-pull ls --json | jq -r 'select(.ref == "'"$one"'").platform')" = linux/arm ]
}

@test "an older variant in the store is no reason not to ask for the better one" {
	fl-pull get --platform linux/arm/v6 "$REGISTRY/arms:1"
	fl-pull get --pull never --platform linux/arm/v7 "$REGISTRY/arms:1"
	[ "$(fl-pull get --platform linux/arm/v7 "$REGISTRY/arms:1")" = \
		"$(jq -r '.manifests[0].digest' "$LAYOUTS/arms/linux_arm_v7/layout/index.json")" ]
}

@test "--pull: missing, always, never" {
	local one two tag=$REGISTRY/arms:moving platform=linux/arm/v6
	fails_with 4 "--pull=never" fl-pull get --pull never "$REGISTRY/arms:1"
	skopeo copy -q --preserve-digests --src-tls-verify=false --dest-tls-verify=false "docker://$REGISTRY/arms:linux_arm_v6" "docker://$tag"
	one=$(fl-pull get --platform "$platform" "$tag")
	skopeo copy -q --preserve-digests --src-tls-verify=false --dest-tls-verify=false "docker://$REGISTRY/arms:linux_arm_v7" "docker://$tag"
	[ "$(fl-pull get --platform "$platform" "$tag")" = "$one" ]
	[ "$(fl-pull get --platform "$platform" --pull=missing "$tag")" = "$one" ]
	[ "$(fl-pull get --platform "$platform" --pull=never "$tag")" = "$one" ]
	two=$(fl-pull get --platform "$platform" --pull=always "$tag")
	[ "$two" != "$one" ]
	[ "$(fl-pull get --platform "$platform" --pull never "$tag")" = "$two" ]
	fails_with 2 "not missing, always or never" fl-pull get --pull sometimes "$tag"
}

@test "--pull and --platform go through the chain" {
	fl spec --name m --kernel "$REGISTRY/arms:1" --root "$REGISTRY/arms:1" --memory 64 >"$BATS_TEST_TMPDIR/spec"
	fails_with 4 "--pull=never" fl up --pull never "$BATS_TEST_TMPDIR/spec"
	run fl up --dry-run --platform linux/arm/v7 "$BATS_TEST_TMPDIR/spec"
	[[ "$output" == *"fl-pull get --platform linux/arm/v7 $REGISTRY/arms:1"* ]]
}
