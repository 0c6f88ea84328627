#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: what a guest is told by Ignition and by a metadata service, and the limits it has.

bats_require_minimum_version 1.5.0
load ../lib
load lab

IGNITION=/usr/lib/dracut/modules.d/30ignition/ignition

setup_file() {
	export FL_STATE_DIR=/tmp/state IMAGES=/tmp/images
	lab_images "$IMAGES"
	fl-net bridge create labbr0 --address 10.8.0.1/24
}

teardown_file() {
	fl-net bridge rm labbr0
}

teardown() {
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
	[ -z "$(ip -o link show type tun)" ]
}

# An initrd with the real Ignition, and what it is linked with.
ignition_images() {
	local tree=$IMAGES/ignition
	[ -e "$tree" ] && return
	mkdir -p "$tree/boot" "$tree/more/lab"
	cp "$IGNITION" "$tree/more/lab/"
	ldd "$IGNITION" | grep -o '/[^ ]*' | while read -r library; do
		mkdir -p "$tree/more$(dirname "$library")"
		cp -L "$library" "$tree/more$library"
	done
	(cd "$tree/more" && find . | cpio --quiet -o -H newc) |
		cat "$IMAGES/k/boot/initrd.img" - >"$tree/boot/initrd.img"
	fl-pack image -q --compression none --tag ignition -o "$IMAGES/layout" "$tree" >/dev/null
}

ignition() {
	need "$1"
	ignition_images
	printf '{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"/for-%s"}]}}' "$1" >"$BATS_TEST_TMPDIR/config"
	lab_spec "$1" told --ignition "$BATS_TEST_TMPDIR/config" --initrd "oci:$IMAGES/layout:ignition" \
		--memory 384 | lab_up >/dev/null
	said told 'lab-guest: ready'
	type_at told "ignition=$2"
	said told "lab-guest: ignition .*/for-$1" 60
}

@test "qemu: Ignition finds its configuration by fw_cfg" { ignition qemu qemu; }
@test "firecracker: Ignition finds its configuration on a config drive" { ignition firecracker openstack; }
@test "cloudhypervisor: Ignition finds its configuration on a config drive" { ignition cloudhypervisor openstack; }

# metadata VERSION [fl spec options…]
metadata() {
	local version=$1
	shift
	need firecracker
	printf 'words-of-the-user' >"$BATS_TEST_TMPDIR/user"
	lab_spec firecracker told --metadata-service "$version" --user-data "$BATS_TEST_TMPDIR/user" "$@" |
		lab_up >/dev/null
	said told 'lab-guest: ready'
	type_at told metadata
	said told 'lab-guest: asked'
	said told 'lab-guest: with token words-of-the-user'
}

@test "firecracker: a metadata service, version 1, on an interface of its own" {
	metadata v1
	said told 'lab-guest: without token words-of-the-user'
	# It is on no bridge.
	run ! grep -q 'master' <(ip -o link show type tun)
}

@test "firecracker: a metadata service, version 2, on the user's own eth0" {
	metadata v2 --bridge labbr0
	said told 'lab-guest: without token .*401'
	run ! grep -aq 'without token words' <(fl console told --print)
	address=$(field told address)
	type_at told "address=$address/24"
	said told 'lab-guest: address set'
	type_at told serve
	said told 'lab-guest: serves'
	greeted "$address"
}

# Hundredths of a second that reads took.
pace() {
	fl console "$1" --print | grep -a 'lab-guest: .* reads from' | tail -n 1 |
		awk '{ printf "%d\n", ($7 - $5) * 100 }'
}

# limits PROVIDER OPERATIONS READS LEAST: hundredths of a second that reads take at least.
limits() {
	need "$1"
	lab_spec "$1" fast | lab_up >/dev/null
	lab_spec "$1" slow --disk-operations "$2" | lab_up >/dev/null
	for name in fast slow; do
		said "$name" 'lab-guest: ready'
		type_at "$name" "reads=$3"
		said "$name" "lab-guest: $3 reads from"
	done
	fast=$(pace fast) slow=$(pace slow)
	echo "$3 reads: $fast without limit, $slow with $2 a second, in hundredths of a second"
	# What the bucket holds at the start goes at once.
	[ "$slow" -ge "$4" ]
	[ "$fast" -lt "$slow" ]
}

@test "qemu: a limited disk is as slow as that" { limits qemu 1 12 900; }
@test "firecracker: a limited disk is as slow as that" { limits firecracker 1 12 900; }
@test "cloudhypervisor: a limited disk is as slow as that" { limits cloudhypervisor 10 150 1200; }
