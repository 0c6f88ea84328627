#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
bats_require_minimum_version 1.5.0
# Volumes out of files of the host that hold a disk's content.

load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir content
	echo of-the-host >content/file
	truncate -s 5M disk.img
	mke2fs -q -t ext4 -d content disk.img
}

teardown() {
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
}

# made [fl spec options…]: the record.
made() {
	small_spec vm "$@" | fl-pull up -q | fl-snap up -q | fl-meta up >record
}

path() {
	jq -r ".host.volumes.$1.path" record
}

@test "a copy, mounted by the UUID that it has; the file stays as it is" {
	sum=$(sha256sum <disk.img)
	made --volume "data=file:$PWD/disk.img:/data"
	cmp "$(path data)" disk.img
	[ "$(stat -c %a "$(path data)")" = 600 ]
	[ "$(jq -r .host.volumes.data.uuid record)" = "$(blkid -o value -s UUID disk.img)" ]
	mtype -i "$(jq -r .host.seed.path record)" ::/vendor-data | python3 -c '
import email, sys
print([p.get_payload(decode=True).decode() for p in email.message_from_file(sys.stdin).get_payload()])' |
		grep -F "UUID=$(blkid -o value -s UUID disk.img)\", \"/data\""
	small_spec two --volume "data=file:$PWD/disk.img" | quick_up >/dev/null
	fl-run up --dry-run record | grep -F "file=$(path data),format=raw,readonly=off"
	echo of-the-guest | dd of="$(path data)" conv=notrunc bs=1 seek=4096 status=none
	[ "$(sha256sum <disk.img)" = "$sum" ]
	# What the guest wrote stays, also when the file goes.
	rm disk.img
	fl-snap up -q record >/dev/null
	grep -qa of-the-guest <(head -c 5000 "$(path data)")
}

@test "larger than the file, and grown" {
	small_spec vm --volume "data=file:$PWD/disk.img" |
		jq -c '.additional_volumes[0].size_in_mb = 16' | fl-pull up -q | fl-snap up -q >record
	[ "$(stat -c %s "$(path data)")" = $((16 << 20)) ]
	e2fsck -fn "$(path data)"
	fl-snap grow vm data 20M
	[ "$(stat -c %s "$(path data)")" = $((20 << 20)) ]
}

@test "a root, and one that may not be written" {
	small_spec vm --root "file:$PWD/disk.img" | jq -c '.additional_volumes = [{id: "ro", is_read_only: true,
		source: {container_source: ("file:" + $file)}}]' --arg file "$PWD/disk.img" |
		fl-pull up -q | fl-snap up -q >record
	cmp -n "$(stat -c %s disk.img)" "$(path root)" disk.img
	fl-run up --dry-run record | grep -F "file=$(path ro),format=raw,readonly=on"
}

@test "what is no disk, no file, not there, too large, another" {
	: >empty
	fails_with 3 "this one is empty" made --volume "data=file:$PWD/empty"
	fl down -q --all >/dev/null
	fails_with 3 "this one is none" made --volume "data=file:$PWD"
	fl down -q --all >/dev/null
	mkfifo fifo
	fails_with 3 "this one is none" timeout 10 bash -c "$(declare -f made small_spec); made --volume data=file:$PWD/fifo"
	fl down -q --all >/dev/null
	fails_with 4 "cannot be opened" made --volume "data=file:$PWD/missing"
	fl down -q --all >/dev/null
	fails_with 3 "is not an absolute path" small_spec vm --volume data=file:disk.img
	fails_with 3 "kernel.image: a file of the host can be a volume only" small_spec vm --kernel "file:$PWD/disk.img"
	echo words >text
	fails_with 3 "is no ext4" made --volume "data=file:$PWD/text:/data"
	fl down -q --all >/dev/null
	small_spec vm --volume "data=file:$PWD/disk.img" | jq -c '.additional_volumes[0].size_in_mb = 1' >spec
	fails_with 3 "more than the volume's size of 1 MiB" fl-snap up -q <(fl-pull up -q spec)
	fl down -q --all >/dev/null
	made --volume "data=file:$PWD/disk.img"
	cp disk.img other.img
	jq -c --arg file "file:$PWD/other.img" '.spec.additional_volumes[0].source.container_source = $file' record >changed
	fails_with 8 "was made from" fl-snap up -q changed
}

@test "killed while it is copied: nothing half-written, and done again" {
	truncate -s 300M disk.img
	head -c 200M /dev/zero | tr '\0' x | dd of=disk.img bs=1M conv=notrunc status=none
	small_spec vm --volume "data=file:$PWD/disk.img" | fl-pull up -q >record
	for after in 0.02 0.05 0.1; do
		timeout -s KILL "$after" fl-snap up -q record >/dev/null 2>&1 || true
		[ ! -e "$FL_STATE_DIR"/vm/default/vm/*/volumes/data.img ] ||
			cmp "$FL_STATE_DIR"/vm/default/vm/*/volumes/data.img disk.img
	done
	fl-snap up -q record >/dev/null
	cmp "$FL_STATE_DIR"/vm/default/vm/*/volumes/data.img disk.img
	[ "$(find "$FL_STATE_DIR"/vm/default/vm/*/volumes -type f | wc -l)" = 2 ]
}
