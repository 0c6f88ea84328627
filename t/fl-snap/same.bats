#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The same layers give the same disk, to the byte: whatever they are packed with, and whichever
# is sooner.

load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	set -o pipefail
}

# of FILE…: the disk's sum, after the layers were packed into an image of their own; options of
# export in $OPTIONS.
of() {
	rm -rf layout img
	fl-pack image -q -t x -o layout "$@" >/dev/null
	fl-pull get -q --pull always oci:layout:x >/dev/null
	# shellcheck disable=SC2086 # words
	fl-snap export ${OPTIONS:-} oci:layout:x img >/dev/null
	sha256sum <img
}

# tiny NAME COUNT: a tar of so many files of a few bytes, which fill four times as much of a disk.
tiny() {
	python3 - "$1" "$2" <<-'PYTHON'
		import io, sys, tarfile
		name, count = sys.argv[1], int(sys.argv[2])
		with tarfile.open(name + ".tar", "w", format=tarfile.GNU_FORMAT) as tar:
		    for i in range(count):
		        entry, data = tarfile.TarInfo(f"{name}/{i // 500}/{i}"), b"%d" % i
		        entry.size = len(data)
		        tar.addfile(entry, io.BytesIO(data))
	PYTHON
}

# random NAME BYTES
random() {
	mkdir -p "tree/$1"
	python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(sys.argv[1]).randbytes(int(sys.argv[2])))' \
		"$1" "$2" >"tree/$1/data"
	tar --mtime @0 -C tree -cf "$1.tar" "$1"
}

# every_packing NAME…: NAME.tar in each packing, of which some do not say how large it is.
every_packing() {
	for name in "$@"; do
		gzip -kf "$name.tar"
		# From a pipe: the frame's header names no size.
		zstd -qc <"$name.tar" >"$name.tar.zst"
		{ head -c 2000000 "$name.tar" | gzip -1; tail -c +2000001 "$name.tar" | gzip -1; } >"$name.many.gz"
		{ head -c 2000000 "$name.tar" | zstd -qc; tail -c +2000001 "$name.tar" | zstd -qc; } >"$name.many.zst"
	done
	for suffix in tar tar.gz tar.zst many.gz many.zst; do
		of "${@/%/.$suffix}"
	done
}

@test "layers of tiny files, which want more than the tar's size, side by side" {
	for name in a b c; do tiny $name 8000; done
	for _ in 1 2 3 4 5 6; do of a.tar b.tar c.tar; done | tee sums
	[ "$(wc -l <sums)" = 6 ]
	[ "$(sort -u sums | wc -l)" = 1 ]
	e2fsck -fn img
	for _ in 1 2 3 4 5 6; do OPTIONS="--size 512M" of a.tar b.tar c.tar; done | tee sums
	[ "$(wc -l <sums)" = 6 ]
	[ "$(sort -u sums | wc -l)" = 1 ]
}

@test "each packing, with a size in front, behind, or nowhere" {
	random one 21000000
	random two 9000000
	tiny three 3000
	every_packing one two three | tee sums
	[ "$(wc -l <sums)" = 5 ]
	[ "$(sort -u sums | wc -l)" = 1 ]
	OPTIONS="--size 256M" every_packing one two three | tee sums
	[ "$(wc -l <sums)" = 5 ]
	[ "$(sort -u sums | wc -l)" = 1 ]
	e2fsck -fn img
}

@test "a disk that just holds the layers, of which one wants more than its share" {
	random one 30000000
	tiny two 3500
	random three 10000000
	OPTIONS="--size 64M" every_packing one two three | tee sums
	[ "$(wc -l <sums)" = 5 ]
	[ "$(sort -u sums | wc -l)" = 1 ]
	e2fsck -fn img
}
