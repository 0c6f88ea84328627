#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# File systems straight from layers: equal to what umoci unpacks, clean to e2fsck.

load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
	if mountpoint -q "$BATS_TEST_TMPDIR/mnt"; then umount "$BATS_TEST_TMPDIR/mnt"; fi
}

# pack TAR…: the layers as image "x"; further options in $PACK.
pack() {
	# shellcheck disable=SC2086 # words
	fl-pack image -q ${PACK:-} -t x -o layout "$@" >/dev/null
	fl-pull get -q --pull always oci:layout:x >/dev/null
}

export_clean() {
	fl-snap export "$@" oci:layout:x img
	e2fsck -fn img
}

mount_img() {
	[ "$(id -u)" = 0 ] || skip "not root: the image cannot be mounted"
	mkdir -p mnt
	mount -o loop,ro img mnt 2>/dev/null || skip "no loop devices: the image cannot be mounted"
}

for_umoci() {
	umoci unpack --image layout:x bundle >/dev/null
}

compare_good() {
	python3 "$FL_TOP/t/fl-snap/make_layers.py" .
	PACK="--compression $1" pack 1.tar 2.tar 3.tar
	export_clean --size 64M
	mount_img
	for_umoci
	python3 "$FL_TOP/t/fl-snap/compare_trees.py" bundle/rootfs mnt implicit implicit/parents \
		implicit/parents/of implicit/parents/of/a names deep $(deep_folders)
}

# Parents that no layer names.
deep_folders() {
	local path=deep
	for _ in $(seq 500); do
		path=$path/d
		echo "$path"
	done
}

@test "all that a layer may hold, as umoci unpacks it (gzip)" {
	compare_good gzip
}

@test "all that a layer may hold, as umoci unpacks it (plain tar)" {
	compare_good none
}

@test "zstd layers, which umoci cannot unpack, give the same bytes" {
	python3 "$FL_TOP/t/fl-snap/make_layers.py" .
	PACK="--compression gzip" pack 1.tar 2.tar 3.tar
	export_clean --size 64M
	mv img gzip
	settled "$FL_STATE_DIR"
	rm -rf layout state
	PACK="--compression zstd" pack 1.tar 2.tar 3.tar
	export_clean --size 64M
	cmp gzip img
}

# flip FILE: the last byte but eight of a gzip file, so that only its sum is wrong.
flip() {
	chmod u+w "$1"
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(-8, 2)
    byte = file.read(1)[0]
    file.seek(-8, 2)
    file.write(bytes([byte ^ 1]))' "$1"
}

@test "sizes: as asked, sparse, and an error when the content does not fit" {
	head -c 9000000 /dev/urandom >random
	mkdir tree && mv random tree/
	pack tree
	export_clean --size 3G
	[ "$(stat -c %s img)" = $((3 << 30)) ]
	[ "$(du -m img | cut -f1)" -lt 120 ]
	run fl-snap export --size 8M oci:layout:x small
	[ "$status" = 3 ]
	[[ "$output" == *"too small"* ]]
	[ ! -e small ]
	export_clean
}

@test "a folder of 100,000 entries" {
	python3 "$FL_TOP/t/fl-snap/make_layers.py" . folder100k
	pack 1.tar
	export_clean --size 2G
	mount_img
	[ "$(find mnt/d -type f | wc -l)" = 100000 ]
	[ -e "mnt/d/077777-yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" ]
}

@test "a sparse file over 4 GiB" {
	mkdir tree
	truncate -s 5G tree/large
	echo end >>tree/large
	tar --sparse -C tree -cf 1.tar large
	PACK="--compression none" pack 1.tar
	export_clean --size 8G
	mount_img
	[ "$(stat -c %s mnt/large)" = $((5 * (1 << 30) + 4)) ]
	[ "$(tail -c 4 mnt/large)" = end ]
}

@test "hostile names never leave the image, or are refused by name" {
	for kind in dotdot dotdot-link missing-link deep long-name loop; do
		rm -rf layout 1.tar
		python3 "$FL_TOP/t/fl-snap/make_layers.py" . "$kind"
		pack 1.tar
		run fl-snap export --size 16M oci:layout:x img
		echo "$kind: $output"
		[ "$status" = 12 ]
		[[ "$output" == *"layer"* ]]
		[ ! -e img ]
		settled "$FL_STATE_DIR"
		rm -rf state
	done
}

@test "absolute names and links to above stay inside" {
	python3 "$FL_TOP/t/fl-snap/make_layers.py" . inside
	pack 1.tar
	export_clean --size 16M
	[ "$(debugfs -R 'cat /etc/inside' img 2>/dev/null)" = inside ]
	[ "$(debugfs -R 'cat /absolute' img 2>/dev/null)" = absolute ]
}

@test "extended attributes beyond a block are an error" {
	python3 "$FL_TOP/t/fl-snap/make_layers.py" . big-xattr
	pack 1.tar
	run fl-snap export --size 16M oci:layout:x img
	[ "$status" = 13 ]
	[[ "$output" == *user.huge* ]]
}

# damage COMMAND…: changes the one layer of the store.
damage() {
	python3 "$FL_TOP/t/fl-snap/make_layers.py" .
	PACK="--compression ${1}" pack 3.tar
	layer=$(jq -r '.layers[0].digest' "layout/blobs/sha256/$(jq -r '.manifests[0].digest' layout/index.json | cut -d: -f2)")
	blob=$FL_STATE_DIR/images/blobs/sha256/${layer#sha256:}
	chmod u+w "$blob"
}

@test "a damaged layer is told by digest or packing" {
	for compression in gzip zstd none; do
		damage "$compression"
		size=$(stat -c %s "$blob")
		printf '\377\377\377\377' | dd of="$blob" bs=1 seek=$((size / 2)) conv=notrunc status=none
		run fl-snap export --size 16M oci:layout:x img
		echo "$compression: $output"
		[ "$status" = 12 ]
		[ ! -e img ]
		settled "$FL_STATE_DIR"
		rm -rf layout state
	done
}

@test "no space in the target: a clear error, nothing half-written" {
	unshare -m true 2>/dev/null || skip "no right to mount a small file system"
	mkdir tree && head -c 3000000 /dev/urandom >tree/random
	pack tree
	unshare -m bash -euc '
		mkdir -p full
		mount -t tmpfs -o size=1m tmpfs full
		status=0
		fl-snap export --size 16M oci:layout:x full/img || status=$?
		[ "$status" = 11 ]
		[ -z "$(ls -A full)" ]
		mount -o remount,size=20m full
		fl-snap export --size 16M oci:layout:x full/img
		e2fsck -fn full/img'
}

@test "create: a UUID of its own in every superblock, the base shared" {
	mkdir tree && echo x >tree/x
	pack tree
	fl-snap create --size 1G oci:layout:x a
	fl-snap create --size 1G oci:layout:x b
	e2fsck -fn a
	[ "$(blkid -o value -s UUID a)" != "$(blkid -o value -s UUID b)" ]
	[ "$(dumpe2fs -h -o superblock=32768 -o blocksize=4096 a 2>/dev/null | grep UUID)" = "$(dumpe2fs -h a 2>/dev/null | grep UUID)" ]
	[ "$(fl-snap ls --json | grep -c '"bases"')" = 1 ]
}

@test "a base of another boot that is not known to be on disk is built again" {
	mkdir tree && echo x >tree/x
	export FL_BOOT_ID=before
	pack tree
	fl-snap create --size 16M oci:layout:x a
	settled "$FL_STATE_DIR"
	# As if power went before the sync in the background was done.
	mkdir -p "$FL_STATE_DIR/bases/.pending"
	for base in "$FL_STATE_DIR"/bases/*; do
		echo -n before >"$FL_STATE_DIR/bases/.pending/${base##*/}"
		chmod u+w "$base" && truncate -s 0 "$base" && truncate -s 16M "$base"
	done
	export FL_BOOT_ID=after
	fl-pull get -q oci:layout:x
	fl-snap create --size 16M oci:layout:x b
	e2fsck -fn b
}

@test "file: what lies below the layer that has the last word is not read; what is read is verified" {
	mkdir -p tree/boot up/boot && echo kernel >tree/boot/vmlinux && echo newer >up/boot/vmlinux
	pack tree up
	# shellcheck disable=SC2046 # hex
	set -- $(fl-pull inspect --json oci:layout:x | jq -r '.layers[].digest' | cut -d: -f2)
	[ $# = 2 ]
	flip "$FL_STATE_DIR/images/blobs/sha256/$1"
	fl-snap file oci:layout:x boot/vmlinux out
	[ "$(cat out)" = newer ]
	fails_with 12 "$1" fl-snap file oci:layout:x boot/other other
	flip "$FL_STATE_DIR/images/blobs/sha256/$2"
	fails_with 12 "layer $2: the store holds other bytes" fl-snap file oci:layout:x boot/vmlinux other
	[ ! -e other ]
}

# layers TAR=ENTRY[,ENTRY…]…: an image of tars in which an entry is FOLDER/, NAME=TEXT, NAME>LINK, in
# that order.
layers() {
	python3 -c 'import io, sys, tarfile
for word in sys.argv[1:]:
    name, entries = word.split(":", 1)
    with tarfile.open(name + ".tar", "w") as tar:
        for entry in entries.split(","):
            info = tarfile.TarInfo(entry.rstrip("/").split("=")[0].split(">")[0])
            data = entry.split("=")[1].encode() if "=" in entry else b""
            info.size = len(data)
            if entry.endswith("/"):
                info.type = tarfile.DIRTYPE
            if ">" in entry:
                info.type, info.linkname = tarfile.SYMTYPE, entry.split(">")[1]
            tar.addfile(info, io.BytesIO(data))' "$@"
	# shellcheck disable=SC2046 # words
	pack $(printf '%s.tar ' "${@%%:*}")
}

# has PATH CONTENT: what is taken out, and what the file system of the image has.
has() {
	fl-snap file oci:layout:x "$1" out
	[ "$(cat out)" = "$2" ]
}

@test "file: what else a layer does with its name counts, before and after it" {
	layers a:boot/,boot/k=old,boot/k=new && has boot/k new
	layers a:boot/k=one,other/k=two,boot\>other && has boot/k two
	layers a:lib\>usr/lib b:lib/modules/k=one,lib/modules/,lib/
	fails_with 4 "not in the image" fl-snap file oci:layout:x lib/modules/k out
	layers a:lib\>usr/lib b:usr/,usr/lib/,usr/lib/k=one,lib/k=two && has usr/lib/k two
	layers a:usr/,usr/lib/,lib\>usr/lib,usr/lib/k=one,lib/k=two && has usr/lib/k two
	layers a:boot/,boot/k=low b:boot/,boot/x=1 c:boot/,boot/y=2 && has boot/k low
}

@test "file: a layer that is long to read has the last word over the one below, which is through before" {
	mkdir -p low/boot && echo low >low/boot/k && tar -C low -cf low.tar .
	head -c 40M /dev/urandom >a && mkdir boot && echo up >boot/k && : >boot/.wh.k && : >boot/x
	tar -cf up.tar a boot/k
	tar -cf gone.tar a boot/.wh.k
	tar -cf other.tar a boot/x
	pack low.tar up.tar && has boot/k up
	pack low.tar other.tar && has boot/k low
	pack low.tar gone.tar
	fails_with 4 "not in the image" fl-snap file oci:layout:x boot/k out
	# Of what is read ahead nothing is said when it is not needed.
	tar --no-recursion -cf up.tar a boot boot/k
	pack low.tar up.tar other.tar
	flip "$FL_STATE_DIR/images/blobs/sha256/$(fl-pull inspect --json oci:layout:x | jq -r '.layers[0].digest' | cut -d: -f2)"
	has boot/k up
	fails_with 12 "the store holds other bytes" fl-snap file oci:layout:x boot/x1 out
}

@test "file: paths that only a walk can follow, names that are none" {
	layers a:d/,d/e/,link\>d/e,b=one,d/b=two,.wh.gone=x
	has link/../b two
	has ./b one && has //d//b two
	for path in nosuch/../b b/../b b/. .wh.gone; do
		fails_with 4 "not in the image" fl-snap file oci:layout:x "$path" out
	done
	fails_with 3 "not a file" fl-snap file oci:layout:x / out
}

@test "a disk, a pipe, a folder, a link to what is open: not replaced by a file" {
	mkdir -p tree/boot && echo kernel >tree/boot/vmlinux
	pack tree
	mkfifo pipe && mkdir folder && ln -s /proc/self/fd/1 link && ln -s /dev/null null
	for command in "export oci:layout:x" "create oci:layout:x" "file oci:layout:x boot/vmlinux"; do
		for target in pipe folder null; do
			# shellcheck disable=SC2086 # words
			fails_with 5 "$target: is" fl-snap $command "$target"
		done
		fails_with 5 "link: leads to" bash -c "fl-snap $command link >into"
		# shellcheck disable=SC2086
		fails_with 2 "standard output" fl-snap $command -
	done
	fails_with 5 "pipe: is" fl-pull export oci:layout:x oci-archive:pipe
	[ -p pipe ] && [ -d folder ] && [ -L link ] && [ -L null ]
	fl-snap file oci:layout:x boot/vmlinux ./-
	[ "$(cat ./-)" = kernel ]
}

@test "an image that is there for another platform: what brings it names the one asked for" {
	mkdir tree && echo x >tree/x
	pack tree
	fails_with 4 "\"fl-pull get --platform linux/s390x oci:layout:x\"" fl-snap export -p linux/s390x oci:layout:x img
}

@test "file: one out of an image, through links inside it, and by name when it is not there" {
	mkdir -p tree/boot && echo kernel >tree/boot/vmlinux-6 && ln -s vmlinux-6 tree/boot/vmlinux && ln -s /boot tree/b
	pack tree
	fl-snap file oci:layout:x b/vmlinux out
	[ "$(cat out)" = kernel ]
	[ -z "$(fl-snap ls --json)" ]
	[ "$(cat "$(fl-snap file oci:layout:x boot/vmlinux)")" = kernel ]
	[ "$(fl-snap ls --json | jq -r .kind)" = files ]
	fl-snap file oci:layout:x boot/vmlinux-6 out
	[ "$(cat out)" = kernel ]
	# Another layer has the last word: it replaces the file, its folder, or takes it away.
	mkdir -p up/boot gone/boot && echo newer >up/boot/vmlinux-6 && : >gone/boot/.wh.vmlinux-6
	pack tree up
	fl-snap file oci:layout:x boot/vmlinux-6 out
	[ "$(cat out)" = newer ]
	pack tree up gone
	run fl-snap file oci:layout:x boot/vmlinux-6 out
	[ "$status" = 4 ]
	mkdir -p link other && ln -s /other link/boot && echo other >other/vmlinux-6
	mkdir below && mv other below/other
	pack tree link below
	fl-snap file oci:layout:x boot/vmlinux-6 out
	[ "$(cat out)" = other ]
	mkdir -p both && cp -a tree/boot both/boot && cp -a below/other both/other
	pack both link
	fl-snap file oci:layout:x boot/vmlinux-6 out
	[ "$(cat out)" = other ]
	pack tree
	run fl-snap file oci:layout:x boot/nosuch other
	echo "$output"
	[ "$status" = 4 ]
	[[ "$output" == *"/boot holds: "*vmlinux* ]]
	run fl-snap file oci:layout:x boot other
	[ "$status" = 3 ]
	[ ! -e other ]
}
