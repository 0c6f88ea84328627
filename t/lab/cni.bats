#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: a guest on a network of CNI under each VMM, by Debian's kernel and plugins.

bats_require_minimum_version 1.5.0
load ../lib
load lab

setup_file() {
	export FL_STATE_DIR=/tmp/state IMAGES=/tmp/images FL_CNI_CONF_DIR=/tmp/net.d
	lab_images "$IMAGES"
	mkdir -p /tmp/net.d
	jq -n '{cniVersion: "1.0.0", name: "net", disableCheck: true, plugins: [
		{type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, capabilities: {mac: true},
		 ipam: {type: "host-local", dataDir: "/tmp/leases", ranges: [[{subnet: "10.88.0.0/24"}]]}},
		{type: "portmap", capabilities: {portMappings: true}}]}' >/tmp/net.d/net.conflist
}

teardown() {
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
	[ -z "$(ip -o link show type tun)" ]
	[ -z "$(find /tmp/leases -name '10.*')" ]
	run ! grep -q /netns/ /proc/self/mounts
}

# Between two callers, who serves is away for a moment.
greets() {
	for _ in $(seq 10); do
		run greeted "$1"
		[ "$status" != 0 ] || return 0
		sleep 1
	done
	echo "$output"
	return 1
}

talks() {
	need "$1"
	lab_spec "$1" guest --bridge cni:net -p 7:7 | lab_up >/dev/null
	address=$(fl inspect --json guest | jq -r .host.network.eth0.address)
	said guest 'lab-guest: ready'
	type_at guest links
	said guest "link/ether $(fl inspect --json guest | jq -r .host.network.eth0.mac)"
	type_at guest "address=$address"
	said guest 'lab-guest: address set'
	type_at guest serve
	said guest 'lab-guest: serves'
	greets "${address%/*}"
	greets 10.88.0.1
}

@test "qemu: talks" { talks qemu; }
@test "firecracker: talks" { talks firecracker; }
@test "cloudhypervisor: talks" { talks cloudhypervisor; }
