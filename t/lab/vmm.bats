#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: the same guest under each VMM, and the same meaning of all that it does.

bats_require_minimum_version 1.5.0
load ../lib
load lab

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
	! ps -eo comm= | grep -E '^(firecracker|cloud-hyp|qemu-sys)'
}

# Seen, typed at, held, counted, and asked to end.
life() {
	need "$1"
	lab_spec "$1" life --bridge labbr0 | lab_up >/dev/null
	said life 'lab-guest: ready'
	fl pause life
	[ "$(field life vmm_state)" = paused ]
	type_at life words
	sleep 2
	run ! grep -a 'lab-guest: heard words' <(fl console life --print)
	fl resume life
	said life 'lab-guest: heard words'
	type_at life disks
	said life 'lab-guest: disk vda 32768 0'
	said life 'lab-guest: disk vdb .* 1'
	type_at life write
	said life 'lab-guest: written'
	dd if="$(fl inspect --json life | jq -r .host.volumes.root.path)" bs=512 skip=1 count=1 |
		grep -a written-by-guest
	for _ in $(seq 20); do
		# Asked under two layers of emulation, an answer takes its time.
		written=$(fl-run metrics --json life |
			jq '.disks // [] | map(select(.id == "root")) | .[0].written_bytes // 0')
		[ "$written" -lt 512 ] || break
	done
	[ "$written" -ge 512 ]
	fl stop --timeout 3s life
	[ "$(field life vmm_state) $(field life state) $(field life desired)" = "stopped CREATED stopped" ]
	fl start life --accel kvm --settle 3s
	said life 'lab-guest: ready'
}

@test "qemu: a life" { life qemu; }
@test "firecracker: a life" { life firecracker; }
@test "cloudhypervisor: a life" { life cloudhypervisor; }

restarts() {
	need "$1"
	lab_spec "$1" again --cmdline lab=nothing | lab_up >/dev/null
	said again 'lab-guest: ready'
	type_at again reboot
	becomes again reboots 1
	becomes again vmm_state running
	[ "$(field again state)" = CREATED ]
	[ "$(field again exit.kind)" = reboot ]
}

@test "qemu: a guest's reboot comes up again" { restarts qemu; }
@test "firecracker: a guest's reboot comes up again" { restarts firecracker; }
@test "cloudhypervisor: a guest's reboot comes up again" { restarts cloudhypervisor; }

powers_off() {
	need "$1"
	lab_spec "$1" off | lab_up >/dev/null
	said off 'lab-guest: ready'
	type_at off poweroff
	becomes off vmm_state stopped
	[ "$(field off exit.kind) $(field off desired)" = "poweroff stopped" ]
}

@test "qemu: a guest's power-off is a stop" { powers_off qemu; }
@test "firecracker: a guest's power-off is a stop" { powers_off firecracker; }
@test "cloudhypervisor: a guest's power-off is a stop" { powers_off cloudhypervisor; }

grows() {
	need "$1"
	lab_spec "$1" large | lab_up >/dev/null
	said large 'lab-guest: ready'
	fl-snap grow large root 24M
	type_at large disks
	said large 'lab-guest: disk vda 49152 0'
}

# A qcow2 disk over its base: written, grown while it runs (where the VMM can) and while it does not,
# kept.
overlays() {
	need "$1"
	lab_spec "$1" over --root-size 32M | lab_up --backend qcow2 >/dev/null
	said over 'lab-guest: ready'
	base=$(fl inspect --json over | jq -r .host.volumes.root.base)
	before=$(cksum <"$base")
	type_at over write
	said over 'lab-guest: written'
	if [ "$1" = qemu ]; then
		fl-snap grow over root 48M
		type_at over disks
		said over 'lab-guest: disk vda 98304 0'
	else
		fails_with 13 'it grows while the microVM is stopped' fl-snap grow over root 48M
	fi
	fl stop --timeout 3s over
	fl-snap grow over root 64M
	path=$(fl inspect --json over | jq -r .host.volumes.root.path)
	qemu-img check -q "$path"
	[ "$(qemu-img info --output json "$path" | jq '."virtual-size"')" = $((64 << 20)) ]
	qemu-img convert -O raw "$path" /tmp/over.raw
	dd if=/tmp/over.raw bs=512 skip=1 count=1 status=none | grep -aq written-by-guest
	[ "$(cksum <"$base")" = "$before" ]
	fails_with 8 "is nothing without it" fl-snap rm "${base##*/}"
	fl start over --accel kvm --settle 3s
	comes_back over
	type_at over disks
	said over 'lab-guest: disk vda 131072 0'
}

@test "qemu: a qcow2 disk over a base" { overlays qemu; }
@test "cloudhypervisor: a qcow2 disk over a base" { overlays cloudhypervisor; }

@test "qemu: a guest sees that its disk has grown" { grows qemu; }
@test "firecracker: a guest sees that its disk has grown" { grows firecracker; }
@test "cloudhypervisor: a guest sees that its disk has grown" { grows cloudhypervisor; }

panics() {
	need "$1"
	lab_spec "$1" bad | lab_up >/dev/null
	said bad 'lab-guest: ready'
	type_at bad panic
	becomes bad vmm_state failed
	[ "$(field bad state) $(field bad exit.kind)" = "FAILED panic" ]
	[[ "$(field bad reason)" == *"sysrq triggered crash"* ]]
}

@test "qemu: a guest's panic is FAILED, with its line" { panics qemu; }
@test "firecracker: a guest's panic is FAILED, with its line" { panics firecracker; }
@test "cloudhypervisor: a guest's panic is FAILED, with its line" { panics cloudhypervisor; }

@test "one record, whatever the provider: they reach each other over the bridge" {
	last=10.8.0.1
	for provider in $(providers); do
		lab_spec qemu "net-$provider" --bridge labbr0 |
			jq -c ".provider = \"$provider\"" | lab_up >/dev/null
		said "net-$provider" 'lab-guest: ready'
		address=$(field "net-$provider" address)
		type_at "net-$provider" "address=$address/24"
		said "net-$provider" 'lab-guest: address set'
		type_at "net-$provider" serve
		said "net-$provider" 'lab-guest: serves'
		[ "$last" = 10.8.0.1 ] || {
			type_at "$before" "get=$address"
			said "$before" 'lab-guest: got hello-from-guest'
		}
		before=net-$provider last=$address
	done
	greeted "$last"
}

refused() { # WORDS CHANGE UP-OPTIONS…
	local words=$1 change=$2
	shift 2
	run fl up -q "$@" < <(lab_spec firecracker no | jq -c "$change")
	[ "$status" != 0 ]
	[[ "$output" == *"$words"* ]]
	fl down -q no 2>/dev/null || true
}

@test "what a VMM cannot do is said before it starts" {
	need firecracker
	refused 'cannot give that many' .vcpu=33
	refused 'runs with KVM only' . --accel tcg
	refused 'there is no such program' . --accel kvm --firecracker /nonexistent/firecracker
	printf '#!/bin/sh\necho Firecracker v1.9.1\n' >"$BATS_TEST_TMPDIR/old"
	chmod +x "$BATS_TEST_TMPDIR/old"
	refused '1.10 or later is needed' . --accel kvm --firecracker "$BATS_TEST_TMPDIR/old"
	mv /dev/kvm /dev/kvm.away
	refused 'No such file or directory: firecracker runs with KVM only' . --accel kvm
	mv /dev/kvm.away /dev/kvm
}

@test "a VMM's own words tell why it ended" {
	for provider in $(providers); do
		lab_spec "$provider" broken --memory 64 >"$BATS_TEST_TMPDIR/spec"
		record=$(fl-pull up -q "$BATS_TEST_TMPDIR/spec" | fl-snap up -q | fl-meta up -q)
		disk=$(jq -r .host.volumes.root.path <<<"$record")
		# In place of the disk, what no VMM opens as one.
		rm "$disk" && mkdir "$disk"
		run fl-run up -q --accel kvm --settle 3s <<<"$record"
		[ "$status" = 16 ]
		[[ "$output" == *"the VMM ended with status 1"* ]]
		fl down -q broken
	done
}

@test "what a dry run prints starts the same guest by hand" {
	for provider in $(providers); do
		record=$(lab_spec "$provider" hand | fl-pull up -q | fl-snap up -q | fl-meta up -q)
		# What a run of the supervisor's leaves.
		for fifo in cloudhypervisor.events firecracker.metrics; do
			mkfifo "$(echo "$FL_STATE_DIR"/vm/default/hand/*)/$fifo"
		done
		fl-run up --dry-run --accel kvm <<<"$record" >"$BATS_TEST_TMPDIR/plan"
		timeout 60 bash "$BATS_TEST_TMPDIR/plan" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- &
		hand=$!
		sleep 4
		socket=$(sed -n "s/.* socket=\([^ ]*\) .*/\1/p" "$BATS_TEST_TMPDIR/plan")
		[ -z "$socket" ] || timeout 50 python3 -c "
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect('$socket')
while b'ready' not in (d := s.recv(4096)) and d: sys.stdout.write(d.decode('ascii', 'ignore')); sys.stdout.flush()
print('lab-guest: ready')" >>"$BATS_TEST_TMPDIR/out" || true
		by_hand_is_ready "$BATS_TEST_TMPDIR" 100 "$record"
	done
}
