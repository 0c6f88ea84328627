#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: the real Firecracker in a jail by its real jailer. A static one is needed:
# FL_FIRECRACKER_STATIC, or FL_FIRECRACKER where that is one.

bats_require_minimum_version 1.5.0
load ../lib
load thin
load lab

setup_file() {
	export FL_STATE_DIR=/tmp/state FL_RUN_DIR=/tmp/run IMAGES=/tmp/images POOLS=/tmp/pools
	mkdir -p "$POOLS"
	lab_images "$IMAGES"
	fl-net bridge create labbr0 --address 10.8.0.1/24
}

teardown_file() {
	fl-net bridge rm labbr0
}

setup() {
	dynamic=$(command -v "${FL_FIRECRACKER:-firecracker}" || true)
	export FL_FIRECRACKER=${FL_FIRECRACKER_STATIC:-$dynamic}
	command -v "$LAB_JAILER" >/dev/null || skip "no jailer on this machine"
	is_static "$FL_FIRECRACKER" || skip "no static firecracker on this machine"
}

teardown() {
	if [ -e /run/netns/jailnet ]; then
		nsenter --net=/run/netns/jailnet fl down -q --all >/dev/null
		nsenter --net=/run/netns/jailnet fl-net bridge rm jailbr0 || true
		ip netns del jailnet
	fi
	fl down -q --all >/dev/null
	[ ! -e "$POOLS/data" ] || { fl-snap gc -q >/dev/null 2>&1; pool_off; }
	[ -z "$(what_is_left)" ]
	[ -z "$(ip -o link show type tun)" ]
	! ps -eo comm= | grep -E '^(firecracker|jailer|fl-guard)'
}

is_static() {
	command -v "$1" >/dev/null && ! readelf -lW "$(command -v "$1")" | grep -q INTERP
}

jailed_up() {
	lab_spec firecracker jailed "$@" | lab_up --jailer "$LAB_JAILER" >/dev/null
	said jailed 'lab-guest: ready'
}

folder() {
	echo "$FL_STATE_DIR"/vm/default/jailed/*
}

# What the kernel says of the VMM's process.
status_of() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$(field jailed pid)/status"
}

@test "a user of its own, without rights, in a folder of its own" {
	jailed_up --bridge labbr0 --guest-agent
	pid=$(field jailed pid) uid=$(fl ls --json | jq -r .uid)
	owner=$((0x70000000 | 0x$(printf %s "$uid" | sha256sum | cut -c1-8) & 0x0fffffff))
	[ "$(status_of Uid | tr -s '\t' ' ')" = "$owner $owner $owner $owner" ]
	[ "$(status_of Gid | tr -s '\t' ' ')" = "$owner $owner $owner $owner" ]
	[ -z "$(status_of Groups | tr -d ' ')" ]
	[ "$(status_of CapEff) $(status_of CapPrm)" = "0000000000000000 0000000000000000" ]
	for task in /proc/"$pid"/task/*; do
		grep -q '^NoNewPrivs:[[:space:]]*1' "$task/status"
		grep -q '^Seccomp:[[:space:]]*2' "$task/status"
	done
	name=$(basename "$(realpath "$(command -v "$FL_FIRECRACKER")")")
	[ "$(find "/proc/$pid/root/" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort)" = "$(printf '%s\n' d0 d1 dev \
		firecracker.cfg firecracker.log firecracker.metrics firecracker.sock guest-agent.vsock initrd \
		kernel run "$name" "$name.pid" | sort)" ]
	grep -q "/fl.slice/$uid/vmm$" "/proc/$pid/cgroup"
	[ "$(cat /sys/fs/cgroup/fl.slice/"$uid"/vmm/pids.max)" = 128 ]
	grep -q '^Max open files *1024 *1024' "/proc/$pid/limits"
	[ "$(cat "/sys/class/net/$(fl inspect --json jailed | jq -r '.host.network[].link')/owner")" = "$owner" ]
	# Nothing in there but its own disk, sockets and fifos is for it to write.
	[ -z "$(find "/proc/$pid/root/" -type f -user "$owner" ! -name d0 ! -name "$name")" ]
}

@test "a life: disk, growth, link, agent, pause, counters, reboot, stop, start" {
	jailed_up --bridge labbr0 --guest-agent
	type_at jailed disks
	said jailed 'lab-guest: disk vda 32768 0'
	said jailed 'lab-guest: disk vdb .* 1'
	type_at jailed write
	said jailed 'lab-guest: written'
	dd if="$(folder)/volumes/root.img" bs=512 skip=1 count=1 status=none | grep -a written-by-guest
	fl-snap grow jailed root 24M
	type_at jailed disks
	said jailed 'lab-guest: disk vda 49152 0'
	address=$(field jailed address)
	type_at jailed "address=$address/24"
	said jailed 'lab-guest: address set'
	type_at jailed serve
	said jailed 'lab-guest: serves'
	greeted "$address"
	type_at jailed agent
	said jailed 'lab-guest: agent listens'
	socket=$(fl inspect --json jailed | jq -r .status.vsock_path)
	answers "$socket"
	fl pause jailed
	[ "$(field jailed vmm_state)" = paused ]
	fl resume jailed
	for _ in $(seq 20); do
		written=$(fl-run metrics --json jailed |
			jq '.disks // [] | map(select(.id == "root")) | .[0].written_bytes // 0')
		[ "$written" -lt 512 ] || break
	done
	[ "$written" -ge 512 ]
	before=$(field jailed pid)
	type_at jailed reboot
	becomes jailed reboots 1
	becomes jailed vmm_state running
	[ "$(field jailed exit.kind)" = reboot ]
	[ "$(field jailed pid)" != "$before" ]
	[ "$(status_of CapEff)" = 0000000000000000 ]
	fl stop --timeout 3s jailed
	[ "$(field jailed vmm_state) $(field jailed state)" = "stopped CREATED" ]
	[ ! -e "$(folder)/jail" ]
	# It is not let out by a start that does not say so.
	fl start jailed --accel kvm --settle 3s
	said jailed 'lab-guest: ready'
	[ "$(status_of CapEff)" = 0000000000000000 ]
	fl stop --force jailed
	fl start jailed --accel kvm --settle 3s --jailer none
	said jailed 'lab-guest: ready'
	[ "$(status_of Uid | cut -f1)" = 0 ]
	dd if="$(folder)/volumes/root.img" bs=512 skip=1 count=1 status=none | grep -a written-by-guest
}

@test "in a network namespace of its own" {
	local inside=(nsenter --net=/run/netns/jailnet)
	ip netns add jailnet
	"${inside[@]}" ip link set lo up
	"${inside[@]}" fl-net bridge create jailbr0 --address 10.9.0.1/24
	lab_spec firecracker jailed --bridge jailbr0 |
		"${inside[@]}" fl up -q --accel kvm --settle 3s --jailer "$LAB_JAILER" >/dev/null
	said jailed 'lab-guest: ready'
	[ "$(readlink "/proc/$(field jailed pid)/ns/net")" = "$("${inside[@]}" readlink /proc/self/ns/net)" ]
	[ "$(readlink "/proc/$(field jailed pid)/ns/net")" != "$(readlink /proc/self/ns/net)" ]
	address=$(field jailed address)
	type_at jailed "address=$address/24"
	said jailed 'lab-guest: address set'
	type_at jailed serve
	said jailed 'lab-guest: serves'
	greeted "$address" "${inside[@]}"
	run ! greeted "$address"
}

@test "power-off and panic mean the same" {
	jailed_up
	type_at jailed poweroff
	becomes jailed vmm_state stopped
	[ "$(field jailed exit.kind) $(field jailed desired)" = "poweroff stopped" ]
	[ ! -e "$(folder)/jail" ]
	fl down -q jailed >/dev/null
	jailed_up
	type_at jailed panic
	becomes jailed vmm_state failed
	[[ "$(field jailed reason)" == *"sysrq triggered crash"* ]]
	[ ! -e "$(folder)/jail" ]
}

@test "a metadata service, out of a jail" {
	printf 'words-of-the-user' >"$BATS_TEST_TMPDIR/user"
	jailed_up --metadata-service v2 --user-data "$BATS_TEST_TMPDIR/user"
	type_at jailed metadata
	said jailed 'lab-guest: asked'
	said jailed 'lab-guest: with token words-of-the-user'
}

@test "a volume in a thin pool: a node of its own" {
	pool_make
	lab_spec firecracker jailed | lab_up --jailer "$LAB_JAILER" --backend thin >/dev/null
	said jailed 'lab-guest: ready'
	device=$(fl inspect --json jailed | jq -r .host.volumes.root.path)
	[ -b "$(folder)/jail/root/d0" ]
	[ "$(stat -c %u "$(folder)/jail/root/d0")" = "$(status_of Uid | cut -f1)" ]
	[ "$(stat -Lc %t:%T "$device")" = "$(stat -c %t:%T "$(folder)/jail/root/d0")" ]
	fl-snap grow jailed root 24M
	type_at jailed disks
	said jailed 'lab-guest: disk vda 49152 0'
	type_at jailed write
	said jailed 'lab-guest: written'
	dd if="$device" bs=512 skip=1 count=1 iflag=direct status=none | grep -a written-by-guest
}

@test "a supervisor that is killed takes the VMM along, and nothing stays" {
	jailed_up --bridge labbr0
	pid=$(field jailed pid)
	kill -9 "$(pgrep -f "[f]l-supervise $FL_STATE_DIR")"
	for _ in $(seq 100); do
		is_alive "$pid" || break
		sleep 0.1
	done
	run ! is_alive "$pid"
	[ -e "$(folder)/jail" ]
	fl up -q --accel kvm --settle 3s --jailer "$LAB_JAILER" <<<"$(fl inspect --json jailed)" >/dev/null
	[ "$(field jailed vmm_state)" = running ]
	# Now with the guard, and all of it at once.
	pid=$(field jailed pid)
	kill -9 $(pgrep -f "guard $(fl ls --json | jq -r .uid)") $(pgrep -f "[f]l-supervise $FL_STATE_DIR")
	fl down -q jailed >/dev/null
	run ! is_alive "$pid"
	[ -z "$(what_is_left)" ]
}

@test "what cannot be is said before it starts" {
	spec=$(lab_spec firecracker jailed)
	fails_with 8 "there is no such jailer" lab_up --jailer /nowhere/jailer <<<"$spec"
	is_static "$dynamic" || fails_with 13 "is linked dynamically" \
		lab_up --jailer "$LAB_JAILER" --firecracker "$dynamic" <<<"$spec"
	fails_with 8 "needs the right CAP_SETUID" setpriv --bounding-set -setuid \
		fl up -q --accel kvm --jailer "$LAB_JAILER" <<<"$spec"
}

@test "what a dry run prints starts the same jailed guest by hand" {
	record=$(lab_spec firecracker jailed | fl-pull up -q | fl-snap up -q | fl-meta up -q)
	fl-run up --dry-run --accel kvm --jailer "$LAB_JAILER" <<<"$record" >"$BATS_TEST_TMPDIR/plan"
	timeout 40 bash -e "$BATS_TEST_TMPDIR/plan" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- &
	hand=$!
	by_hand_is_ready "$BATS_TEST_TMPDIR" 70 "$record"
}
