#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Random images: what is built is what umoci unpacks, entry by entry, and the same bytes however it
# was packed; and so is each of its files when it is taken alone.
# FL_RANDOM_SEED: the first seed; FL_RANDOM_IMAGES: how many.

load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	[ "$(id -u)" = 0 ] || skip "not root: images cannot be mounted, nor devices made"
}

teardown() {
	if mountpoint -q "$BATS_TEST_TMPDIR/mnt"; then umount "$BATS_TEST_TMPDIR/mnt"; fi
}

# compare COMPRESSION: the image as it is built, with what umoci made of the same layers.
compare() {
	local status=0
	settled "$FL_STATE_DIR"
	rm -rf layout.other state img
	# shellcheck disable=SC2046 # names without blanks
	fl-pack image -q --compression "$1" -t x -o layout.other $(ls ./*.tar) >/dev/null
	fl-pull get -q oci:layout.other:x >/dev/null
	fl-snap export --size 64M oci:layout.other:x img
	e2fsck -fn img >e2fsck.log 2>&1 || { cat e2fsck.log; return 1; }
	sha256sum <img >>sums
	mount -o loop,ro img mnt
	xargs -0 -a timeless python3 "$FL_TOP/t/fl-snap/compare_trees.py" bundle/rootfs mnt || status=$?
	umount mnt
	[ "$status" = 0 ]
}

# Every file that umoci has, taken out by its name; and what it does not have is not found.
compare_files() {
	local path files=0 gone=0
	while IFS= read -r -d '' path; do
		fl-snap file oci:layout.other:x "$path" one || { echo "$path"; return 1; }
		cmp one "bundle/rootfs/$path" || { echo "$path"; return 1; }
		files=$((files + 1))
	done < <(cd bundle/rootfs && find . -type f -print0 | sed -z 's,^\./,,')
	[ "$files" -gt 0 ] || return 1
	while IFS= read -r -d '' path; do
		if [ -e "bundle/rootfs/$path" ] || [ -L "bundle/rootfs/$path" ]; then continue; fi
		fails_with 4 "not in the image" fl-snap file oci:layout.other:x "$path" one || return 1
		gone=$((gone + 1))
	done < <(python3 -c 'import sys, tarfile
for path in sys.argv[1:]:
    with tarfile.open(path, errors="surrogateescape") as tar:
        for name in tar.getnames():
            sys.stdout.buffer.write(name.encode("utf-8", "surrogateescape") + b"\0")' ./*.tar |
		grep -a -z -v -E '(^|/)\.wh\.' | sort -z -u)
	echo "$files files, $gone gone"
}

@test "random layers: ext4 as umoci unpacks them, for gzip, zstd and none" {
	seed=${FL_RANDOM_SEED:-1}
	mkdir -p mnt
	truncate -s 16M probe && mkfs.ext4 -q probe
	mount -o loop,ro probe mnt 2>/dev/null || skip "no loop devices"
	umount mnt
	for seed in $(seq "$seed" $((seed + ${FL_RANDOM_IMAGES:-5} - 1))); do
		echo "seed $seed"
		rm -rf ./*.tar layout bundle sums
		python3 "$FL_TOP/t/fl-snap/random_layers.py" "$seed" .
		# shellcheck disable=SC2046
		fl-pack image -q --compression gzip -t x -o layout $(ls ./*.tar) >/dev/null
		umoci unpack --image layout:x bundle >/dev/null
		for how in gzip zstd none; do
			compare "$how" || { echo "seed $seed, $how"; return 1; }
		done
		[ "$(sort -u sums | wc -l)" = 1 ] || { echo "seed $seed"; cat sums; return 1; }
		compare_files || { echo "seed $seed"; return 1; }
	done
}

@test "a seed gives the same layers always" {
	python3 "$FL_TOP/t/fl-snap/random_layers.py" 7 one
	PYTHONHASHSEED=5 python3 "$FL_TOP/t/fl-snap/random_layers.py" 7 two
	diff -r one two
}
