#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Seed disks and config drives as ISO 9660, read by a reader that is not ours.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	printf '{"ignition": {"version": "3.4.0"}}\n' >config.ign
}

@test "names, bytes, label, mode; the same again" {
	{ echo '#cloud-config'; head -c 1000000 /dev/zero | tr '\0' '#'; } >user
	printf 'instance-id: x\n' >meta
	printf 'version: 2\n' >net
	fl-meta seed --seed-format iso9660 --user-data user --meta-data meta --network-config net one.iso
	[ "$(blkid -o value -s LABEL -s TYPE one.iso | xargs)" = "CIDATA iso9660" ]
	[ "$(bsdtar tf one.iso | sort | xargs)" = ". meta-data network-config user-data" ]
	bsdtar xOf one.iso user-data | cmp - user
	bsdtar xOf one.iso meta-data | cmp - meta
	bsdtar xOf one.iso network-config | cmp - net
	bsdtar tvf one.iso | grep -- '-r-------- .* user-data'
	[ $(($(stat -c %s one.iso) % 2048)) = 0 ]
	touch -d 2001-01-01 user
	fl-meta seed --seed-format iso9660 --user-data user --meta-data meta --network-config net two.iso
	cmp one.iso two.iso
}

@test "empty files" {
	fl-meta seed --seed-format iso9660 empty.iso
	[ "$(bsdtar tf empty.iso | sort | xargs)" = ". meta-data user-data" ]
	[ -z "$(bsdtar xOf empty.iso)" ]
}

@test "by up; the record keeps the format; said anew it changes" {
	echo '#!/bin/true' >user
	small_spec vm --user-data user | fl-meta up --seed-format iso9660 >record
	seed=$(jq -r .host.seed.path record)
	[ "$(jq -r .host.seed.format record)" = iso9660 ]
	bsdtar xOf "$seed" user-data | cmp - user
	bsdtar xOf "$seed" meta-data | grep -q "instance-id: $(jq -r .spec.uid record)"
	fl-meta up record >again
	[ "$(blkid -o value -s TYPE "$seed")" = iso9660 ]
	fl-meta up --seed-format vfat record >again
	[ "$(blkid -o value -s TYPE "$seed")" = vfat ]
	[ "$(jq -r .host.seed.format again)" = vfat ]
	fl up --dry-run --seed-format iso9660 record | grep -q 'cloud-init.img, iso9660, label CIDATA'
	fl-meta up --dry-run --seed-format iso9660 record | grep -q 'cloud-init.img, iso9660, label CIDATA'
}

@test "a config drive: folders in folders" {
	small_spec vm --provider firecracker --ignition config.ign | fl-meta up --seed-format iso9660 >record
	drive=$(jq -r .host.seed.ignition record)
	[ "$(blkid -o value -s LABEL "$drive")" = CONFIG-2 ]
	[ "$(bsdtar tf "$drive" | sort | xargs)" = ". openstack openstack/latest openstack/latest/user_data" ]
	bsdtar xOf "$drive" openstack/latest/user_data | cmp - config.ign
}

@test "what is no format, what is too large" {
	small_spec vm >spec
	fails_with 2 '--seed-format ext4: vfat or iso9660' fl-meta up --seed-format ext4 spec
	fails_with 2 '--seed-format : vfat or iso9660' fl-meta seed --seed-format= x.iso
	[ ! -e x.iso ]
	head -c 17000000 /dev/zero >user
	fails_with 3 'larger than' fl-meta seed --seed-format iso9660 --user-data user x.iso
	[ ! -e x.iso ]
}
