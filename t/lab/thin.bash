# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# What the files of tests about thin pools share: a pool on loop devices, looked at before and after
# each test.

POOL=flintlock-dev-thinpool

thin_setup_file() {
	export FL_STATE_DIR=/tmp/state FL_RUN_DIR=/tmp/run IMAGES=/tmp/small POOLS=/tmp/pools
	small_images "$IMAGES"
	mkdir -p "$POOLS"
}

# pool_make [DATA-MIB [BLOCK-SECTORS [FEATURES…]]]: a new and empty one.
pool_make() {
	local mib=${1:-256} block=${2:-128}
	shift $(($# < 2 ? $# : 2))
	rm -f "$POOLS"/*
	truncate -s "${mib}M" "$POOLS/data"
	truncate -s "${METADATA:-8M}" "$POOLS/metadata"
	pool_on "$mib" "$block" "$@"
}

pool_on() {
	local mib=$1 block=$2
	shift 2
	[ $# -gt 0 ] || set -- skip_block_zeroing
	dmsetup create "$POOL" --table "0 $((mib * 2048)) thin-pool $(losetup -f --show "$POOLS/metadata") \
		$(losetup -f --show "$POOLS/data") $block 16 $# $*"
}

pool_off() {
	local device file
	dmsetup remove --retry "$POOL" || true
	for file in "$POOLS/data" "$POOLS/metadata"; do
		device=$(losetup -n -O NAME -j "$file")
		[ -z "$device" ] || losetup -d "$device"
	done
}

# What is in the pool, as its metadata have it: "ID MAPPED-BLOCKS" by line.
pool_content() {
	local metadata
	metadata=$(losetup -n -O NAME -j "$POOLS/metadata")
	dmsetup message "$POOL" 0 reserve_metadata_snap
	thin_dump -m "$metadata" | sed -n 's/.*<device dev_id="\([0-9]*\)" mapped_blocks="\([0-9]*\)".*/\1 \2/p'
	dmsetup message "$POOL" 0 release_metadata_snap
}

thin_setup() {
	rm -rf "$FL_STATE_DIR" "$FL_RUN_DIR"
	# What a test that failed left.
	dmsetup ls | sed -n 's/^\(fl-[^\t]*\|stranger[^\t]*\).*/\1/p' | xargs -r -n1 dmsetup remove
	[ ! -e "$POOLS/data" ] || pool_off 2>/dev/null
}

# Nothing may be left: not in device-mapper, not in the pool but bases, and it must be sound.
thin_teardown() {
	local metadata
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
	not grep -qv -e "^$POOL" -e stranger -e 'No devices' <<<"$(dmsetup ls)"
	dmsetup ls | grep -q "^$POOL" || return 0
	remove_bases
	[ -z "$(find "$FL_STATE_DIR/thin" -type f -name '[0-9.]*')" ]
	pool_content >"$BATS_TEST_TMPDIR/content"
	if [ -e "$BATS_TEST_TMPDIR/strangers" ]; then
		diff "$BATS_TEST_TMPDIR/strangers" "$BATS_TEST_TMPDIR/content"
	else
		[ ! -s "$BATS_TEST_TMPDIR/content" ]
	fi
	metadata=$(losetup -n -O NAME -j "$POOLS/metadata")
	dmsetup remove --retry "$POOL"
	thin_check "$metadata"
	pool_off
}

remove_bases() {
	fl-snap ls --json | jq -r 'select(.kind == "thin").name' | xargs -r fl-snap rm
}

# A "!" alone fails no test.
not() {
	! "$@"
}

# disks NAME [fl-spec options…]: the record after the disks are made; in $UP what fl-snap is told.
disks() {
	# shellcheck disable=SC2086 # options
	small_spec "$@" | fl-pull up -q | fl-snap up -q ${UP:-}
}

volume() { # RECORD [ID]
	jq -r ".host.volumes.${2:-root}.path" <<<"$1"
}

mark() { # DEVICE TEXT
	printf '%-512s' "$2" | dd of="$1" bs=512 seek=8 conv=fsync status=none
}

marked() { # DEVICE TEXT
	dd if="$1" bs=512 skip=8 count=1 iflag=direct status=none | grep -q "$2"
}
