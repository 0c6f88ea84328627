#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Where volumes are made, made larger, and what is taken away; what needs a device-mapper is in t/lab.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	unset FL_BACKEND FL_POOL
}

disks() { # [fl-snap options…]
	small_spec one | fl-pull up -q | fl-snap up -q "$@"
}

has_mapper() {
	grep -q ' device-mapper$' /proc/misc
}

@test "a back end that is not there is told in words, and nothing is made elsewhere instead" {
	if has_mapper; then
		fails_with 8 "there is no device of that name" disks --backend thin --pool no-such-pool
	else
		fails_with 13 "no device-mapper" disks --backend thin
		fails_with 13 "no device-mapper" disks --pool flintlock/thinpool
		FL_BACKEND=thin fails_with 13 "no device-mapper" disks
		fails_with 13 "no device-mapper" fl-snap status --backend thin
		fails_with 13 "no device-mapper" fl-snap up --backend thin --dry-run < <(small_spec one)
	fi
	[ -z "$(find "$FL_STATE_DIR/vm" -name '*.img' -o -name '*.thin')" ]
	fails_with 2 "auto, thin, qcow2 or file belongs here, not \"lvm\"" disks --backend lvm
	FL_BACKEND=zfs fails_with 2 "FL_BACKEND: auto, thin, qcow2 or file" disks
	fails_with 2 "--backend zfs" fl-serve run --check-config --backend zfs
}

@test "file, by option, variable and through fl up" {
	[ "$(disks --backend file | jq -r .host.volumes.root.backend)" = file ]
	[ "$(small_spec two | FL_BACKEND="file" quick_up | jq -r .host.volumes.root.backend)" = file ]
	[ "$(small_spec three | quick_up --backend file | jq -r .host.volumes.root.backend)" = file ]
	small_spec four | fl-snap up --dry-run --backend file | grep -q 'a copy of the base'
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
}

@test "grow: larger, never smaller, and not what is shared" {
	record=$(small_spec one | jq -c '.additional_volumes = [.root_volume | .id = "extra" | .is_read_only = true]' |
		fl-pull up -q | fl-snap up -q --backend file)
	path=$(jq -r .host.volumes.root.path <<<"$record")
	fl-snap grow one root 20M
	[ "$(stat -c %s "$path")" = $((20 << 20)) ]
	fl-snap grow default/one root 20971521
	[ "$(stat -c %s "$path")" = $((21 << 20)) ]
	e2fsck -fn "$path"
	cp "$path" "$BATS_TEST_TMPDIR/copy"
	resize2fs "$BATS_TEST_TMPDIR/copy"
	e2fsck -fn "$BATS_TEST_TMPDIR/copy"
	fails_with 3 "never made smaller" fl-snap grow one root 16M
	fails_with 8 "read-only" fl-snap grow one extra 32M
	fails_with 4 "has no volume data" fl-snap grow one data 32M
	fails_with 4 "none" fl-snap grow none root 32M
	fails_with 3 "" fl-snap grow one root 1
	# What is there stays, as large as it is.
	fl-snap up -q <<<"$record" >/dev/null
	[ "$(stat -c %s "$path")" = $((21 << 20)) ]
}

@test "grow while it runs: the guest is told, or it is said why not" {
	small_spec one | quick_up --backend file >/dev/null
	run --separate-stderr fl-snap grow one root 20M
	[ "$status" = 0 ] && [ -z "$stderr" ]
	fl console one --print | grep '"device":"disk-root","size":20971520'
	small_spec two --cmdline fake=refuses | quick_up --backend file >/dev/null
	fails_with 0 'when it starts next: supervisor: fake: it cannot be that large' fl-snap grow two root 20M
	# A VMM that says nothing holds nobody up for long.
	small_spec three --cmdline fake=mute | quick_up --backend file >/dev/null
	SECONDS=0
	fails_with 0 'does not answer' fl-snap grow three root 20M
	[ "$SECONDS" -lt 15 ]
	fails_with 0 'of another volume' fl-snap grow three root 21M
	[ "$(stat -c %s "$(fl inspect --json three | jq -r .host.volumes.root.path)")" = $((21 << 20)) ]
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
}

@test "gc: bases of images, and files of microVMs, stay; what nothing leads to goes" {
	record=$(disks --backend file)
	settled "$FL_STATE_DIR"
	[ -z "$(fl-snap gc --json)" ]
	fl-pull rm "oci:$IMAGES/layout:root" "oci:$IMAGES/layout:kernel"
	[ -z "$(fl-snap gc --json)" ]
	fl down -q --all >/dev/null
	[ "$(fl-snap gc --dry-run --json | jq -r .kind | xargs)" = "bases files files" ]
	[ "$(fl-snap ls --json | wc -l)" = 3 ]
	flock -s "$FL_STATE_DIR/images/.lock" true
	exec 9<"$FL_STATE_DIR/images/.lock"
	flock -s 9
	fails_with 9 "disks are being made" fl-snap gc
	exec 9<&-
	fl-snap gc | tail -n 1 | grep -q '^3 removed, '
	[ -z "$(find "$FL_STATE_DIR/bases" "$FL_STATE_DIR/files" -type f -o -type l)" ]
	# And is made again.
	[ "$(disks --backend file | jq -r .host.volumes.root.base)" = "$(jq -r .host.volumes.root.base <<<"$record")" ]
}

@test "a base stays while its image has a name" {
	disks --backend file >/dev/null
	fl down -q --all >/dev/null
	[ "$(fl-snap gc --dry-run --json | jq -r .kind | xargs)" = "files files" ]
}

@test "status says where volumes are, before and after there is one" {
	[ "$(fl-snap status --json --backend file | jq -r '[.backend, .state] | @tsv')" = "$(printf 'file\tmissing')" ]
	disks --backend file >/dev/null
	[ "$(fl-snap status --json --backend file | jq -r '[.backend, .name, .state] | @tsv')" = \
		"$(printf 'file\t%s\tok' "$FL_STATE_DIR")" ]
	[ "$(fl-snap status --json --backend file | jq '.size > .used and .used > 0')" = true ]
	fl-snap status | grep -q '^BACKEND'
	fl doctor | grep -q thin-pool
}
