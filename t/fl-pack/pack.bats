#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
#
# fl-pack against skopeo and umoci. FL_BIN: the folder of the programs.

setup() {
	pack=${FL_BIN:-$BATS_TEST_DIRNAME/../../build/bin}/fl-pack
	cd "$BATS_TEST_TMPDIR" || return 1
	unset SOURCE_DATE_EPOCH
	mkdir -p tree/etc tree/usr/bin "tree/usr/share/$(printf 'n%.0s' {1..120})"
	echo 127.0.0.1 >tree/etc/hosts
	echo program >tree/usr/bin/a
	chmod 4755 tree/usr/bin/a
	ln tree/usr/bin/a tree/usr/bin/b
	ln -s ../usr/bin/a tree/etc/link
	ln -s nowhere "$(printf 'tree/etc/\303\244')"
	mkfifo tree/etc/fifo
	head -c 300000 /dev/urandom >tree/usr/share/data
	touch -h -d @1000000000 tree/etc/hosts tree/etc/link
}

# Kind, mode, owner, size, time, target and name of everything below.
listing() {
	(cd "$1" && find . -mindepth 1 ! -type d -printf '%y %m %U:%G %s %T@ %l %p\n' -o \
		-mindepth 1 -printf '%y %m %U:%G %p\n' | X | LC_ALL=C sort)
}

blob() {
	echo "layout/blobs/sha256/${1#sha256:}"
}

# The document that a tag of the layout stands for.
manifest() {
	blob "$(jq -r --arg tag "$1" '.manifests[] |
		select(.annotations["org.opencontainers.image.ref.name"] == $tag) | .digest' layout/index.json)"
}

@test "the same layers give the same digest, wherever and whenever" {
	first=$("$pack" -o layout tree)
	[ "$("$pack" -o other -t another tree)" = "$first" ]
	[ "$(LC_ALL=C "$pack" -o layout tree)" = "$first" ]
	[ "$("$pack" -o image.tar tree)" = "$first" ]
	echo more >>tree/etc/hosts
	[ "$("$pack" -o layout tree)" != "$first" ]
}

@test "two archives of the same are the same bytes" {
	"$pack" -o one.tar tree
	sleep 1.1
	"$pack" -o two.tar tree
	cmp one.tar two.tar
	[ "$(ls)" = "$(printf 'one.tar\ntree\ntwo.tar')" ]
}

@test "a copy of a tree, other in age and order, gives the same digest under SOURCE_DATE_EPOCH" {
	export SOURCE_DATE_EPOCH=900000000
	mkdir copy
	tar -c -C tree usr etc | tar -x -p -C copy
	touch copy/usr copy/etc/hosts copy/usr/bin/a
	one=$("$pack" -o layout --owner 7:8 tree)
	[ "$("$pack" -o layout --owner 7:8 copy)" = "$one" ]
	run jq -r '.created, .history[0].created' "$(blob "$(jq -r .config.digest "$(manifest latest)")")"
	[ "$output" = "$(printf '1998-07-09T16:00:00Z\n1998-07-09T16:00:00Z')" ]
}

@test "umoci unpacks what was packed" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	chown 12:34 tree/etc/hosts
	mknod tree/null c 1 3
	setfattr -n user.note -v yes tree/etc/hosts || touch no-xattrs
	for how in gzip none; do
		"$pack" -o layout -t "$how" --compression "$how" tree
		umoci unpack --image "layout:$how" "bundle-$how"
		diff <(listing tree) <(listing "bundle-$how/rootfs")
		diff -r --no-dereference -x fifo -x null tree "bundle-$how/rootfs"
		[ "bundle-$how/rootfs/usr/bin/a" -ef "bundle-$how/rootfs/usr/bin/b" ]
		[ -e no-xattrs ] ||
			[ "$(getfattr --only-values -n user.note "bundle-$how/rootfs/etc/hosts")" = yes ]
	done
}

@test "layers lie one over the other, and whiteouts are passed on" {
	mkdir -p upper/etc
	: >upper/etc/.wh.hosts
	echo new >upper/etc/motd
	tar -c -C tree --sort=name -f lower.tar .
	"$pack" -o layout lower.tar upper
	[ "$(jq '.layers | length' "$(manifest latest)")" = 2 ]
	umoci unpack --rootless --image layout:latest bundle
	[ ! -e bundle/rootfs/etc/hosts ]
	[ "$(cat bundle/rootfs/etc/motd)" = new ]
	[ "$(cat bundle/rootfs/usr/bin/a)" = program ]
}

@test "skopeo reads layouts and archives, and agrees on digest and platform" {
	digest=$("$pack" -o layout -t v1 --platform linux/arm64/v8 --label a=b --label c=d=e tree)
	run skopeo inspect --override-arch arm64 --override-variant v8 oci:layout:v1
	[ "$status" = 0 ]
	[ "$(jq -r .Digest <<<"$output")" = "$digest" ]
	[ "$(jq -r .Architecture <<<"$output")" = arm64 ]
	[ "$(jq -c .Labels <<<"$output")" = '{"a":"b","c":"d=e"}' ]
	"$pack" -o image.tar -t v2 tree
	skopeo inspect oci-archive:image.tar:v2
	skopeo copy -q oci-archive:image.tar:v2 dir:copied
	zstd=$("$pack" -o layout -t z --compression zstd tree)
	[ "$(skopeo inspect oci:layout:z | jq -r .Digest)" = "$zstd" ]
}

@test "a layout keeps its other tags, and a tag moves" {
	one=$("$pack" -o layout -t one tree)
	"$pack" -o layout -t two --compression none tree
	rm tree/etc/fifo
	moved=$("$pack" -o layout -t two tree)
	[ "$(jq '.manifests | length' layout/index.json)" = 2 ]
	[ "$(manifest one)" = "$(blob "$one")" ]
	[ "$(manifest two)" = "$(blob "$moved")" ]
	run find layout -name '.new-*'
	[ -z "$output" ]
}

@test "blobs are what their names say, diff ids what the tars are" {
	"$pack" -o layout -t gz tree
	"$pack" -o layout -t zst --compression zstd tree
	for file in layout/blobs/sha256/*; do
		[ "$(sha256sum <"$file")" = "${file##*/}  -" ]
	done
	layer=$(jq -r '.layers[0].digest' "$(manifest gz)")
	diff_id=$(jq -r '.rootfs.diff_ids[0]' "$(blob "$(jq -r .config.digest "$(manifest gz)")")")
	[ "sha256:$(gzip -dc "$(blob "$layer")" | sha256sum)" = "$diff_id  -" ]
	layer=$(jq -r '.layers[0].digest' "$(manifest zst)")
	[ "sha256:$(zstd -dc "$(blob "$layer")" | sha256sum)" = "$diff_id  -" ]
}

@test "a compressed tar is taken as it is, unless another compression is asked for" {
	tar -c -C tree -f layer.tar .
	gzip -1 -k layer.tar
	zstd -q layer.tar
	xz -0 -k layer.tar
	"$pack" -o layout layer.tar.gz layer.tar.zst layer.tar layer.tar.xz
	run jq -r '.layers[] | .mediaType' "$(manifest latest)"
	[ "${lines[0]##*+}" = gzip ] && [ "${lines[1]##*+}" = zstd ]
	[ "${lines[2]##*+}" = gzip ] && [ "${lines[3]##*+}" = gzip ]
	cmp "$(blob "$(jq -r '.layers[0].digest' "$(manifest latest)")")" layer.tar.gz
	config=$(blob "$(jq -r .config.digest "$(manifest latest)")")
	[ "$(jq -r '.rootfs.diff_ids[]' "$config" | sort -u)" = "sha256:$(sha256sum <layer.tar | cut -c 1-64)" ]
	"$pack" -o layout -t plain --compression none layer.tar.gz
	cmp "$(blob "$(jq -r '.layers[0].digest' "$(manifest plain)")")" layer.tar
}

@test "without --output it goes into the local store, under its full name" {
	"$pack" --state-dir state -t 127.0.0.1:5000/root:1 tree
	[ "$(jq -r '.manifests[0].annotations[]' state/images/index.json)" = 127.0.0.1:5000/root:1 ]
	run "$pack" --state-dir state tree
	[ "$status" = 2 ]
}

@test "a platform by its other names" {
	[ "$("$pack" --platform aarch64 -o layout -t a tree)" = "$("$pack" --platform linux/arm64 -o layout -t b tree)" ]
}

@test "--json says what was made" {
	run "$pack" --json -o layout -t v1 tree
	[ "$(jq -c '[.ref, .layers]' <<<"$output")" = '["v1",1]' ]
	[ "$(jq -r .digest <<<"$output")" = "$(jq -r '.manifests[0].digest' layout/index.json)" ]
}

@test "bad input: one clear line, its own exit status, nothing named" {
	run "$pack" -o layout tree nosuch
	[ "$status" = 4 ] && [[ $output == *nosuch* ]]
	[ ! -e layout ]
	echo 'no tar' >text
	run "$pack" -o layout text
	[ "$status" = 3 ] && [[ $output == *'text: not a tar'* ]]
	: >empty
	run "$pack" -o layout empty
	[ "$status" = 3 ] && [[ $output == *empty* ]]
	tar -c -z -C tree -f layer.tar.gz .
	head -c 20000 layer.tar.gz >cut.tar.gz
	run "$pack" -o layout cut.tar.gz
	[ "$status" = 12 ] && [[ $output == *cut.tar.gz* ]]
	run "$pack" -o layout --compression none cut.tar.gz
	[ "$status" = 12 ]
	run "$pack" -o image.tar text
	[ "$status" = 3 ] && [ ! -e image.tar ]
	run "$pack" -o image.tgz tree
	[ "$status" = 13 ] && [ ! -e image.tgz ] && [[ $output == *"write FILE.tar"* ]]
	[ "$(jq '.manifests | length' layout/index.json)" = 0 ]
	run find . -name '.new-*' -o -name 'image.tar*'
	[ -z "$output" ]
}

@test "bad words: exit status 2 or 3" {
	run "$pack" -o layout
	[ "$status" = 2 ]
	run "$pack" -o layout --compression lzma tree
	[ "$status" = 2 ]
	run "$pack" -o layout --owner root tree
	[ "$status" = 2 ]
	run "$pack" -o layout --created yesterday tree
	[ "$status" = 2 ]
	run "$pack" -o layout --platform sparc tree
	[ "$status" = 3 ]
	for tag in "a b" "" "a'"; do
		run "$pack" -o layout -t "$tag" tree
		[ "$status" = 2 ]
	done
	run "$pack" -o layout --label nothing tree
	[ "$status" = 3 ]
	run "$pack" -o tree tree
	[ "$status" = 5 ]
}
