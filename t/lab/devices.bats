#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: what guest and host have in common beside disks and links, under each VMM.

bats_require_minimum_version 1.5.0
load ../lib
load lab

setup_file() {
	export FL_STATE_DIR=/tmp/state IMAGES=/tmp/images
	lab_images "$IMAGES"
}

teardown() {
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
	rm -rf /tmp/shared
	! ps -eo comm= | grep -E '^(firecracker|cloud-hyp|qemu-sys|virtiofsd)'
}

agent() {
	need "$1"
	lab_spec "$1" agent --guest-agent | lab_up >/dev/null
	said agent 'lab-guest: ready'
	socket=$(fl inspect --json agent | jq -r .status.vsock_path)
	[[ $socket == */guest-agent.vsock ]]
	# Nobody listens yet.
	run ! ask "$socket" 1024 early
	type_at agent agent
	said agent 'lab-guest: agent listens'
	answers "$socket"
	[ "$(ask "$socket" 1024 more-words)" = True ]
	run ! ask "$socket" 1025 nobody-there
	fl pause agent
	fl resume agent
	[ "$(ask "$socket" 1024 after-a-pause)" = True ]
	# The socket of an earlier run keeps nothing from starting.
	fl stop --timeout 1s agent
	fl start agent --accel kvm --settle 3s
	said agent 'lab-guest: ready'
}

@test "qemu: a guest's agent is spoken to" { agent qemu; }
@test "firecracker: a guest's agent is spoken to" { agent firecracker; }
@test "cloudhypervisor: a guest's agent is spoken to" { agent cloudhypervisor; }

share() {
	need "$1"
	mkdir -p /tmp/shared/folder
	echo words-of-the-host >/tmp/shared/folder/from-host
	export FL_VIRTIOFS_ROOTS=/nowhere:/tmp/shared
	lab_spec "$1" sharing --volume data=/tmp/shared/folder:/mnt | lab_up >/dev/null
	said sharing 'lab-guest: ready'
	type_at sharing share
	said sharing 'lab-guest: read words-of-the-host'
	said sharing 'lab-guest: shared'
	[ "$(cat /tmp/shared/folder/from-guest)" = from-the-guest ]
	# After a reboot, too.
	rm /tmp/shared/folder/from-guest
	type_at sharing reboot
	becomes sharing reboots 1
	said sharing 'lab-guest: ready'
	for _ in $(seq 20); do
		type_at sharing share
		[ ! -e /tmp/shared/folder/from-guest ] || break
		sleep 1
	done
	[ -e /tmp/shared/folder/from-guest ]
}

@test "qemu: a folder of the host, read and written" { share qemu; }
@test "cloudhypervisor: a folder of the host, read and written" { share cloudhypervisor; }

@test "a folder that is replaced by a symbolic link afterwards is not shared" {
	mkdir -p /tmp/shared/folder
	export FL_VIRTIOFS_ROOTS=/tmp/shared
	lab_spec qemu linked --volume data=/tmp/shared/folder | lab_up >/dev/null
	said linked 'lab-guest: ready'
	rmdir /tmp/shared/folder
	ln -s /etc /tmp/shared/folder
	type_at linked reboot
	becomes linked vmm_state failed
	[[ "$(field linked reason)" == *"/tmp/shared/folder: cannot be shared"* ]]
}
