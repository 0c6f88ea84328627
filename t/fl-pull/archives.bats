#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Archives as skopeo makes them, as sources and targets: the same image whatever the way.

load ../lib
load registries

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images A=$BATS_FILE_TMPDIR/a
	small_images "$IMAGES"
	registry_start "$BATS_FILE_TMPDIR/registry"
	export REGISTRY_PID
	mkdir "$A"
	skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:root" "docker://$REGISTRY/t/root:1"
	skopeo copy -q "oci:$IMAGES/layout:root" "oci-archive:$A/oci.tar:root"
	skopeo copy -q "oci:$IMAGES/layout:root" "docker-archive:$A/docker.tar:host.example/t/root:1"
	tar -C "$IMAGES/layout" -cf "$A/two.tar" .
}

teardown_file() {
	registry_stop
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	export TMPDIR=$BATS_TEST_TMPDIR
}

digest_of() {
	jq -r --arg tag "$1" '.manifests[] | select(.annotations[] == $tag).digest' "$IMAGES/layout/index.json"
}

# The image has the same files as the layout's, by whatever name it is in the store.
same_disk() {
	fl-pull get -q "oci:$IMAGES/layout:root" >/dev/null
	fl-snap export "oci:$IMAGES/layout:root" "$BATS_TEST_TMPDIR/wanted.img"
	fl-snap export "$1" "$BATS_TEST_TMPDIR/found.img"
	cmp "$BATS_TEST_TMPDIR/wanted.img" "$BATS_TEST_TMPDIR/found.img"
}

@test "an OCI archive: by tag, without one, several in it" {
	[ "$(fl-pull get "oci-archive:$A/oci.tar:root")" = "$(digest_of root)" ]
	[ "$(fl-pull get "oci-archive:$A/oci.tar")" = "$(digest_of root)" ]
	[ "$(fl-pull get "oci-archive:$A/two.tar:kernel")" = "$(digest_of kernel)" ]
	fails_with 4 "more than one" fl-pull get "oci-archive:$A/two.tar"
	fails_with 4 "no image" fl-pull get "oci-archive:$A/two.tar:nosuch"
	same_disk "oci-archive:$A/oci.tar"
}

@test "a docker archive: by its name in any form, and without one" {
	one=$(fl-pull get "docker-archive:$A/docker.tar")
	[ "$(fl-pull get "docker-archive:$A/docker.tar:host.example/t/root:1")" = "$one" ]
	fails_with 4 "no image" fl-pull get "docker-archive:$A/docker.tar:host.example/t/root:2"
	same_disk "docker-archive:$A/docker.tar"
	fl-pull inspect --json "docker-archive:$A/docker.tar" | jq -e '.layers | map(.digest == .diff_id) == [true, true]'
}

@test "standard input: from a pipe and from a file, of either kind" {
	[ "$(cat "$A/docker.tar" | fl-pull get - --json | jq -r .ref)" = host.example/t/root:1 ]
	same_disk host.example/t/root:1
	fails_with 3 "--name" fl-pull get - <"$A/oci.tar"
	[ "$(fl-pull get - --name here.example/root:2 <"$A/oci.tar")" = "$(digest_of root)" ]
	same_disk here.example/root:2
	cat "$A/oci.tar" | fl-pull inspect --json - | jq -e --arg d "$(digest_of root)" '.digest == $d'
	[ -z "$(find "$TMPDIR" -maxdepth 1 -type f -size +9k ! -name '*.img')" ]
	fails_with 2 "one image" fl-pull get --name x.example/y:1 a.example/b:1 c.example/d:1
}

@test "docker's own form: layers in folders, a link for one that is there twice, long names" {
	python3 - "$IMAGES/layout" "$BATS_TEST_TMPDIR/save.tar" <<-'PYTHON'
		import gzip, hashlib, io, json, pathlib, sys, tarfile
		layout = pathlib.Path(sys.argv[1])
		blob = lambda d: (layout / "blobs/sha256" / d.split(":")[1]).read_bytes()
		index = json.loads((layout / "index.json").read_text())
		manifest = json.loads(blob(next(m for m in index["manifests"] if "root" in m["annotations"].values())["digest"]))
		config = blob(manifest["config"]["digest"])
		tars = [gzip.decompress(blob(l["digest"])) for l in manifest["layers"]]
		doc = json.loads(config)
		doc["rootfs"]["diff_ids"].append(doc["rootfs"]["diff_ids"][-1])
		config = json.dumps(doc).encode()
		names = ["a" * 120 + "/layer.tar", "b/layer.tar", "c/layer.tar"]
		with tarfile.open(sys.argv[2], "w", format=tarfile.GNU_FORMAT) as out:
		    def add(name, data):
		        info = tarfile.TarInfo(name); info.size = len(data); out.addfile(info, io.BytesIO(data))
		    for name, data in zip(names, tars):
		        add(name, data)
		    link = tarfile.TarInfo(names[2]); link.type = tarfile.SYMTYPE; link.linkname = "../b/layer.tar"; out.addfile(link)
		    add("config.json", config)
		    add("manifest.json", json.dumps([{"Config": "config.json", "RepoTags": ["root:1"], "Layers": names}]).encode())
	PYTHON
	[ "$(fl-pull get - --json <"$BATS_TEST_TMPDIR/save.tar" | jq -r '.ref, .layers' | xargs)" = "docker.io/library/root:1 3" ]
	fl-snap export root:1 "$BATS_TEST_TMPDIR/img"
	[ "$(debugfs -R "cat /etc/both" "$BATS_TEST_TMPDIR/img" 2>/dev/null)" = new ]
	fl-pull get "docker-archive:$BATS_TEST_TMPDIR/save.tar:root:1"
}

@test "pax headers give names and sizes" {
	(cd "$IMAGES/layout" && tar --format=pax --pax-option=foo:=bar -cf "$BATS_TEST_TMPDIR/pax.tar" .)
	[ "$(fl-pull get "oci-archive:$BATS_TEST_TMPDIR/pax.tar:root")" = "$(digest_of root)" ]
}

@test "archives that are no good" {
	local bad=$BATS_TEST_TMPDIR/bad
	gzip -c "$A/oci.tar" >"$bad"
	fails_with 13 "gzip -dc" fl-pull get "oci-archive:$bad"
	head -c 3000 /dev/urandom >"$bad"
	fails_with 12 "not the header" fl-pull get "oci-archive:$bad"
	head -c 5000 /dev/zero >"$BATS_TEST_TMPDIR/member"
	tar -C "$BATS_TEST_TMPDIR" -c member | head -c 3000 >"$bad"
	fails_with 12 "ends within a member" fl-pull get "oci-archive:$bad"
	: >"$bad"
	fails_with 12 "too short" fl-pull get "oci-archive:$bad"
	fails_with 12 "too short" fl-pull get - </dev/null
	tar -C "$IMAGES" -cf "$bad" a
	fails_with 3 "no index.json" fl-pull get "oci-archive:$bad"
	fails_with 3 "no manifest.json" fl-pull get "docker-archive:$A/oci.tar"
	fails_with 4 "nosuch.tar" fl-pull get oci-archive:nosuch.tar
	for ref in oci-archive: docker-archive:x: oci-archive::tag; do
		fails_with 3 "reference" fl-pull get "$ref"
	done
	nothing_published
}

@test "an archive whose layer was altered, or is not there" {
	mkdir "$BATS_TEST_TMPDIR/l"
	tar -C "$BATS_TEST_TMPDIR/l" -xf "$A/oci.tar"
	layer=$(fl-pull inspect --json "oci-archive:$A/oci.tar" | jq -r '.layers[0].digest' | cut -d: -f2)
	printf x | dd of="$BATS_TEST_TMPDIR/l/blobs/sha256/$layer" bs=1 seek=20 conv=notrunc status=none
	tar -C "$BATS_TEST_TMPDIR/l" -cf "$BATS_TEST_TMPDIR/altered.tar" .
	fails_with 12 "another digest" fl-pull get "oci-archive:$BATS_TEST_TMPDIR/altered.tar"
	rm "$BATS_TEST_TMPDIR/l/blobs/sha256/$layer"
	tar -C "$BATS_TEST_TMPDIR/l" -cf "$BATS_TEST_TMPDIR/altered.tar" .
	fails_with 4 "$layer" fl-pull get "oci-archive:$BATS_TEST_TMPDIR/altered.tar"
	nothing_published
}

@test "export: skopeo and fl-pull read it back, with the same digest" {
	local digest out=$BATS_TEST_TMPDIR/out
	digest=$(fl-pull get "$REGISTRY/t/root:1")
	mkdir "$out"
	fl-pull export "$REGISTRY/t/root:1" "oci:$out/layout"
	fl-pull export "$REGISTRY/t/root:1" "oci:$out/layout:other"
	fl-pull export "$REGISTRY/t/root:1" "oci-archive:$out/o.tar"
	fl-pull export "$REGISTRY/t/root:1" "docker-archive:$out/d.tar"
	fl-pull export "$REGISTRY/t/root:1" - | cat >"$out/s.tar"
	cmp "$out/o.tar" "$out/s.tar"
	for from in "oci:$out/layout:1" "oci:$out/layout:other" "oci-archive:$out/o.tar" "oci-archive:$out/d.tar:1"; do
		[ "$(skopeo inspect "$from" | jq -r .Digest)" = "$digest" ]
	done
	[ "$(skopeo inspect "docker-archive:$out/d.tar" | jq -r '.Layers | length')" = 2 ]
	skopeo copy -q "docker-archive:$out/d.tar:$REGISTRY/t/root:1" "oci:$out/copy:x"
	fl-pull get "oci:$out/copy:x"
	umoci unpack --rootless --image "$out/layout:1" "$out/bundle"
	own_state "$BATS_TEST_TMPDIR/fresh"
	for from in "oci:$out/layout:1" "oci-archive:$out/o.tar:1" "oci-archive:$out/d.tar:$REGISTRY/t/root:1"; do
		[ "$(fl-pull get "$from")" = "$digest" ]
	done
	[ "$(fl-pull get - --json <"$out/s.tar" | jq -r '.ref, .digest' | xargs)" = "$REGISTRY/t/root:1 $digest" ]
	fl-pull get "docker-archive:$out/d.tar"
	same_disk "docker-archive:$out/d.tar"
}

@test "export: refusals leave nothing half-written" {
	fl-pull get "$REGISTRY/t/root:1"
	fails_with 4 "not in the store" fl-pull export "$REGISTRY/t/root:2" "oci-archive:$BATS_TEST_TMPDIR/x.tar"
	fails_with 2 "not a target" fl-pull export "$REGISTRY/t/root:1" "$REGISTRY/t/root:2"
	fails_with 5 "not empty" fl-pull export "$REGISTRY/t/root:1" "oci:$IMAGES"
	settled "$FL_STATE_DIR"
	for blob in "$FL_STATE_DIR"/images/blobs/sha256/*; do
		[ "$(stat -c %s "$blob")" -gt 200 ] || continue
		chmod u+w "$blob"
		printf x | dd of="$blob" bs=1 seek=9 conv=notrunc status=none
	done
	fails_with 12 "" fl-pull export "$REGISTRY/t/root:1" "oci-archive:$BATS_TEST_TMPDIR/x.tar"
	[ ! -e "$BATS_TEST_TMPDIR/x.tar" ]
	[ -z "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name '.new-*')" ]
}

# What is hashed while it comes goes in pieces. A tar file is some blocks of 512 longer than what is in it.
@test "layers of every length around 256 KiB: whole they come, altered at either end they do not" {
	cd "$BATS_TEST_TMPDIR"
	for size in $(seq $((262144 - 512 * 6)) 512 262144) 524288 9437184; do
		export FL_STATE_DIR=$BATS_TEST_TMPDIR/pulled-$size
		rm -rf tree layout
		mkdir tree
		head -c "$size" /dev/urandom >tree/x
		fl-pack image -q -t x -o layout --compression none tree >/dev/null
		layer=$(fl-pull inspect --json oci:layout:x | jq -r '.layers[0].digest' | cut -d: -f2)
		fl-pull push -q oci:layout:x "$REGISTRY/t/size-$size:1" >/dev/null
		fl-pull get -q "$REGISTRY/t/size-$size:1" >/dev/null
		[ "$(sha256sum <"$FL_STATE_DIR/images/blobs/sha256/$layer" | cut -d' ' -f1)" = "$layer" ]
		export FL_STATE_DIR=$BATS_TEST_TMPDIR/refused-$size
		for at in 0 $(($(stat -c %s "layout/blobs/sha256/$layer") - 1)); do
			cp -r layout altered
			chmod -R u+w altered
			printf '\377' | dd of="altered/blobs/sha256/$layer" bs=1 seek="$at" conv=notrunc status=none
			fails_with 12 "another digest" fl-pull get oci:altered:x
			[ ! -e "$FL_STATE_DIR/images/blobs/sha256/$layer" ]
			rm -rf altered
		done
	done
}
