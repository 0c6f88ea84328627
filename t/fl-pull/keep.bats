#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# What is said of images, and how they leave: inspect, rm, gc.

load ../lib
load registries

bats_require_minimum_version 1.5.0

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	registry_start "$BATS_FILE_TMPDIR/registry"
	export REGISTRY_PID
	for image in kernel root; do
		skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:$image" "docker://$REGISTRY/t/$image:1"
	done
}

teardown_file() {
	registry_stop
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	BLOBS=$FL_STATE_DIR/images/blobs/sha256
}

blob_count() {
	find "$BLOBS" -maxdepth 1 -type f | wc -l
}

@test "inspect: from the registry and from the store the same, as skopeo says it" {
	fl-pull inspect --json "$REGISTRY/t/root:1" >"$BATS_TEST_TMPDIR/remote"
	[ ! -e "$FL_STATE_DIR/images" ]
	skopeo inspect --tls-verify=false "docker://$REGISTRY/t/root:1" >"$BATS_TEST_TMPDIR/skopeo"
	[ "$(jq -r '.digest, .layers[].digest' "$BATS_TEST_TMPDIR/remote")" = "$(jq -r '.Digest, .Layers[]' "$BATS_TEST_TMPDIR/skopeo")" ]
	[ "$(jq -c '[.layers[].size]' "$BATS_TEST_TMPDIR/remote")" = \
		"$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/t/root:1" | jq -c '[.layers[].size]')" ]
	jq -e '.platform == "linux/amd64" and .platforms == ["linux/amd64"] and .config.rootfs.type == "layers" and
		(.layers | length) == 2 and (.layers[0].diff_id | startswith("sha256:"))' "$BATS_TEST_TMPDIR/remote"
	fl-pull get "$REGISTRY/t/root:1"
	fl-pull inspect --pull never --json "$REGISTRY/t/root:1" >"$BATS_TEST_TMPDIR/local"
	cmp "$BATS_TEST_TMPDIR/remote" "$BATS_TEST_TMPDIR/local"
}

@test "inspect: words as a shell would take them, labels; what a maker wrote moves no cursor" {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir tree
	fl-pack image -q -t x -o layout tree
	umoci config --image layout:x --author $'me\e[31m\nplatform     vax' --config.entrypoint /bin/sh \
		--config.entrypoint "a b" --config.label "one=1 2" --config.label $'two=\e]0;t\a'
	run fl-pull inspect oci:layout:x
	echo "$output"
	[[ "$output" == *"entrypoint   /bin/sh 'a b'"* ]]
	[[ "$output" == *"labels       one=1 2"* ]]
	[[ "$output" == *"author       me?[31m?platform     vax"* ]]
	[[ "$output" == *"two=?]0;t?"* ]]
	run ! grep -q $'\e' <<<"$output"
	fl-pull inspect --json oci:layout:x | jq -e '.config.config.Labels.one == "1 2"'
}

@test "inspect: for people; a layout; all platforms of an index" {
	run fl-pull inspect "$REGISTRY/t/root:1"
	[[ "$output" == *"platforms    linux/amd64"* && "$output" == *LAYER*SIZE*TYPE* ]]
	fl-pull inspect "oci:$IMAGES/layout:kernel" --json | jq -e '.layers | length == 1'
	fails_with 4 "nosuch" fl-pull inspect "$REGISTRY/t/nosuch:1"
	fails_with 4 "--pull=never" fl-pull inspect --pull never "$REGISTRY/t/root:1"
	digest=$(jq -c '.manifests[0] | del(.annotations)' "$IMAGES/layout/index.json")
	jq -n --argjson one "$digest" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
		$one + {platform: {os: "linux", architecture: "amd64"}},
		$one + {platform: {os: "linux", architecture: "arm", variant: "v7"}},
		$one + {platform: {os: "unknown", architecture: "unknown"}}]}' |
		curl -sf -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" --data-binary @- "http://$REGISTRY/v2/t/kernel/manifests/all"
	fl-pull inspect --json -p linux/amd64 "$REGISTRY/t/kernel:all" | jq -e '.platforms == ["linux/amd64", "linux/arm/v7"]'
}

@test "rm takes the name, gc the bytes that nothing else needs" {
	fl-pull get "$REGISTRY/t/root:1" "$REGISTRY/t/kernel:1"
	before=$(blob_count)
	fl-pull rm "$REGISTRY/t/root:1"
	[ "$(fl-pull ls --json | jq -r .ref)" = "$REGISTRY/t/kernel:1" ]
	[ "$(blob_count)" = "$before" ]
	would=$(fl-pull gc --dry-run --json)
	[ "$(blob_count)" = "$before" ]
	[ "$(fl-pull gc --json)" = "$would" ]
	jq -e '.blobs == 4 and .bytes > 0' <<<"$would"
	[ "$(blob_count)" = $((before - 4)) ]
	fl-pull gc --json | jq -e '.blobs == 0'
	fl-pull get --pull never "$REGISTRY/t/kernel:1"
	fails_with 4 "not in the store" fl-pull rm "$REGISTRY/t/root:1"
	fl-pull get "$REGISTRY/t/root:1"
}

@test "get and rm of several: one that fails does not keep them from the others" {
	run --separate-stderr fl-pull get -q "$REGISTRY/t/nosuch:1" "$REGISTRY/t/root:1" BAD "$REGISTRY/t/kernel:1"
	[ "$status" = 4 ]
	[ "$(wc -l <<<"$output")" = 2 ]
	# The others are logged, the first is what it says last.
	[[ "${stderr_lines[0]}" == *"error: "*BAD* && "${stderr_lines[1]}" == "fl-pull: $REGISTRY/t/nosuch:1: "* ]]
	[ "$(fl-pull ls --json | wc -l)" = 2 ]
	run --separate-stderr fl-pull rm "$REGISTRY/t/nosuch:1" "$REGISTRY/t/root:1" BAD "$REGISTRY/t/kernel:1"
	[ "$status" = 4 ]
	[[ "${stderr_lines[0]}" == *"error: "*BAD* && "${stderr_lines[1]}" == *"t/nosuch:1: not in the store"* ]]
	[ "$(fl-pull ls --json | wc -l)" = 0 ]
}

@test "inspect and rm take a digest of the store, and ask nobody for one" {
	local digest none other
	none=sha256:$(printf %064d 0)
	fails_with 4 "$none: not in the store" fl-pull inspect "$none"
	digest=$(fl-pull get "$REGISTRY/t/root:1")
	fl-pull get "$REGISTRY/t/root@$digest"
	other=$(fl-pull get "$REGISTRY/t/kernel:1")
	fl-pull inspect --json "$digest" | jq -e --arg digest "$digest" '.ref == $digest and .digest == $digest and .platforms == ["linux/amd64"]'
	fl-pull inspect "$digest" | grep -q '^platform  *linux/amd64$'
	fails_with 4 "$none: not in the store" fl-pull inspect --pull always "$none"
	fails_with 2 "--verify-key" fl-pull inspect --verify-key /nosuch "$digest"
	fails_with 4 "$none: not in the store" fl-pull rm "$none"
	fails_with 4 "$digest: not in the store" fl-pull rm -p linux/arm/v7 "$digest"
	# Both of its names.
	fl-pull rm "$digest"
	[ "$(fl-pull ls --json | jq -r .digest)" = "$other" ]
	# What no manifest is, is no image.
	fails_with 13 "image manifest" fl-pull inspect "$(jq -r .config.digest "$BLOBS/${other#sha256:}")"
}

@test "export and push take a digest of the store, and get says that it wants a name" {
	local digest none
	none=sha256:$(printf %064d 0)
	digest=$(fl-pull get "$REGISTRY/t/root:1")
	fl-pull export "$digest" "oci:$BATS_TEST_TMPDIR/out:x"
	[ "$(jq -r '.manifests[0].digest' "$BATS_TEST_TMPDIR/out/index.json")" = "$digest" ]
	fl-pull export "$digest" "docker-archive:$BATS_TEST_TMPDIR/out.tar"
	tar -xOf "$BATS_TEST_TMPDIR/out.tar" manifest.json | jq -e '.[0].RepoTags == []'
	[ "$(fl-pull push "$digest" "$REGISTRY/t/pushed:1")" = "$digest" ]
	fails_with 4 "$none: not in the store" fl-pull export "$none" "oci:$BATS_TEST_TMPDIR/out:y"
	fails_with 3 "HOST/NAME@$digest" fl-pull get "$digest"
}

@test "gc leaves what skopeo put there, marks and half-written files go" {
	fl-pull get "$REGISTRY/t/root:1"
	skopeo copy -q --all --src-tls-verify=false "docker://$REGISTRY/t/kernel:1" "oci:$FL_STATE_DIR/images:theirs"
	settled "$FL_STATE_DIR"
	before=$(blob_count)
	: >"$BLOBS/.new-dead"
	echo x >"$BLOBS/$(printf %064d 0)"
	fl-pull gc
	[ "$(blob_count)" = "$before" ]
	[ ! -e "$BLOBS/.new-dead" ]
	[ "$(skopeo inspect "oci:$FL_STATE_DIR/images:theirs" | jq '.Layers | length')" = 1 ]
}

@test "gc --keep-since: names go by when they were last got; what a record names stays" {
	fl-pull get "$REGISTRY/t/root:1" "$REGISTRY/t/kernel:1"
	settled "$FL_STATE_DIR"
	touch -d "3 days ago" "$BLOBS"/*
	fl-pull gc --keep-since 96h --json | jq -e '.names == [] and .blobs == 0'
	fl-pull get "$REGISTRY/t/kernel:1"
	fl-pull gc --dry-run --keep-since 48h --json | jq -e --arg name "$REGISTRY/t/root:1" '.names == [$name]'
	[ "$(fl-pull ls --json | wc -l)" = 2 ]
	fl-pull gc --keep-since 48h
	[ "$(fl-pull ls --json | jq -r .ref)" = "$REGISTRY/t/kernel:1" ]
	fl spec --name m --kernel "$REGISTRY/t/kernel:1" --root "$REGISTRY/t/kernel:1" --memory 64 | fl-pull up >/dev/null
	settled "$FL_STATE_DIR"
	touch -d "3 days ago" "$BLOBS"/*
	fl-pull gc --keep-since 48h --json | jq -e '.names == [] and .blobs == 0'
	fails_with 2 "--keep-since" fl-pull gc --keep-since yesterday
	fails_with 2 "in h, m, s or ms" fl-pull gc --keep-since 30d
}

@test "gc leaves what a microVM was made of, also where its tag was moved or its name removed" {
	cd "$BATS_TEST_TMPDIR"
	fl-pull get "$REGISTRY/t/root:1"
	fl spec --name m --kernel "$REGISTRY/t/kernel:1" --root "$REGISTRY/t/kernel:1" --memory 64 | fl-pull up >record
	fl-pull rm "$REGISTRY/t/kernel:1"
	fl-pull gc --json | jq -e '.blobs == 0'
	fl-pull up --pull never record | cmp - record
	skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:root" "docker://$REGISTRY/t/moved:1"
	fl spec --name n --kernel "$REGISTRY/t/moved:1" --root "$REGISTRY/t/moved:1" --memory 64 | fl-pull up >record
	skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:kernel" "docker://$REGISTRY/t/moved:1"
	fl-pull get --pull always "$REGISTRY/t/moved:1"
	fl-pull rm "$REGISTRY/t/root:1"
	fl-pull gc
	fl-pull up record | jq -e --slurpfile before record '.host.images == $before[0].host.images'
}

@test "gc takes nothing where a record cannot be read" {
	local path
	cd "$BATS_TEST_TMPDIR"
	fl-pull get "$REGISTRY/t/kernel:1"
	fl spec --name m --kernel "$REGISTRY/t/kernel:1" --root "$REGISTRY/t/kernel:1" --memory 64 | fl-pull up >record
	fl-pull rm "$REGISTRY/t/kernel:1"
	path=$(find "$FL_STATE_DIR/vm" -name record.json)
	jq '.host.format = 99' "$path" >new
	cp new "$path"
	fails_with 13 "nothing is collected" fl-pull gc
	[ "$(blob_count)" -gt 0 ]
}

@test "gc is refused while images are read, and a store that is not there is empty" {
	fl-pull gc --json | jq -e '.blobs == 0'
	[ ! -e "$FL_STATE_DIR/images" ]
	fl-pull get "$REGISTRY/t/root:1"
	flock -s "$FL_STATE_DIR/images/.lock" sleep 5 &
	sleep 0.3
	fails_with 9 "being pulled" fl-pull gc
	kill $!
}

@test "ten pulls and gc after gc: every pull is whole" {
	local pids=()
	for i in $(seq 10); do
		(for _ in 1 2 3; do
			fl-pull get -q "$REGISTRY/t/root:1" >/dev/null || exit 1
			fl-pull rm "$REGISTRY/t/root:1" 2>/dev/null || true
		done) &
		pids+=($!)
	done
	for _ in $(seq 20); do
		fl-pull gc >/dev/null 2>&1 || true
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	fl-pull get "$REGISTRY/t/root:1"
	fl-snap export "$REGISTRY/t/root:1" "$BATS_TEST_TMPDIR/img"
}
