#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: guests directly on a network of the host.

load ../lib
load lab

setup_file() {
	export FL_STATE_DIR=/tmp/state IMAGES=/tmp/images
	lab_images "$IMAGES"
	# A cable to somebody else, with settings that are not the default.
	ip netns add far
	ip link add wire0 mtu 1400 txqueuelen 321 type veth peer name wire1 netns far
	ip link set wire0 up
	ip -n far link set wire1 mtu 1400 up
	ip -n far address add 10.6.0.1/24 dev wire1
}

teardown_file() {
	ip netns del far
}

teardown() {
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
	[ -z "$(ip -o link show type macvtap)" ]
	# The next guest has another MAC behind the same address.
	ip -n far neighbour flush dev wire1
}

on_wire() { # PROVIDER NAME
	lab_spec "$1" "$2" | jq -c '.interfaces = [{"device_id":"eth0","type":"MACVTAP"}]'
}

@test "the link has the parent's settings and the guest's MAC; twice is once; down removes it" {
	on_wire qemu made >/tmp/spec
	fl-pull up -q /tmp/spec | fl-net up --parent-iface wire0 >/tmp/record
	link=$(jq -r .host.network.eth0.link /tmp/record)
	[[ $link =~ ^flvtap[a-z2-7]{9}$ ]]
	[ "$(ip -j -d link show "$link" | jq -r '.[0] | [.mtu, .txqlen, .link, .linkinfo.info_data.mode] | @tsv')" = \
		"$(printf '1400\t321\twire0\tbridge')" ]
	[ "$(cat "/sys/class/net/$link/address")" = "$(jq -r .host.network.eth0.mac /tmp/record)" ]
	index=$(cat "/sys/class/net/$link/ifindex")
	fl-net up --parent-iface wire0 </tmp/record >/dev/null
	[ "$(cat "/sys/class/net/$link/ifindex")" = "$index" ]
	[ "$(fl-net ls --json | jq -r 'select(.link == "'"$link"'").kind')" = macvtap ]
}

talks() {
	need "$1"
	on_wire "$1" wired | lab_up --parent-iface wire0 >/dev/null
	said wired 'lab-guest: ready'
	type_at wired links
	said wired "link/ether $(fl inspect --json wired | jq -r .host.network.eth0.mac)"
	serves_at 10.6.0.7
	type_at wired reboot
	becomes wired reboots 1
	becomes wired vmm_state running
	comes_back wired
	serves_at 10.6.0.8
}

serves_at() {
	type_at wired "address=$1/24"
	said wired 'lab-guest: address set'
	type_at wired serve
	said wired 'lab-guest: serves'
	# What it said may be of its life before.
	for _ in $(seq 10); do
		run greeted "$1" ip netns exec far
		[ "$status" != 0 ] || return 0
		sleep 1
	done
	echo "$output"
	return 1
}

@test "qemu: frames and TCP to somebody else on the cable, also after a reboot" { talks qemu; }
@test "cloudhypervisor: frames and TCP to somebody else on the cable, also after a reboot" {
	talks cloudhypervisor
}

@test "equal interface indexes in two namespaces are not mixed up" {
	ip netns add two
	# The same index as the link of ours is going to have.
	on_wire qemu mine >/tmp/spec
	record=$(fl-pull up -q /tmp/spec | fl-snap up -q | fl-net up -q --parent-iface wire0 | fl-meta up -q)
	link=$(jq -r .host.network.eth0.link <<<"$record")
	index=$(cat "/sys/class/net/$link/ifindex")
	ip link del "$link"
	ip -n two link add base type dummy
	ip -n two link set base up
	ip -n two link add link base name other index "$index" type macvtap mode bridge
	number=$(stat -c '%t:%T' "/dev/tap$index")
	ip link add link wire0 name "$link" index "$index" \
		address "$(jq -r .host.network.eth0.mac <<<"$record")" type macvtap mode bridge
	ip link set "$link" alias "flintlock:$(jq -r .spec.uid <<<"$record")/eth0" up
	# The name in /dev is still the other's.
	[ "$(stat -c '%t:%T' "/dev/tap$index")" = "$number" ]
	fl-run up -q --accel kvm --settle 3s <<<"$record" >/dev/null
	said mine 'lab-guest: ready'
	type_at mine address=10.6.0.8/24
	said mine 'lab-guest: address set'
	type_at mine serve
	said mine 'lab-guest: serves'
	greeted 10.6.0.8 ip netns exec far
	ip netns del two
}

@test "what cannot be a parent is said, and nothing is made" {
	on_wire qemu no >/tmp/spec
	ip link set wire0 down
	run fl-net up --parent-iface wire0 /tmp/spec
	[ "$status" = 8 ]
	ip link set wire0 up
	run fl-net up --parent-iface nosuch /tmp/spec
	[ "$status" = 4 ]
	on_wire firecracker no | jq -c . >/tmp/spec
	run fl up -q /tmp/spec
	[[ "$output" == *"macvtap network interfaces not supported"* ]]
}
