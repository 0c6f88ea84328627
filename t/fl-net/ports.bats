#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Ports of the host that lead to a guest's. A namespace stands for the guest.

bats_require_minimum_version 1.5.0
load ../lib
load ns
load rooms

# published NAME PORTS: its spec, on the bridge br0.
published() {
	spec "$1" br0 | jq -c --arg ports "$2" '.labels = {"host.flintlock/publish": $ports}'
}

@test "from outside, from the host, from the host as itself, from another guest" {
	private_names
	bridge
	published a 8080:80 >spec
	ns fl-net up spec >record
	[ "$(jq -r .host.network.eth1.address record)" = 10.9.8.2/24 ]
	[ "$(jq -r .host.published record)" = 8080:80 ]
	on_bridge guest 10.9.8.2/24
	on_bridge other 10.9.8.3/24
	outside
	serve guest 80
	# The guest sees who asks, where that is not on its own net.
	[ "$(ask 192.0.2.1 8080 client)" = "guest, asked by 192.0.2.2" ]
	[[ "$(ask 192.0.2.1 8080)" == guest* ]]
	[[ "$(ask 127.0.0.1 8080)" == guest* ]]
	[[ "$(ask 192.0.2.1 8080 other)" == guest* ]]
	run ! ask 192.0.2.1 8081 client
	ns fl-net down a >/dev/null
	run ! ask 192.0.2.1 8080 client
	run ! grep -q flintlock_vm <(ns nft list tables)
}

@test "a guest does not reach what listens on 127.0.0.1 alone" {
	private_names
	bridge
	published a 8080:80 | ns fl-net up >/dev/null
	on_bridge guest 10.9.8.2/24
	listen_on 127.0.0.1 9999
	# Its kernel is told to send there; without the rule it would be heard.
	ns ip -n guest route add 127.0.0.1/32 via 10.9.8.1 dev eth0 table 7
	ns ip netns exec guest sysctl -qw net.ipv4.conf.eth0.route_localnet=1
	ns ip -n guest rule add to 127.0.0.1 table 7 pref 0
	ns ip -n guest rule del table local
	ns ip -n guest rule add table local pref 10
	run ! connects 127.0.0.1 9999 guest
	# Nor when the last of the ports has gone, or somebody flushed the rules and another came up.
	ns fl-net down a >/dev/null
	run ! connects 127.0.0.1 9999 guest
	ns nft flush ruleset
	connects 127.0.0.1 9999 guest
	up b br0 >/dev/null
	run ! connects 127.0.0.1 9999 guest
	ns fl-net down b >/dev/null
	ns fl-net bridge rm --force br0
	[ -z "$(ns nft list tables)" ]
}

@test "ports that the spec has no more lead nowhere, and are free again" {
	bridge
	published a 8080:80 | ns fl-net up >record
	jq -c 'del(.spec.labels)' record | ns fl-net up >changed
	[ "$(jq .host.published changed)" = null ]
	run ! grep -q flintlock_vm <(ns nft list tables)
	published b 8080:80 | ns fl-net up >/dev/null
	ns fl-net down a b >/dev/null
	run ! grep -q flintlock_vm <(ns nft list tables)
}

@test "another's port, a program's port, a port on one address" {
	bridge
	published a 8080:80,5353:53/udp | ns fl-net up >/dev/null
	published b 80:80,8080:81 >spec-b
	fails_with 5 "port 8080/tcp of the host is published by default/a" ns fl-net up spec-b
	record=$(echo "$FL_STATE_DIR"/vm/default/a/*/record.json)
	jq '.host.desired = "deleted"' "$record" >leaving
	cp -b "$record" kept && cp leaving "$record"
	fails_with 9 "published by default/a, which is being deleted; try again" ns fl-net up spec-b
	cp kept "$record"
	ns fl-net down b >/dev/null
	published c 5353:53 >spec-c
	ns fl-net up spec-c >/dev/null
	listen_on 0.0.0.0 9000
	published d 9000:80 >spec-d
	fails_with 9 "port 9000/tcp: a program of the host listens there" ns fl-net up spec-d
	published e 192.0.2.77:9001:80 >spec-e
	fails_with 17 "192.0.2.77:9001/tcp: cannot be published" ns fl-net up spec-e
	# Again is no harm, and mends what another has flushed.
	ns nft flush ruleset
	published a 8080:80,5353:53/udp | ns fl-net up >/dev/null
	ns nft list ruleset | grep -q 'tcp dport 8080 dnat ip to 10.9.8.2:80'
	ns nft list ruleset | grep -q 'udp dport 5353 dnat ip to 10.9.8.2:53'
}

@test "gc takes away ports whose microVM has no record" {
	bridge
	uid=$(published a 8080:80 | ns fl-net up | jq -r .spec.uid)
	[ -z "$(ns fl-net gc)" ]
	rm -r "$FL_STATE_DIR/vm/default/a"
	ns fl-net gc --dry-run | grep "ports of $uid"
	ns fl-net gc | grep "ports of $uid"
	run ! grep -q flintlock_vm <(ns nft list tables)
	[ -z "$(ns fl-net gc)" ]
}

@test "where nothing is forwarded, where there is no address" {
	ns sysctl -qw net.ipv4.ip_forward=0
	ns fl-net bridge create br0 --address 10.9.8.1/24
	published a 8080:80 >spec
	fails_with 8 "forwards nothing" ns fl-net up spec
	ns sysctl -qw net.ipv4.ip_forward=1
	ns fl-net up spec >/dev/null
	ns fl-net down a >/dev/null
	spec b - | jq -c '.labels = {"host.flintlock/publish": "8080:80"}' >spec
	fails_with 8 "no interface has an IPv4 address" ns fl-net up spec
	ns fl-net down b >/dev/null
}

@test "what is no port" {
	local wrong
	for wrong in 8080 0:80 8080:0 8080:65536 x:80 8080:80/sctp 1.2.3:8080:80 "8080:80," ,8080:80 "" 1:2:3:4 " 1:2"; do
		published a "$wrong" >spec
		fails_with 3 "is not [ADDRESS:]PORT:TO" ns fl-net up spec
	done
	[ "$(fl spec --name a --kernel oci:/x:k --root oci:/x:r --bridge br0 -p 8080:80 -p 10.0.0.1:53:53/udp | jq -r '.labels["host.flintlock/publish"]')" = 8080:80,10.0.0.1:53:53/udp ]
}

@test "a port twice in one spec, or with nothing to lead to, is refused with the spec" {
	local twice
	for twice in 99:22,99:23 99:22,10.0.0.1:99:23 99:22/udp,80:80,99:22/udp; do
		published a "$twice" >spec
		fails_with 3 "of the host is published twice" ns fl-net up spec
	done
	fails_with 3 "labels.host.flintlock/publish: port 99/tcp of the host is published twice" fl spec --name a --kernel oci:/x:k --root oci:/x:r --bridge br0 -p 99:22 -p 99:23
	fl spec --name a --kernel oci:/x:k --root oci:/x:r --bridge br0 -p 99:22 -p 99:22/udp -p 10.0.0.1:98:1 -p 10.0.0.2:98:1
	fails_with 3 "publish: no interface can take it" fl spec --name a --kernel oci:/x:k --root oci:/x:r -p 99:22
	published a 99:22 | jq -c '.interfaces[].type = "MACVTAP" | del(.interfaces[].overrides)' >spec
	fails_with 3 "publish: no interface can take it" ns fl-net up spec
}

@test "killed anywhere, on the way up and down: no table is left" {
	command -v strace >/dev/null && ns strace -o /dev/null true 2>/dev/null || skip "no strace"
	bridge
	published a 8080:80 >spec
	for ((n = 1; n < 60; n += 3)); do
		ns strace -qq -o /dev/null -e inject=sendmsg,openat:signal=KILL:when="$n" fl-net up spec >/dev/null 2>&1 || true
		ns fl-net down a >/dev/null
		run ! grep -q flintlock_vm <(ns nft list tables)
	done
}
