#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Volumes as qcow2 disks over their base, looked at with QEMU's own tools.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	unset FL_BACKEND FL_POOL
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
}

disks() { # NAME SIZE [fl spec options…]: the record
	local name=$1 size=$2
	shift 2
	small_spec "$name" --root-size "$size" "$@" | fl-pull up -q | fl-snap up -q --backend qcow2
}

volume() { # KEY, of the record on standard input
	jq -r ".host.volumes.root.$1"
}

@test "sound, as large as its base, with the same content and a UUID of its own" {
	disks one 20G >record
	path=$(volume path <record) base=$(volume base <record)
	[ "$(volume format <record) $(volume backend <record)" = "qcow2 qcow2" ]
	[[ $path == "$FL_STATE_DIR"/vm/default/one/*/volumes/root.qcow2 ]]
	qemu-img check -q "$path"
	qemu-img info --output json "$path" | jq -e --arg base "$base" \
		'."virtual-size" == 20 * 1073741824 and ."full-backing-filename" == $base and
		."backing-filename-format" == "raw"'
	# What differs is some superblocks.
	[ "$(du -k "$path" | cut -f1)" -le 1500 ]
	qemu-img convert -O raw "$path" whole
	e2fsck -fn whole
	[ "$(blkid -o value -s UUID whole)" = "$(volume uuid <record)" ]
	[ "$(blkid -o value -s UUID "$base")" != "$(volume uuid <record)" ]
	[ "$(dumpe2fs -h -o superblock=32768 -o blocksize=4096 whole 2>/dev/null | grep UUID)" = \
		"$(dumpe2fs -h whole 2>/dev/null | grep UUID)" ]
	[ "$(debugfs -R 'cat /etc/both' whole 2>/dev/null)" = new ]
	# Eleven superblocks: a UUID and a checksum.
	[ "$(cmp -l "$base" whole | wc -l)" -le $((20 * 20)) ]
}

@test "made once, and kept with what was written" {
	record=$(disks one 16M)
	path=$(volume path <<<"$record")
	qemu-io -c 'write -P 7 4096 4096' "$path" >/dev/null
	before=$(cksum <"$path")
	fl-snap up -q --backend file <<<"$record" >/dev/null
	fl-snap up -q <<<"$record" | jq -e '.host.volumes.root | .format == "qcow2" and .backend == "qcow2"'
	[ "$(cksum <"$path")" = "$before" ]
}

@test "a base that was torn is built again under its disks" {
	record=$(disks one 16M)
	path=$(volume path <<<"$record") base=$(volume base <<<"$record")
	settled "$FL_STATE_DIR"
	before=$(cksum <"$base")
	rm "$base"
	run ! qemu-img info "$path" --backing-chain
	fl-snap up -q <<<"$record" >/dev/null
	[ "$(cksum <"$base")" = "$before" ]
	qemu-img convert -O raw "$path" whole
	e2fsck -fn whole
}

@test "a base that another version built is what its disks lead to, as long as it is whole" {
	record=$(disks one 16M)
	path=$(volume path <<<"$record") base=$(volume base <<<"$record")
	settled "$FL_STATE_DIR"
	mv "$base" "${base%-v*}-v1"
	qemu-img rebase -u -F raw -b "${base%-v*}-v1" "$path"
	[ "$(fl-snap up -q <<<"$record" | volume base)" = "${base%-v*}-v1" ]
	[ ! -e "$base" ]
	settled "$FL_STATE_DIR"
	rm "${base%-v*}-v1"
	fails_with 8 "its disk leads to ${base%-v*}-v1" fl-snap up -q <<<"$record"
}

@test "the base stays while a disk leads to it" {
	base=$(disks one 16M | volume base)
	fails_with 8 "default/one's disk is nothing without it" fl-snap rm "${base##*/}"
	fl-snap gc -q >/dev/null
	[ -e "$base" ]
	fl down -q one
	fl-snap rm "${base##*/}"
	[ ! -e "$base" ]
}

@test "grown, as far as its tables reach" {
	record=$(disks one 16M)
	path=$(volume path <<<"$record")
	fl-snap grow one root 3T
	[ "$(qemu-img info --output json "$path" | jq '."virtual-size"')" = $((3 << 40)) ]
	qemu-img check -q "$path"
	fails_with 3 "never made smaller" fl-snap grow one root 16M
	fails_with 13 "16 TiB at most" fl-snap grow one root 17T
	fl-snap up -q <<<"$record" >/dev/null
	[ "$(qemu-img info --output json "$path" | jq '."virtual-size"')" = $((3 << 40)) ]
	printf nonsense | dd of="$path" conv=notrunc status=none
	fails_with 12 "not a qcow2 disk" fl-snap grow one root 4T
}

@test "only for those who read it; what is only read is the base itself" {
	fails_with 13 "firecracker reads no qcow2 disks" disks other 16M --provider firecracker
	record=$(small_spec shared | jq -c '.root_volume.is_read_only = true' | fl-pull up -q |
		fl-snap up -q --backend qcow2)
	[ "$(volume path <<<"$record")" = "$(volume base <<<"$record")" ]
	[ "$(volume format <<<"$record")" = raw ]
	small_spec planned | fl-snap up --dry-run --backend qcow2 | grep -q 'a qcow2 disk over the base'
	record=$(disks one 16M)
	# The VMM is told what it is.
	fl-run up --dry-run --accel tcg <<<"$record" | grep -q 'root.qcow2,format=qcow2,'
	jq -c '.spec.provider = "cloudhypervisor"' <<<"$record" |
		fl-run up --dry-run --accel kvm | grep -q 'image_type=qcow2,backing_files=on'
	record=$(jq -c '.spec.provider = "firecracker"' <<<"$record")
	fails_with 8 "a qcow2 disk, which firecracker cannot read" fl-run up --dry-run --accel kvm <<<"$record"
}

@test "grown while it runs: by the VMM alone" {
	small_spec one --root-size 16M | quick_up --backend qcow2 >/dev/null
	path=$(fl inspect --json one | jq -r .host.volumes.root.path)
	before=$(cksum <"$path")
	fl-snap grow one root 32M
	fl console one --print | grep -q 'fake guest: .*block_resize.*33554432'
	[ "$(cksum <"$path")" = "$before" ]
	fl down -q one
	small_spec deaf --root-size 16M --cmdline fake=refuses | quick_up --backend qcow2 >/dev/null
	run fl-snap grow deaf root 32M
	[ "$status" != 0 ]
	[[ $output == *"is as large as it was"*"it cannot be that large"* ]]
}

@test "a disk that no record knows yet is not taken for one of another base" {
	record=$(disks one 16M)
	path=$(volume path <<<"$record")
	# Killed before the record had it; the spec was changed meanwhile.
	file=$(echo "$FL_STATE_DIR"/vm/default/one/*/record.json)
	jq -c 'del(.host.volumes) | .spec.root_volume.size_in_mb = 32' "$file" >changed
	cp changed "$file"
	before=$(cksum <"$path")
	fails_with 8 "-16-v3, not to $FL_STATE_DIR/bases/" fl-snap up -q <changed
	[ "$(cksum <"$path")" = "$before" ]
	printf nonsense | dd of="$path" conv=notrunc status=none
	fails_with 12 "not a qcow2 disk" fl-snap up -q <<<"$record"
}

@test "a volume does not become a file's because the spec says so" {
	head -c 1M /dev/zero >raw
	record=$(small_spec one | jq -c '.additional_volumes = [.root_volume | .id = "data"]' |
		fl-pull up -q | fl-snap up -q --backend qcow2)
	file=$(echo "$FL_STATE_DIR"/vm/default/one/*/record.json)
	jq -c --arg raw "$PWD/raw" '.spec.additional_volumes[0].source = {container_source: ("file:" + $raw)}' "$file" >changed
	cp changed "$file"
	fails_with 8 "it was made from an image and holds data" fl-snap up -q <changed
	[ ! -e "$(dirname "$(jq -r .host.volumes.data.path <<<"$record")")/data.img" ]
}
