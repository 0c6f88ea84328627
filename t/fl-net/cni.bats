#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Interfaces on networks of CNI, by Debian's plugins and by scripts that misbehave.

bats_require_minimum_version 1.5.0
load ../lib
load ns
load rooms

setup() {
	export PATH=$FL_BUILD/bin:$PATH
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	[ "$(id -u)" = 0 ] || skip "not root"
	open_ns -n
	private_names
	ns ip link set lo up
	mkdir net.d plugins
	export FL_CNI_CONF_DIR=$PWD/net.d CNI_PATH=$PWD/plugins:/usr/lib/cni
}

# network NAME [PLUGIN…]: a bridge, and the other plugins (JSON) behind it.
network() {
	local name=$1
	shift
	printf '%s\n' "$@" | jq -sc --arg name "$name" --arg leases "$PWD/leases" '{cniVersion: "1.0.0", name: $name,
		plugins: ([{type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true,
			capabilities: {mac: true, ips: true},
			ipam: {type: "host-local", dataDir: $leases, ranges: [[{subnet: "10.88.0.0/24"}]],
				routes: [{dst: "0.0.0.0/0"}, {dst: "10.90.0.0/16", gw: "10.88.0.9"}]},
			dns: {nameservers: ["10.88.0.53"], search: ["example.org"]}}] + .)}' >"net.d/$name.conflist"
}

# alone NAME: a network of this one plugin.
alone() {
	echo "{\"cniVersion\": \"1.0.0\", \"name\": \"$1\", \"plugins\": [{\"type\": \"$1\"}]}" >"net.d/$1.conflist"
}

# plugin NAME: of the script on standard input.
plugin() {
	{ echo '#!/bin/bash'; cat; } >"plugins/$1"
	chmod +x "plugins/$1"
}

# A plugin that writes down what it is asked, and hands on what it got.
recorder() {
	plugin recorder <<-'END'
		config=$(cat)
		jq -c --arg command "$CNI_COMMAND" --arg netns "$CNI_NETNS" --arg container "$CNI_CONTAINERID" \
			--arg args "$CNI_ARGS" --arg name "$CNI_IFNAME" \
			'{$command, $container, $netns, $args, interface: $name, config: .}' <<<"$config" >>"$FL_STATE_DIR.log"
		[ "$CNI_COMMAND" != ADD ] || jq .prevResult <<<"$config"
	END
}

recorded() {
	jq -c "$@" "$FL_STATE_DIR.log"
}

# on NETWORK NAME [PORTS]: a spec.
on() {
	spec "$2" "cni:$1" | jq -c --arg ports "${3:-}" \
		'if $ports == "" then . else .labels = {"host.flintlock/publish": $ports} end'
}

leases() {
	find leases -name '10.*' -printf '%f\n' 2>/dev/null | sort
}

# What fl-net and the plugins made: but for the bridge, which is the plugins' to keep.
is_clean() {
	for _ in {1..100}; do
		[ "$(links)" = "${1-cni0}" ] && break
		sleep 0.02
	done
	[ "$(links)" = "${1-cni0}" ]
	[ -z "$(leases)" ]
	run ! grep -E 'name: |10\.88\.0\.' <(ns nft list ruleset 2>/dev/null)
	[ -z "$(ls "$FL_STATE_DIR/cni" "$FL_RUN_DIR/netns" 2>/dev/null | grep -v :)" ]
	run ! grep -q " $FL_RUN_DIR/netns" <(ns cat /proc/self/mounts)
}

@test "bridge and portmap: two guests reach each other, and by the published port; down leaves nothing" {
	network net '{"type": "portmap", "capabilities": {"portMappings": true}}'
	on net a 8080:80 | ns fl-net up >a
	on net b | ns fl-net up >b
	[ "$(jq -c '.host.network.eth1 | [.bridge, .address, .gateway, .nameservers, .search, .routes]' a)" = \
		'["cni:net","10.88.0.2/24","10.88.0.1",["10.88.0.53"],["example.org"],[{"to":"10.90.0.0/16","via":"10.88.0.9"}]]' ]
	[ "$(jq -r .host.published a)" = 8080:80 ]
	run ! grep -q flintlock_vm <(ns nft list tables)
	guest a one
	guest b two
	ns ip -n one route add default via 10.88.0.1
	ns ip -n two route add default via 10.88.0.1
	serve one 80
	serve two 81
	[ "$(ask 10.88.0.2 80 two)" = "one, asked by 10.88.0.3" ]
	[ "$(ask 10.88.0.3 81 one)" = "two, asked by 10.88.0.2" ]
	[[ "$(ask 10.88.0.1 8080)" == one,* ]]
	[[ "$(ask 10.88.0.1 8080 two)" == one,* ]]
	[ "$(ns fl-net ls --json | jq -r 'select(.name == "a") | "\(.address) \(.state)"')" = "10.88.0.2/24 in use" ]
	on net c 8080:81 >c
	fails_with 5 "port 8080/tcp of the host is published by default/a" ns fl-net up c
	# Without the capability they are ours to lead there.
	network net
	on net d 8081:80 | ns fl-net up >d
	ns nft list ruleset | grep -q "tcp dport 8081 dnat ip to $(jq -r '.host.network.eth1.address | split("/")[0]' d):80"
	kill "${server[@]}"
	server=()
	ns fl-net down a b c d >/dev/null
	is_clean
	ns fl-net down a >/dev/null
}

@test "as the specification says: variables, configuration, results handed on, order, cached for DEL" {
	recorder
	network net '{"type": "recorder", "capabilities": {"mac": true, "portMappings": true, "bandwidth": true}, "mine": 7}' \
		'{"type": "recorder", "last": true}'
	on net a 127.0.0.1:8080:80,53:53/udp >spec
	ns fl-net up --dry-run spec | grep -q 'CNI: ADD to the network net'
	ns fl-net up spec >record
	rm net.d/*
	uid=$(jq -r .spec.uid record)
	ns fl-net up spec >again
	[ "$(jq -c .host.network again)" = "$(jq -c .host.network record)" ]
	ns fl-net down a >/dev/null
	[ "$(recorded -r '[.command, .config.last] | join(" ")' | xargs)" = "ADD ADD true CHECK CHECK true DEL true DEL" ]
	[ "$(recorded -r '[.container, .netns, .interface, .args] | join(" ")' | sort -u)" = \
		"$uid-eth1 $FL_RUN_DIR/netns/$uid-eth1 eth0 IgnoreUnknown=1" ]
	[ "$(recorded -s '.[0].config | [.name, .cniVersion, .mine, .capabilities, .runtimeConfig.bandwidth]')" = \
		'["net","1.0.0",7,null,null]' ]
	[ "$(recorded -s '.[0].config.runtimeConfig.portMappings')" = \
		'[{"hostPort":8080,"containerPort":80,"protocol":"tcp","hostIP":"127.0.0.1"},{"hostPort":53,"containerPort":53,"protocol":"udp"}]' ]
	[ "$(recorded -r .config.runtimeConfig.mac | head -n 1)" = "$(jq -r .host.network.eth1.mac record)" ]
	[ "$(recorded '.config.prevResult.ips[] | [.address, .gateway, .interface]' | sort -u)" = '["10.88.0.2/24","10.88.0.1",2]' ]
	is_clean
}

@test "the spec's address and MAC; after a reboot of the host the same address" {
	network net
	on net a | jq -c '.interfaces[0] += {guest_mac: "02:ab:00:00:00:01", address: {address: "10.88.0.77/24", nameservers: ["9.9.9.9"]}}' >spec
	ns fl-net up spec >record
	[ "$(jq -c '.host.network.eth1 | [.mac, .address, .nameservers]' record)" = '["02:ab:00:00:00:01","10.88.0.77/24",["9.9.9.9"]]' ]
	on net b | ns fl-net up >/dev/null
	on net c >spec-c
	ns fl-net up spec-c >c
	ns fl-net down b >/dev/null
	# Namespaces and links are gone, leases are not.
	ns bash -c 'umount run/netns/* && rm run/netns/* && nft flush ruleset && ip -br link | awk "\$1 != \"lo\" { sub(\"@.*\", \"\", \$1); print \$1 }" | while read -r link; do ip link del "\$link"; done 2>/dev/null; true'
	FL_BOOT_ID=other ns fl-net up spec-c >again
	[ "$(jq -r .host.network.eth1.address c again | uniq | wc -l)" = 1 ]
	[ "$(leases | xargs)" = "10.88.0.77 10.88.0.79" ]
	ns fl-net down a c >/dev/null
	is_clean
	jq '.plugins[0].capabilities = {} | .plugins[0].ipam.ranges = [[{subnet: "10.88.0.0/24"}]]' net.d/net.conflist >with
	mv with net.d/net.conflist
	[ "$(ns fl-net up spec | jq -c '.host.network.eth1 | [.mac, .address]')" = '["02:ab:00:00:00:01","10.88.0.77/24"]' ]
	ns fl-net down a >/dev/null
	is_clean
}

@test "all that plugins answer reaches the guest; fl spec names a network" {
	plugin answers <<-'END'
		[ "$CNI_COMMAND" = ADD ] || exit 0
		nsenter --net="$CNI_NETNS" ip link add eth0 mtu 1400 type veth peer name other
		echo '{"cniVersion": "0.4.0", "interfaces": [{"name": "x"}, {"name": "eth0", "sandbox": "y"}],
			"ips": [{"address": "10.1.0.1/24", "interface": 0}, {"address": "10.1.2.3/24", "gateway": "10.1.2.1", "interface": 1},
				{"address": "fd00:0::3/64", "gateway": "fd00::1"}],
			"routes": [{"dst": "10.5.0.0/16"}, {"dst": "0.0.0.0/0"}, {"dst": "::/0", "gw": "fd00::9"}],
			"dns": {"nameservers": ["fd00::53"], "domain": "a.example"}}'
	END
	echo '{"cniVersion": "0.4.0", "name": "answers", "type": "answers"}' >net.d/answers.conf
	fl spec --name a --kernel k/k --root r/r --bridge cni:answers >spec
	ns fl-net up spec | fl-meta up >record
	mtype -i "$FL_STATE_DIR"/vm/default/a/*/cloud-init.img ::/network-config >told
	cat >wanted <<-END
		version: 2
		ethernets:
		  "eth0":
		    match:
		      macaddress: "$(jq -r .host.network.eth0.mac record)"
		    set-name: "eth0"
		    mtu: 1400
		    dhcp4: false
		    addresses: ["10.1.2.3/24", "fd00::3/64"]
		    routes:
		      - to: "0.0.0.0/0"
		        via: "10.1.2.1"
		      - to: "10.5.0.0/16"
		        via: "10.1.2.1"
		      - to: "::/0"
		        via: "fd00::9"
		    nameservers:
		      addresses: ["fd00::53"]
		      search: ["a.example"]
	END
	diff wanted told
	link=$(jq -r .host.network.eth0.link record)
	[ "$(ns ip -j link show "$link" | jq '.[].mtu')" = 1400 ]
	fl-meta down a >/dev/null
	ns fl-net down a >/dev/null
	is_clean ""
}

@test "published ports lead to the IPv4 address, whichever place it has" {
	plugin six <<-'END'
		[ "$CNI_COMMAND" = ADD ] || exit 0
		nsenter --net="$CNI_NETNS" ip link add eth0 type veth peer name other
		echo '{"cniVersion": "1.0.0", "ips": [{"address": "fd00::3/64"}, {"address": "10.1.2.3/24"}]}'
	END
	alone six
	ns sysctl -qw net.ipv4.ip_forward=1
	on six a 8080:80 | ns fl-net up >record
	[ "$(jq -r .host.network.eth1.address record)" = fd00::3/64 ]
	ns nft list ruleset | grep -q "tcp dport 8080 dnat ip to 10.1.2.3:80"
	ns fl-net down a >/dev/null
	is_clean ""
}

@test "up again leaves alone where a guest's frames go; the host says and hears nothing there" {
	network net
	on net a | ns fl-net up >record
	guest record one
	ns ip netns exec one busybox ping -q -c 3 -W 5 10.88.0.1 >/dev/null
	tap=$(jq -r .host.network.eth1.link record)
	passed() {
		ns tc -s -j filter show dev "$tap" ingress | jq '[.[].options.actions[0].stats.packets // 0] | add'
	}
	before=$(passed)
	[ "$before" -ge 3 ]
	ns fl-net up <record >/dev/null
	[ "$(passed)" -ge "$before" ]
	ns ip netns exec one busybox ping -q -c 1 -W 5 10.88.0.1 >/dev/null
	for link in "$tap" "flveth${tap:5:9}"; do
		ns ip link show "$link" >/dev/null
		[ "$(ns cat "/proc/sys/net/ipv6/conf/$link/disable_ipv6")" = 1 ]
	done
	# What is wrong is mended.
	ns tc qdisc del dev "$tap" ingress
	ns fl-net up <record >/dev/null
	ns ip netns exec one busybox ping -q -c 1 -W 5 10.88.0.1 >/dev/null
	kill "${server[@]}"
	server=()
	ns fl-net down a >/dev/null
	is_clean
}

@test "a network, a plugin or a file that is none" {
	on net a >spec
	fails_with 4 "CNI network net: no file in" ns fl-net up spec
	echo '{"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "bri' >net.d/net.conflist
	fails_with 3 "net.d/net.conflist" ns fl-net up spec
	echo '{"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "../bridge"}]}' >net.d/net.conflist
	fails_with 3 "plugins[0].type is not the name of a plugin" ns fl-net up spec
	echo '{"cniVersion": "0.2.0", "name": "net", "type": "bridge"}' >net.d/net.conflist
	fails_with 13 "cniVersion 0.2.0 is not known" ns fl-net up spec
	alone net
	fails_with 8 "CNI network net: plugin net: there is no such program in" ns fl-net up spec
	echo junk >net.d/00-damaged.conf
	network net
	ns fl-net up spec >/dev/null
	mkdir aside
	CNI_PATH=$PWD/aside fails_with 2 "--cni-timeout 0" ns fl-net up --cni-timeout 0 spec
	ns fl-net down a >/dev/null
	is_clean
	for wrong in cni: cni:a/b cni:-a; do
		spec a "$wrong" >spec
		fails_with 3 "is not the name of a CNI network" ns fl-net up spec
	done
}

@test "plugins that fail, print junk, say nothing, print without end, hang: nothing is left" {
	plugin fails <<<'[ $CNI_COMMAND = DEL ] && exit; echo "{\"cniVersion\": \"1.0.0\", \"code\": 107, \"msg\": \"the moon\nis full\", \"details\": \"wait\"}"; exit 1'
	plugin junk <<<'echo "no JSON"'
	plugin silent <<<'[ $CNI_COMMAND = DEL ] && exit; echo "segment 7 is lost" >&2; exit 3'
	plugin endless <<<'[ $CNI_COMMAND = DEL ] && exit; yes'
	plugin nothing <<<'[ $CNI_COMMAND = ADD ] && echo "{\"cniVersion\": \"1.0.0\"}"; true'
	plugin wrong <<<'[ $CNI_COMMAND = ADD ] && echo "{\"ips\": [{\"address\": \"10.1.2.3\"}]}"; true'
	plugin hangs <<<'[ $CNI_COMMAND = DEL ] && exit; sleep 654321 & echo $! >'"$PWD"'/sleeper; wait'
	for one in fails junk silent endless nothing wrong hangs; do
		alone "$one"
		on "$one" a >"on-$one"
	done
	fails_with 10 "CNI network fails: plugin fails, ADD: failed with code 107: the moon is full; wait" ns fl-net up on-fails
	fails_with 3 "CNI network junk: plugin junk, ADD: its answer" ns fl-net up --new on-junk
	fails_with 10 "ended with status 3 and no error of CNI's: segment 7 is lost" ns fl-net up --new on-silent
	fails_with 3 "it prints more than" ns fl-net up --new on-endless
	fails_with 10 "made no interface eth0" ns fl-net up --new on-nothing
	fails_with 3 "\"10.1.2.3\" is not an address with a prefix length" ns fl-net up --new on-wrong
	SECONDS=0
	fails_with 14 "no answer within 400 ms" ns fl-net up --new --cni-timeout 400ms on-hangs
	[ "$SECONDS" -lt 10 ]
	for _ in {1..100}; do
		is_alive "$(cat sleeper)" || break
		sleep 0.02
	done
	run ! is_alive "$(cat sleeper)"
	is_clean ""
	ns fl-net down --all a >/dev/null
}

@test "DEL that fails is told, kept, and done again" {
	plugin sulks <<<'config=$(cat); if [ $CNI_COMMAND = DEL ] && [ -e '"$PWD"'/sulk ]; then echo "{\"code\": 11, \"msg\": \"not now\"}"; exit 1; fi; [ $CNI_COMMAND != ADD ] || jq .prevResult <<<"$config"'
	network net '{"type": "sulks"}'
	on net a | ns fl-net up >/dev/null
	touch sulk
	fails_with 10 "plugin sulks, DEL: failed with code 11: not now; mend it and try again, or remove" ns fl-net down a
	[ "$(leases)" = 10.88.0.2 ]
	rm sulk
	ns fl-net down a >/dev/null
	is_clean
	# Given up, as is advised: what is ours goes all the same.
	on net c | ns fl-net up >/dev/null
	touch sulk
	fails_with 10 "not now" ns fl-net down c
	rm sulk "$FL_STATE_DIR"/cni/*.json
	ns fl-net down c >/dev/null
	rm -r leases
	ns nft flush ruleset
	is_clean
	# What another has removed already is no harm.
	on net b | ns fl-net up >/dev/null
	ns bash -c 'umount run/netns/* && rm run/netns/* leases/net/10.*; nft flush ruleset'
	ns fl-net down b >/dev/null
	is_clean
}

@test "CHECK: what is damaged is made anew; gc takes away what has no record, and GC of CNI is asked for" {
	recorder
	network net
	on net a >spec
	uid=$(ns fl-net up spec | jq -r .spec.uid)
	ns nsenter --net="$FL_RUN_DIR/netns/$uid-eth1" ip address flush dev eth0 scope global
	# As under a supervisor.
	fails_with 0 "CHECK: failed with code 999: " ns flock "$FL_STATE_DIR/vm/default/a/$uid/run.lock" fl-net up spec
	[[ "$output" == *"it is left as it is, as the microVM runs"* ]]
	fails_with 0 "plugin bridge, CHECK: failed" ns fl-net up spec
	ns nsenter --net="$FL_RUN_DIR/netns/$uid-eth1" ip -br address show eth0 | grep -q 10.88.0.2/24
	[ -z "$(ns fl-net gc)" ]
	echo '{"cniVersion": "0.4.0", "cniVersions": ["1.1.0", "9.0.0"], "name": "late", "plugins": [{"type": "recorder"}]}' >net.d/late.conflist
	fails_with 0 "CNI network net: its plugins are not asked for GC" ns fl-net gc --cni net --cni late
	[ "$(recorded '[.command, .container, .config.cniVersion, .config["cni.dev/valid-attachments"]]')" = \
		"[\"GC\",\"\",\"1.1.0\",[{\"containerID\":\"$uid-eth1\",\"ifname\":\"eth0\"}]]" ]
	rm -r "$FL_STATE_DIR/vm/default/a"
	ns fl-net gc --dry-run | grep -q "CNI network of $uid-eth1"
	[ -n "$(leases)" ]
	ns fl-net gc | grep -q "CNI network of $uid-eth1"
	is_clean
}

@test "gc: a plugin that fails is told, and keeps nobody from the rest" {
	plugin fails <<<'[ $CNI_COMMAND != DEL ] || { echo "{\"code\": 7, \"msg\": \"not today\"}"; exit 1; }; jq .prevResult'
	network bad '{"type": "fails"}'
	network net
	ns fl-net bridge create br0 --address 10.9.8.1/24
	on bad a | ns fl-net up >/dev/null
	on net b | ns fl-net up >/dev/null
	spec c br0 | ns fl-net up >record
	rm -r "$FL_STATE_DIR"/vm/default/*
	fails_with 3 "not today" ns fl-net gc
	run ! ns ip link show "$(jq -r .host.network.eth1.link record)"
	[ "$(find "$FL_STATE_DIR/cni" -name '*.json' | wc -l)" = 1 ]
	rm plugins/fails
	plugin fails <<<'[ $CNI_COMMAND = DEL ] || jq .prevResult'
	ns fl-net gc | grep -q "CNI network of"
	ns fl-net bridge rm br0
	is_clean
}

@test "the man page's example" {
	awk '/^# NETWORKS OF CNI/ { on = 1; next } /^# / { on = 0 } on && /^```/ { code = !code; next } on && code' \
		"$FL_TOP/man/fl-net.8.scd" | sed "s|/var/lib/cni/networks|$PWD/leases|" >script
	grep -q 'fl-net down' script
	ns bash -eux script
	is_clean
}

# killed SYSTEM-CALL:NUMBER COMMAND…: by fl-net.
killed() {
	run ns strace -qq -o /dev/null -e inject="${1%:*}:signal=KILL:when=${1#*:}" fl-net "${@:2}"
	[ "$status" = 137 ]
}

@test "killed anywhere, on the way up and down: nothing is left" {
	command -v strace >/dev/null && ns strace -o /dev/null true 2>/dev/null || skip "no strace"
	network net
	on net a >spec
	# As the specification of strace goes, each system call counts its own.
	for at in write:2 renameat:3 mount:1 clone3:1 poll:1 poll:2 renameat:4 sendmsg:{2..32..10} write:8; do
		killed "$at" up spec
		ns fl-net down a >/dev/null
		is_clean "$(ns ip -br link show cni0 2>/dev/null | cut -d' ' -f1)"
	done
	for at in poll:1 clone3:1 sendmsg:{1..5..2} umount2:1 unlink:{1,2} renameat:2; do
		ns fl-net up spec >/dev/null
		killed "$at" down a
		ns fl-net down a >/dev/null
		is_clean
	done
	# In the middle of what a plugin does.
	for ms in 20 35 50 80; do
		run ns timeout -s KILL "0.0$ms" fl-net up spec
		ns fl-net down a >/dev/null
		is_clean
	done
	ns fl-net up spec >/dev/null
	ns fl-net down a >/dev/null
	is_clean
}

@test "a spec that names a bridge instead: the guest is heard there" {
	network net
	ns fl-net bridge create br0 --address 10.9.8.1/24
	on net a | ns fl-net up >record
	jq -c '.spec.interfaces[0].overrides.bridge_name = "br0"' record | ns fl-net up >changed
	[ "$(jq -r .host.network.eth1.bridge changed)" = br0 ]
	[ -z "$(ns tc filter show dev "$(jq -r .host.network.eth1.link changed)" ingress)" ]
	guest changed one
	ns ip netns exec one busybox ping -q -c 1 -W 5 10.9.8.1 >/dev/null
	jq -c '.spec.interfaces[0].overrides.bridge_name = "cni:net"' changed | ns fl-net up >again
	[ "$(jq -r .host.network.eth1.bridge again)" = cni:net ]
	kill "${server[@]}"
	server=()
	ns fl-net down a >/dev/null
	ns fl-net bridge rm br0
	is_clean
}

@test "a plugin that a kill left is waited for as long as one may take, and no longer" {
	plugin late <<-'END'
		echo "$CNI_COMMAND begins" >>"$FL_STATE_DIR.log"
		[ "$CNI_COMMAND" != ADD ] || sleep "$(cat "$FL_STATE_DIR.sleep")"
		echo "$CNI_COMMAND ends" >>"$FL_STATE_DIR.log"
		echo '{"cniVersion": "1.0.0"}'
	END
	alone late
	on late a >spec
	echo 2 >"$FL_STATE_DIR.sleep"
	run ns timeout -s KILL 0.5 fl-net up spec
	ns fl-net down a >/dev/null
	[ "$(xargs <"$FL_STATE_DIR.log")" = "ADD begins ADD ends DEL begins DEL ends" ]
	on late b >spec
	echo 20 >"$FL_STATE_DIR.sleep"
	run ns timeout -s KILL 0.5 fl-net up --cni-timeout 1s spec
	SECONDS=0
	ns fl-net down b >/dev/null
	[ "$SECONDS" -lt 8 ]
	is_clean ""
}

@test "a host that forwards nothing publishes nothing, however often it is asked" {
	network net
	jq '.plugins[0] |= (del(.isGateway, .ipMasq) | .ipam.routes = [])' net.d/net.conflist >with
	mv with net.d/net.conflist
	on net a 8080:80 >spec
	for _ in 1 2; do
		fails_with 8 "the host forwards nothing" ns fl-net up spec
	done
	ns fl-net down a >/dev/null
	is_clean
}

@test "gc leaves alone what is made while it works" {
	plugin slow <<<'config=$(cat); if [ $CNI_COMMAND = DEL ]; then touch '"$PWD"'/begun; for _ in {1..500}; do [ -e '"$PWD"'/go ] && break; sleep 0.02; done; fi; [ $CNI_COMMAND != ADD ] || jq .prevResult <<<"$config"'
	network net '{"type": "slow"}'
	ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
	on net a | ns fl-net up >/dev/null
	rm -r "$FL_STATE_DIR/vm/default/a"
	"${enter[@]}" fl-net gc >removed 3>&- &
	server+=($!)
	for _ in {1..500}; do
		[ -e begun ] && break
		sleep 0.02
	done
	spec b br0 | jq -c '.labels = {"host.flintlock/publish": "8080:80"}' | ns fl-net up >b
	touch go
	wait "${server[0]}"
	server=()
	grep -q "CNI network of" removed
	run ! grep "ports of" removed
	ns nft list tables | grep -q "flintlock_vm_$(jq -r .spec.uid b)"
	ns fl-net down b >/dev/null
	ns fl-net bridge rm br0
	is_clean
}

@test "GC of CNI: who comes while the plugins are at it is not garbage" {
	plugin gated <<-'END'
		case $CNI_COMMAND in
		GC)
			touch "$FL_STATE_DIR.begun"
			for _ in {1..500}; do [ -e "$FL_STATE_DIR.go" ] && break; sleep 0.02; done
			;;
		ADD)
			nsenter --net="$CNI_NETNS" ip link add eth0 type veth peer name other
			echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.1.2.3/24"}]}'
			;;
		esac
		echo "$CNI_COMMAND" >>"$FL_STATE_DIR.log"
	END
	echo '{"cniVersion": "1.1.0", "name": "gated", "plugins": [{"type": "gated"}]}' >net.d/gated.conflist
	mkdir "$FL_STATE_DIR"
	"${enter[@]}" fl-net gc --cni gated 3>&- &
	server+=($!)
	for _ in {1..500}; do [ -e "$FL_STATE_DIR.begun" ] && break; sleep 0.02; done
	on gated a >spec
	"${enter[@]}" fl-net up spec >record 3>&- &
	server+=($!)
	for _ in {1..50}; do grep -q ADD "$FL_STATE_DIR.log" 2>/dev/null && break; sleep 0.02; done
	touch "$FL_STATE_DIR.go"
	wait "${server[@]}"
	server=()
	[ "$(xargs <"$FL_STATE_DIR.log")" = "GC ADD" ]
	ns fl-net down a >/dev/null
	is_clean ""
}
