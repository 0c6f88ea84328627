#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: volumes in a thin pool, with all that can befall one.

load ../lib
load lab
load thin

setup_file() {
	thin_setup_file
}

setup() {
	thin_setup
}

teardown() {
	thin_teardown
}

@test "a volume's life: a clean file system of its own, found again, apart from others, gone" {
	pool_make
	one=$(disks one) two=$(disks two)
	path=$(volume "$one")
	[ -b "$path" ]
	[ "$(jq -r '.host.volumes.root | [.backend, .pool, .format] | @tsv' <<<"$one")" = \
		"$(printf 'thin\t%s\traw' "$POOL")" ]
	[ "$(blkid -p -s UUID -o value "$path")" = "$(jq -r .host.volumes.root.uuid <<<"$one")" ]
	[ "$(blkid -p -s UUID -o value "$path")" != "$(blkid -p -s UUID -o value "$(volume "$two")")" ]
	e2fsck -fn "$path"
	[ "$(blockdev --getsize64 "$path")" = $((16 << 20)) ]
	# The link in the microVM's folder leads to the pool's.
	[ -d "$(find "$FL_STATE_DIR/vm" -name root.thin | head -n 1)" ]
	mark "$path" in-one
	marked "$path" in-one
	not marked "$(volume "$two")" in-one
	again=$(fl-snap up -q <<<"$one")
	[ "$(volume "$again")" = "$path" ]
	marked "$path" in-one
	three=$(disks three)
	not marked "$(volume "$three")" in-one
	[ "$(fl-snap ls --json | jq -r 'select(.kind == "thin").name' | wc -l)" = 1 ]
	[ "$(fl-snap status --json | jq -r 'select(.backend == "thin") | [.name, .state, .bases, .volumes] | @tsv')" = \
		"$(printf '%s\tok\t1\t3' "$POOL")" ]
	fl-snap down <<<"$one" >/dev/null
	[ ! -e "$path" ]
	[ "$(pool_content | wc -l)" = 3 ]
}

@test "a guest cannot write to a read-only volume, nor its host by mistake" {
	pool_make
	record=$(small_spec ro | jq -c '.additional_volumes = [.root_volume | .id = "extra" | .is_read_only = true]' |
		fl-pull up -q | fl-snap up -q)
	path=$(volume "$record" extra)
	[ "$(blockdev --getro "$path")" = 1 ]
	not dd if=/dev/zero of="$path" bs=512 count=1 oflag=direct
	[ "$(blkid -p -s UUID -o value "$path")" = "$(jq -r .host.volumes.extra.uuid <<<"$record")" ]
	[ "$(blkid -p -s UUID -o value "$path")" != "$(blkid -p -s UUID -o value "$(volume "$record")")" ]
	fails_with 8 "is read-only" fl-snap grow ro extra 32M
}

@test "grow: larger at once, and still so when it is switched on again; never smaller" {
	pool_make
	record=$(disks grown)
	path=$(volume "$record")
	mark "$path" kept
	fl-snap grow grown root 24M
	[ "$(blockdev --getsize64 "$path")" = $((24 << 20)) ]
	resize2fs "$path" 2>/dev/null || { e2fsck -fy "$path" >/dev/null || true; resize2fs "$path"; }
	dmsetup remove "$(basename "$path")"
	fl-snap grow grown root 32M
	fl-snap up -q <<<"$record" >/dev/null
	[ "$(blockdev --getsize64 "$path")" = $((32 << 20)) ]
	e2fsck -fn "$path"
	fails_with 3 "never made smaller" fl-snap grow grown root 16M
	fails_with 4 "has no volume data" fl-snap grow grown data 16M
}

@test "a guest's discard gives the pool its space back" {
	pool_make
	record=$(disks discards)
	before=$(fl-snap status --json --backend thin | jq .used)
	dd if=/dev/urandom of="$(volume "$record")" bs=1M seek=8 count=4 oflag=direct status=none
	[ "$(fl-snap status --json --backend thin | jq .used)" -ge $((before + (4 << 20))) ]
	blkdiscard -f -o $((8 << 20)) -l $((4 << 20)) "$(volume "$record")"
	[ "$(fl-snap status --json --backend thin | jq .used)" -le $((before + (1 << 17))) ]
}

# The first id that a name may have, as fl-state(5) says.
first_id() {
	echo $((8388608 + (0x$(printf %s "$1" | sha256sum | cut -c1-6) & 0x7fffff)))
}

@test "ids that strangers have are stepped over, and what they hold stays" {
	pool_make
	disks first >/dev/null
	base=$(fl-snap ls --json | jq -r 'select(.kind == "thin").name')
	fl down -q --all >/dev/null
	fl-snap rm "$base"
	record=$(small_spec stranger | fl-pull up -q)
	name=$(jq -r .spec.uid <<<"$record")/root
	for id in 1 2 $(first_id "$base") $(($(first_id "$base") + 1)) $(first_id "$name"); do
		dmsetup message "$POOL" 0 "create_thin $id"
		dmsetup create "stranger$id" --table "0 32768 thin /dev/mapper/$POOL $id"
		mark "/dev/mapper/stranger$id" "of-stranger-$id"
	done
	pool_content | sort >"$BATS_TEST_TMPDIR/strangers"
	record=$(fl-snap up -q <<<"$record")
	cd "$FL_STATE_DIR"/thin/*/
	[ -e $(($(first_id "$base") + 2)) ]
	[ -e $(($(first_id "$name") + 1)) ]
	e2fsck -fn "$(volume "$record")"
	fl-snap down <<<"$record" >/dev/null
	# Also when we were killed between the note and the discovery: the row goes, the device stays.
	row=$(cat $(($(first_id "$base") + 2)))
	fl-snap rm "$base"
	jq -c '.state = "creating"' <<<"$row" >"$(first_id "$base")"
	fl-snap gc >/dev/null
	[ ! -e "$(first_id "$base")" ]
	for device in /dev/mapper/stranger*; do
		marked "$device" "of-stranger-${device##*stranger}"
		dmsetup remove --retry "${device##*/}"
	done
	sort -o "$BATS_TEST_TMPDIR/strangers" "$BATS_TEST_TMPDIR/strangers"
}

@test "blocks of other sizes, and pools that zero them" {
	for block in 1024 384; do
		pool_make 256 "$block" error_if_no_space
		record=$(disks "block$block" --root-size 17M)
		e2fsck -fn "$(volume "$record")"
		[ "$(fl-snap status --json --backend thin | jq -c '[.block_size, .zeroes, .fails_when_full]')" = \
			"[$((block * 512)),true,true]" ]
		teardown
		setup
	done
}

@test "what was in the pool's blocks before is in no base" {
	pool_make 64
	dmsetup message "$POOL" 0 "create_thin 0"
	dmsetup create stranger --table "0 $((60 * 2048)) thin /dev/mapper/$POOL 0"
	yes 'somebody-elses-secret' | dd of=/dev/mapper/stranger bs=1M count=60 oflag=direct iflag=fullblock status=none
	dmsetup remove --retry stranger
	dmsetup message "$POOL" 0 "delete 0"
	record=$(disks clean)
	not grep -qa somebody-elses-secret "$(volume "$record")"
}

@test "a pool that is missing, not one, full or read-only is told in words, and nothing breaks" {
	fails_with 8 "no thin pool is here" disks_with none --backend thin
	fails_with 8 "there is no device of that name" disks_with none --pool vg-a/lv
	pool_make 32 128 error_if_no_space
	record=$(disks kept)
	path=$(volume "$record")
	fails_with 8 "not a thin pool" disks_with none --pool "$(basename "$path")"
	fails_with 2 "auto, thin, qcow2 or file" disks_with none --backend lvm
	mark "$path" kept-in-the-full-pool
	# A guest that fills it gets an error; what it had written stays.
	fl-snap grow kept root 64M
	not dd if=/dev/urandom of="$path" bs=1M seek=1 count=60 oflag=direct status=none
	[ "$(fl-snap status --json --backend thin | jq -r .state)" = full ]
	fails_with 11 "is full" disks_with none
	fl-snap status | grep -q lvextend
	fl doctor 2>&1 | grep -A1 thin-pool | grep -q 'full'
	marked "$path" kept-in-the-full-pool
	fl down -q none 2>/dev/null || true
	fl-snap down <<<"$record" >/dev/null
	[ "$(fl-snap status --json --backend thin | jq -r .state)" = ok ]
	record=$(disks after)
	e2fsck -fn "$(volume "$record")"
	fl-snap down <<<"$record" >/dev/null
	dmsetup remove --retry "$POOL"
	fails_with 8 "no thin pool is here" disks_with none --backend thin
	fl down -q none 2>/dev/null || true
	pool_off
	pool_on 32 128 read_only
	fails_with 8 "is read-only" disks_with none
	[ "$(fl-snap status --json --backend thin | jq -r .state)" = read-only ]
	pool_off
	pool_on 32 128
}

# A larger one in its place, as thin_repair makes it of what is there.
metadata_grow() {
	dmsetup ls | sed -n 's/^\(fl-[^\t]*\).*/\1/p' | xargs -r -n1 dmsetup remove --retry
	dmsetup remove --retry "$POOL"
	truncate -s 8M "$POOLS/larger"
	larger=$(losetup -f --show "$POOLS/larger")
	thin_repair -i "$(losetup -n -O NAME -j "$POOLS/metadata")" -o "$larger"
	thin_check --clear-needs-check-flag "$larger"
	pool_off 2>/dev/null
	losetup -d "$larger"
	mv "$POOLS/larger" "$POOLS/metadata"
	pool_on 512 128
}

@test "metadata that runs out: nothing new is begun, guests' work is kept, more of it mends all" {
	METADATA=192K pool_make 512
	for i in $(seq 40); do
		run disks "m$i"
		[ "$status" = 0 ] || break
		record=$output
	done
	[ "$i" -gt 1 ]
	[ "$status" = 11 ]
	[[ "$output" == *"of metadata left"*"lvextend --poolmetadatasize"* ]]
	[ "$(fl-snap status --json --backend thin | jq -r .state)" != read-only ]
	dmsetup status "$POOL" | grep -w rw
	# Guests go on to write, until there is none.
	path=$(volume "$record")
	mark "$path" kept
	fl-snap grow "$(jq -r .spec.id <<<"$record")" root 1G
	not dd if=/dev/zero of="$path" bs=1M seek=1 count=480 oflag=direct status=none
	[ "$(fl-snap status --json --backend thin | jq -r .state)" = read-only ]
	fails_with 8 "it ran out of metadata" disks refused
	fails_with 8 "lvextend --poolmetadatasize" fl-snap down m1
	metadata_grow
	[ "$(fl-snap status --json --backend thin | jq -r .state)" = ok ]
	fl-snap up -q <<<"$record" >/dev/null
	marked "$path" kept
	disks refused >/dev/null
}

@test "a pool that was made anew with other blocks: what is lost is said, all else goes on" {
	pool_make
	old=$(disks old)
	dmsetup remove --retry "$(basename "$(volume "$old")")"
	pool_off
	pool_make 256 1024
	fails_with 12 "has lost device" fl-snap up -q <<<"$old"
	new=$(disks new)
	e2fsck -fn "$(volume "$new")"
	[ "$(fl-snap status --json --backend thin | jq .block_size)" = 524288 ]
	fl down -q old >/dev/null
	again=$(disks old)
	e2fsck -fn "$(volume "$again")"
}

disks_with() {
	local name=$1
	shift
	UP=$* disks "$name"
}

@test "gc: what no image and no microVM leads to, in both back ends" {
	pool_make
	thin=$(disks thin)
	file=$(UP="--backend file" disks file)
	[ "$(fl-snap gc --json)" = "" ]
	down=$(disks lost)
	rm -rf "$FL_STATE_DIR/vm/default/lost"
	[ "$(fl-snap gc --dry-run --json | jq -r .kind)" = volumes ]
	[ -b "$(volume "$down")" ]
	fl-snap gc --json
	[ ! -e "$(volume "$down")" ]
	fl-pull rm "oci:$IMAGES/layout:root" "oci:$IMAGES/layout:kernel"
	# Microvms still lead to them.
	[ "$(fl-snap gc --json)" = "" ]
	fl down -q --all >/dev/null
	[ "$(fl-snap gc --dry-run --json | jq -r .kind | sort -u | xargs)" = "bases files thin" ]
	fl-snap gc
	[ -z "$(fl-snap ls --json)" ]
	[ -z "$(pool_content)" ]
	[ -n "$thin$file" ]
}

@test "ten at once want one base: it is made once, and each has its own disk" {
	pool_make
	for i in $(seq 10); do
		small_spec "many$i" | fl-pull up -q >"$BATS_TEST_TMPDIR/$i"
	done
	for i in $(seq 10); do
		fl-snap up -q <"$BATS_TEST_TMPDIR/$i" >"$BATS_TEST_TMPDIR/$i.up" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in $(seq 10); do
		mark "$(volume "$(cat "$BATS_TEST_TMPDIR/$i.up")")" "number-$i-"
	done
	for i in $(seq 10); do
		marked "$(volume "$(cat "$BATS_TEST_TMPDIR/$i.up")")" "number-$i-"
	done
	[ "$(fl-snap status --json --backend thin | jq -c '[.bases, .volumes]')" = "[1,10]" ]
	[ "$(pool_content | wc -l)" = 11 ]
	fl down -q --all >/dev/null
	[ "$(pool_content | wc -l)" = 1 ]
}

@test "the pool that direct_lvm makes, through LVM's names, beside a volume of LVM's" {
	truncate -s 1G "$POOLS/disk"
	disk=$(losetup -f --show "$POOLS/disk")
	fl-provision direct_lvm -q -y -d "$disk" 3>&-
	record=$(disks lvm)
	[ "$(jq -r .host.volumes.root.pool <<<"$record")" = flintlock-thinpool ]
	e2fsck -fn "$(volume "$record")"
	fl-snap down <<<"$record" >/dev/null
	# Now LVM puts a layer over the pool; the base in it is found again.
	lvcreate --quiet --thin --virtualsize 16M --name user flintlock/thinpool 3>&-
	mark /dev/mapper/flintlock-user of-lvm
	transaction=$(lvs --noheadings -o transaction_id flintlock/thinpool 3>&-)
	first=$(disks first)
	[ "$(jq -r .host.volumes.root.pool <<<"$first")" = flintlock-thinpool-tpool ]
	mark "$(volume "$first")" kept
	second=$(UP="--pool flintlock/thinpool" disks second)
	[ "$(fl-snap status --json --backend thin | jq -c '[.bases, .volumes]')" = "[1,2]" ]
	[ "$(find "$FL_STATE_DIR/thin" -name pool.json | wc -l)" = 1 ]
	marked "$(volume "$first")" kept
	not marked "$(volume "$second")" kept
	# Switched off and on, as by a restart, LVM finds its pool as it left it, and so do we.
	dmsetup remove "$(basename "$(volume "$first")")"
	fl-snap down <<<"$second" >/dev/null
	vgchange -an flintlock 3>&-
	vgchange -ay flintlock 3>&-
	fl-snap up -q <<<"$first" >/dev/null
	marked "$(volume "$first")" kept
	fl-snap down <<<"$first" >/dev/null
	remove_bases
	marked /dev/mapper/flintlock-user of-lvm
	[ "$(lvs --noheadings -o transaction_id flintlock/thinpool 3>&-)" = "$transaction" ]
	lvremove --quiet --yes flintlock/user 3>&-
	fl-provision undo -q 3>&-
	losetup -d "$disk"
}

guest_images() {
	IMAGES=/tmp/guests
	lab_images "$IMAGES"
}

# A guest with a life of its own (t/lab/guest), on the pool.
guest() { # PROVIDER NAME [fl-spec options…]
	lab_spec "$@" | lab_up --backend thin >/dev/null
}

@test "guests under every VMM write to their disks in the pool" {
	guest_images
	pool_make
	for provider in $(providers); do
		guest "$provider" "on-$provider"
		said "on-$provider" 'lab-guest: ready'
		type_at "on-$provider" write
		said "on-$provider" 'lab-guest: written'
		path=$(fl inspect --json "on-$provider" | jq -r .host.volumes.root.path)
		[[ "$path" = /dev/mapper/fl-* ]]
		dd if="$path" bs=512 skip=1 count=1 iflag=direct status=none | grep -a written-by-guest
		fails_with 8 "still runs" fl-snap down "on-$provider"
		fl down -q "on-$provider" >/dev/null
	done
}
