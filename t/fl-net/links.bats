#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# fl-net's links and bridges to the last corner: each test in a network namespace of its own.

load ../lib
load ns

@test "names and MACs come from uid and device alone" {
	record=$(up a -)
	uid=$(jq -r .spec.uid <<<"$record")
	name=$(python3 -c 'import base64, hashlib, sys
print("fltap" + base64.b32encode(hashlib.sha256(sys.argv[1].encode()).digest()).decode().lower()[:10])' "$uid/eth1")
	[ "$(jq -r .host.network.eth1.link <<<"$record")" = "$name" ]
	[ "${#name}" = 15 ]
	mac=$(jq -r .host.network.eth1.mac <<<"$record")
	[[ "$mac" =~ ^[0-9a-f][26ae](:[0-9a-f]{2}){5}$ ]]
	[ "$(alias_of "$name")" = "flintlock:$uid/eth1" ]
	ns fl-net down a >/dev/null
	[ -z "$(links)" ]
}

@test "the record says what was made" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	ns ip link set br0 mtu 1400
	record=$(up a br0)
	link=$(jq -r .host.network.eth1.link <<<"$record")
	shown=$(ns ip -j -d link show "$link" | jq '.[0]')
	[ "$(jq -r '.linkinfo | .info_kind + .info_data.type' <<<"$shown")" = tuntap ]
	[ "$(jq -c '.linkinfo.info_data | [.vnet_hdr, .persist, .multi_queue, .pi]' <<<"$shown")" = "[true,true,false,false]" ]
	[ "$(jq -r '.master, .mtu' <<<"$shown" | xargs)" = "br0 1400" ]
	jq -e '.flags | index("UP")' <<<"$shown"
	[ "$(jq -c '.host.network.eth1 | [.bridge, .address, .gateway]' <<<"$record")" = '["br0","10.9.8.2/24","10.9.8.1"]' ]
	[ "$(jq -c .status.network_interfaces.eth1 <<<"$record")" = "$(jq -c '{host_device_name: .ifname,
		index: .ifindex, mac_address: (.address | ascii_upcase)}' <<<"$shown")" ]
}

@test "the spec's MAC, gateway and nameservers are kept" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	spec a br0 10.9.8.77/24 | jq -c '.interfaces[0] += {guest_mac: "02:AB:00:00:00:01"} |
		.interfaces[0].address += {gateway: "10.9.8.254", nameservers: ["9.9.9.9"]}' >spec
	[ "$(ns fl-net up spec | jq -c '.host.network.eth1 | [.mac, .address, .gateway, .nameservers]')" = \
		'["02:ab:00:00:00:01","10.9.8.77/24","10.9.8.254",["9.9.9.9"]]' ]
}

@test "the host's nameservers, but for those on loopback" {
	[ "$(id -u)" = 0 ] || skip "mounts a resolv.conf of its own"
	ns fl-net bridge create br0 --address 10.9.8.1/24
	printf 'nameserver 127.0.0.53\n# nameserver 1.1.1.1\nnameserver ::1\nnameserver 10.1.2.3\noptions x\n' >resolv
	spec a br0 >spec
	# shellcheck disable=SC2016
	ns unshare -m bash -c 'mount --bind resolv "$(realpath /etc/resolv.conf)" && fl-net up spec' >record
	[ "$(jq -c .host.network.eth1.nameservers record)" = '["10.1.2.3"]' ]
}

@test "up twice changes nothing, and mends what was taken away" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	first=$(up a br0)
	before=$(ns ip -j link | jq -c '.[] | [.ifname, .ifindex, .master, .mtu, .address, .ifalias]')
	[ "$(up a br0 | jq -c .host)" = "$(jq -c .host <<<"$first")" ]
	[ "$(ns ip -j link | jq -c '.[] | [.ifname, .ifindex, .master, .mtu, .address, .ifalias]')" = "$before" ]
	link=$(jq -r .host.network.eth1.link <<<"$first")
	ns ip link set "$link" nomaster down
	up a br0 >/dev/null
	[ "$(ns ip -j link show "$link" | jq -r '.[0].master')" = br0 ]
	ns ip link del "$link"
	[ "$(up a br0 | jq -c .host.network)" = "$(jq -c .host.network <<<"$first")" ]
}

@test "QEMU opens the tap" {
	command -v qemu-system-x86_64 >/dev/null || skip "no QEMU"
	link=$(up a - | jq -r .host.network.eth1.link)
	echo quit | ns timeout 20 qemu-system-x86_64 -M microvm -accel tcg -S -display none -monitor stdio \
		-netdev "tap,id=n,ifname=$link,script=no,downscript=no" -device virtio-net-device,netdev=n >log 2>&1
	! grep -i 'could not\|error' log
}

@test "what a kill left without a name is adopted" {
	spec a - >spec
	link=$(ns fl-net up spec | jq -r .host.network.eth1.link)
	ns ip link del "$link"
	ns ip tuntap add "$link" mode tap vnet_hdr
	ns fl-net up spec >/dev/null
	[[ "$(alias_of "$link")" == flintlock:*/eth1 ]]
}

@test "what a kill left without a name goes with down" {
	record=$(up a -)
	link=$(jq -r .host.network.eth1.link <<<"$record")
	ns ip link del "$link"
	ns ip tuntap add "$link" mode tap vnet_hdr
	ns fl-net down a >/dev/null
	[ -z "$(links)" ]
}

@test "another's link of our name is refused, and left alone by down" {
	spec a - >spec
	link=$(ns fl-net up spec | jq -r .host.network.eth1.link)
	ns ip link set "$link" alias "somebody's"
	fails_with 5 "somebody's" ns fl-net up spec
	ns ip link del "$link"
	ns ip link add "$link" type bridge
	fails_with 5 "$link" ns fl-net up spec
	ns ip link del "$link"
	ns ip link add foreign type bridge
	ns ip tuntap add "$link" mode tap
	ns ip link set "$link" master foreign
	fails_with 5 "$link" ns fl-net up spec
	ns ip link del "$link"
	ns ip tuntap add "$link" mode tun
	fails_with 5 "$link" ns fl-net up spec
	ns fl-net down a >/dev/null
	[ "$(links | xargs)" = "$link foreign" ] || [ "$(links | xargs)" = "foreign $link" ]
}

@test "a missing bridge, and one that is none" {
	fails_up 4 "fl-net bridge create br0 --address CIDR --nat" a br0
	jq -e '.host.error.step == "net"' "$FL_STATE_DIR"/vm/default/a/*/record.json
	ns ip tuntap add d0 mode tap
	fails_up 3 "not a bridge" b d0
	[ "$(links)" = d0 ]
}

@test "an interface that is to be a macvtap has no tap any more" {
	up a - >record
	jq -c '.spec.interfaces[0].type = "MACVTAP"' record >changed
	fails_with 8 "a macvtap needs a link of the host" ns fl-net up changed
	[ -z "$(links)" ]
	ns fl-net down a >/dev/null
}

# What the kernel does with one is tested in the lab (t/lab/macvtap.bats).
@test "a macvtap wants a parent that can be one" {
	refused() { # STATUS WORDS OPTIONS…
		run ns fl-net up "${@:3}" spec
		[ "$status" = "$1" ]
		[[ "$output" == *"$2"* ]]
	}
	spec a - | jq -c '.interfaces[0].type = "MACVTAP"' >spec
	refused 8 "--parent-iface LINK"
	refused 4 "nosuch: there is no such link" --parent-iface nosuch
	refused 2 "is not bridge, private" --parent-iface lo --macvtap-mode best
	ns ip link add down0 type dummy 2>/dev/null || ns ip tuntap add down0 mode tap
	refused 8 "is down" --parent-iface down0
	ns ip link add br0 type bridge
	ns ip link set down0 master br0 up
	refused 9 "is a port of a bridge" --parent-iface down0
	ns fl-net up --dry-run --parent-iface eth7 spec | grep -q '^ip link add link eth7 name flvtap'
}

@test "a bridge of another's gives no addresses, and takes links" {
	ns ip link add br0 type bridge
	[ "$(up a br0 | jq -c '.host.network.eth1 | [.bridge, .address]')" = '["br0",null]' ]
	[ "$(up b br0 10.1.1.1/24 | jq -r .host.network.eth1.address)" = 10.1.1.1/24 ]
}

@test "every microVM gets another address, and the same again" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	for i in 1 2 3 4 5 6; do
		up "vm$i" br0 >"record$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(jq -r .host.network.eth1.address record? | sort -u | wc -l)" = 6 ]
	ns fl-net down vm3 >/dev/null
	free=$(jq -r .host.network.eth1.address record3)
	[ "$(up vm5 br0 | jq -r .host.network.eth1.address)" = "$(jq -r .host.network.eth1.address record5)" ]
	[ "$(up vm7 br0 | jq -r .host.network.eth1.address)" = "$free" ]
}

@test "two interfaces on one bridge" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	spec a br0 | jq -c '.interfaces += [.interfaces[0] + {device_id: "eth2"}, .interfaces[0] +
		{device_id: "eth3", address: {address: "10.9.8.2/24"}}]' >spec
	ns fl-net up spec >record
	[ "$(jq -c '[.host.network[].address]' record)" = '["10.9.8.3/24","10.9.8.4/24","10.9.8.2/24"]' ]
	[ "$(ns fl-net up spec | jq -c '[.host.network[].address]')" = '["10.9.8.3/24","10.9.8.4/24","10.9.8.2/24"]' ]
	[ "$(links | wc -l)" = 4 ]
}

@test "several interfaces: the first has the way out, or the first with NAT, or what the spec says" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	ns fl-net bridge create br1 --address 10.9.9.1/24
	ns fl-net bridge create br6 --address fd00:9::1/64
	fl spec --name a --kernel oci:/x:k --root oci:/x:r --bridge br0 --bridge br1 --bridge br6 >spec
	[ "$(ns fl-net up spec | jq -c '[.host.network[].gateway]')" = '["10.9.8.1",null,"fd00:9::1"]' ]
	jq -c '.id = "b" | .interfaces[1].address = {address: "10.9.9.7/24", gateway: "10.9.9.9"}' spec >other
	[ "$(ns fl-net up other | jq -c '[.host.network[].gateway]')" = '[null,"10.9.9.9","fd00:9::1"]' ]
	ns fl-net bridge create br2 --address 10.9.7.1/24 --nat
	ns fl-net bridge create br3 --address 10.9.6.1/24 --nat
	fl spec --name c --kernel oci:/x:k --root oci:/x:r --bridge br0 --bridge br2 --bridge br3 >nat
	[ "$(ns fl-net up nat | jq -c '[.host.network[].gateway]')" = '[null,"10.9.7.1",null]' ]
	# Ports lead to where answers come back from.
	fl spec --name d --kernel oci:/x:k --root oci:/x:r --bridge br0 --bridge br2 --publish 8080:80 >ports
	address=$(ns fl-net up ports | jq -r '[.host.network[].address][1]')
	ns nft list ruleset >rules
	grep -q "dnat ip to ${address%/*}:80" rules
	# A net that the bridge does not reach is no way out.
	jq -c '.id = "e" | .labels = {} | .interfaces[1].address = {address: "192.168.5.2/24"}' ports >far
	[ "$(ns fl-net up far 2>/dev/null | jq -c '[.host.network[].gateway]')" = '["10.9.8.1",null]' ]
}

@test "no address is left, and nothing is made then" {
	ns fl-net bridge create br0 --address 10.9.8.1/30
	[ "$(up a br0 | jq -r .host.network.eth1.address)" = 10.9.8.2/30 ]
	fails_up 11 "no address is free" b br0
	[ "$(links | wc -l)" = 2 ]
	ns fl-net down a >/dev/null
	[ "$(up b br0 | jq -r .host.network.eth1.address)" = 10.9.8.2/30 ]
}

@test "a static address of another is refused; one that is planned is not handed out" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	up a br0 10.9.8.2/24 >/dev/null
	fails_up 5 "default/a has it" b br0 10.9.8.2/24
	fails_up 5 "the bridge itself" c br0 10.9.8.1/24
	fails_up 3 "" d br0 10.9.8.999/24
	spec e gone0 10.9.8.3/24 >spec
	run ns fl-net up spec
	spec e gone0 10.9.8.3/24 | jq -c '.interfaces[0].overrides.bridge_name = "br0" | .uid = $uid' \
		--arg uid "$(ls "$FL_STATE_DIR/vm/default/e")" >spec
	[ "$(up f br0 | jq -r .host.network.eth1.address)" = 10.9.8.3/24 ]
	fails_with 5 "default/f has it" ns fl-net up spec
	[ "$(up g br0 | jq -r .host.network.eth1.address)" = 10.9.8.4/24 ]
}

@test "an address of a net that is no more is replaced" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	spec a br0 >spec
	ns fl-net up spec >/dev/null
	ns fl-net bridge rm br0 --force
	ns fl-net bridge create br0 --address 10.5.5.1/24
	[ "$(ns fl-net up spec | jq -c '.host.network.eth1 | [.address, .gateway]')" = '["10.5.5.2/24","10.5.5.1"]' ]
}

@test "an interface that the spec has no more loses its link" {
	spec a - | jq -c '.interfaces += [.interfaces[0] + {device_id: "eth2"}]' >spec
	ns fl-net up spec >record
	[ "$(links | wc -l)" = 2 ]
	jq -c '.spec | del(.interfaces[0])' record >less
	ns fl-net up less >after
	[ "$(jq -c '[(.host.network, .status.network_interfaces) | keys]' after)" = '[["eth2"],["eth2"]]' ]
	[ "$(links)" = "$(jq -r .host.network.eth2.link record)" ]
	jq -c '.spec | .interfaces = []' after >none
	[ "$(ns fl-net up none | jq -c '[.host.network, .status.network_interfaces]')" = '[null,null]' ]
	[ -z "$(links)" ]
}

@test "down leaves nothing, twice" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	record=$(up a br0)
	uid=$(jq -r .spec.uid <<<"$record")
	ns fl-net down "$uid" >gone
	[ "$(jq -c '[.host.network, .status.network_interfaces]' gone)" = '[null,null]' ]
	[ "$(links)" = br0 ]
	ns fl-net down "$uid"
	[ ! -e "$FL_STATE_DIR/vm/default/a/$uid" ]
}

@test "down knows what was made and not recorded" {
	record=$(up a -)
	uid=$(jq -r .spec.uid <<<"$record")
	jq -c 'del(.host.network, .status.network_interfaces)' "$FL_STATE_DIR/vm/default/a/$uid/record.json" >r
	cp r "$FL_STATE_DIR/vm/default/a/$uid/record.json"
	ns fl-net down a >/dev/null
	[ -z "$(links)" ]
}

@test "a bridge is made once, as it was asked for" {
	ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
	before=$(ns ip -j addr | jq -c '.[] | [.ifname, .ifindex, .address, [.addr_info[].local]]'; ns nft list ruleset)
	ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
	[ "$(ns ip -j addr | jq -c '.[] | [.ifname, .ifindex, .address, [.addr_info[].local]]'; ns nft list ruleset)" = "$before" ]
	fails_with 5 "exists with --address 10.9.8.1/24 --nat" ns fl-net bridge create br0 --address 10.9.8.1/24
	fails_with 5 "exists with" ns fl-net bridge create br0 --address 10.9.8.1/25 --nat
	shown=$(ns ip -j -d link show br0 | jq '.[0]')
	[ "$(jq -c '[.ifalias, .linkinfo.info_data.forward_delay, .linkinfo.info_data.stp_state]' <<<"$shown")" = \
		'["flintlock:bridge",0,0]' ]
	mac=$(jq -r .address <<<"$shown")
	[ "$(stat -c %a "$FL_STATE_DIR/net/br0.json")" = 600 ]
	ns fl-net bridge rm br0
	nothing_is_left
	ns fl-net bridge create br0 --address 10.9.9.1/24
	[ "$(ns ip -j link show br0 | jq -r '.[0].address')" = "$mac" ]
	up a br0 >/dev/null
	[ "$(ns ip -j link show br0 | jq -r '.[0].address')" = "$mac" ]
}

@test "another's link is no bridge of ours, and rm leaves it alone" {
	ns ip link add br0 type bridge
	fails_with 5 "not ours" ns fl-net bridge create br0 --address 10.9.8.1/24
	fails_with 8 "not ours" ns fl-net bridge rm br0
	fails_with 8 "not ours" ns fl-net bridge rm br0 --force
	[ "$(links)" = br0 ]
	ns fl-net bridge rm nothing
	ns fl-net bridge create br1 --address 10.9.8.1/24
	fails_with 8 "--state-dir" ns fl-net bridge rm br1 --state-dir "$BATS_TEST_TMPDIR/other"
	ns fl-net bridge rm br1 --force --state-dir "$BATS_TEST_TMPDIR/other"
	[ "$(links)" = br0 ]
}

@test "bad names and addresses" {
	for name in "" . .. a/b "a b" -- "-x" .hidden all averyveryverylongname 'a"b' 'x*'; do
		fails_with 3 "not a name" ns fl-net bridge create --address 10.9.8.1/24 -- "$name"
	done
	for address in "" x 10.9.8.1 10.9.8.0/24 10.9.8.255/24 10.9.8.1/31 10.9.8.1/33 10.9.8.1/4 127.0.0.1/8 \
		224.0.0.1/24 fe80::1/64 fd00::/64 ::1/64 10.9.8/24; do
		fails_with 3 "--address" ns fl-net bridge create br0 --address "$address"
	done
	fails_with 2 "--address" ns fl-net bridge create br0
	fails_with 2 "name is missing" ns fl-net bridge create --address 10.9.8.1/24
	fails_with 2 "not create, rm or ls" ns fl-net bridge make br0
	[ -z "$(links)" ]
	[ ! -e "$FL_STATE_DIR/net/br0.json" ]
}

@test "nat: rules of its own, forwarding back as it was" {
	ns sysctl -qw net.ipv4.ip_forward=0
	ns nft add table inet mine
	ns fl-net bridge create br.0 --address 10.9.8.1/24 --nat
	rules=$(ns nft list ruleset)
	[[ "$rules" == *"ip saddr 10.9.8.0/24 oifname != \"br.0\" masquerade"* ]]
	[[ "$rules" == *"iifname \"br.0\" accept"* ]]
	[ "$(forwarding)" = 1 ]
	ns fl-net bridge rm br.0
	[ "$(ns nft list tables)" = "table inet mine" ]
	[ "$(forwarding)" = 0 ]
	ns sysctl -qw net.ipv4.ip_forward=1
	ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
	ns fl-net bridge rm br0
	[ "$(forwarding)" = 1 ]
}

@test "nat: rules that somebody flushed come back with the next up" {
	ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
	rules=$(ns nft list table inet flintlock_br0)
	ns nft flush ruleset
	ns sysctl -qw net.ipv4.ip_forward=0
	up a br0 >/dev/null
	[ "$(ns nft list table inet flintlock_br0)" = "$rules" ]
	# The table alone is not enough, nor are rules where the host forwards nothing.
	ns nft flush table inet flintlock_br0
	up a br0 >/dev/null
	[ "$(ns nft list table inet flintlock_br0)" = "$rules" ]
	ns sysctl -qw net.ipv4.ip_forward=0
	up a br0 >/dev/null
	[ "$(forwarding)" = 1 ]
	[ "$(forwarding)" = 1 ]
	# What is there stays as it is.
	ns nft add rule inet flintlock_br0 forward accept comment mine
	up a br0 >/dev/null
	[[ "$(ns nft list table inet flintlock_br0)" == *'comment "mine"'* ]]
	ns fl-net down default/a >/dev/null
	ns fl-net bridge rm br0
	[ -z "$(ns nft list tables)" ]
}

@test "two bridges: forwarding stays until the last has gone, whichever that is" {
	for order in "br0 br1" "br1 br0"; do
		ns sysctl -qw net.ipv4.ip_forward=0
		ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
		ns fl-net bridge create br1 --address 10.9.9.1/24 --nat
		ns fl-net bridge create br2 --address 10.9.10.1/24
		read -r first last <<<"$order"
		ns fl-net bridge rm "$first"
		[ "$(forwarding)" = 1 ]
		[ "$(ns nft list tables)" = "table inet flintlock_$last" ]
		ns fl-net bridge rm "$last"
		[ "$(forwarding)" = 0 ]
		ns fl-net bridge rm br2
		nothing_is_left
	done
}

@test "a MAC that another microVM has on the bridge is refused; elsewhere it is not" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	ns fl-net bridge create br1 --address 10.9.9.1/24
	with_mac() { spec "$1" "$2" | jq -c '.interfaces[0].guest_mac = "02:00:00:AB:00:01"'; }
	with_mac a br0 >a
	ns fl-net up a >/dev/null
	with_mac b br0 | jq -c '.interfaces[0].guest_mac |= ascii_downcase' >b
	fails_with 5 "guest_mac 02:00:00:ab:00:01 on br0: default/a has it; choose another" ns fl-net up b
	ns fl-net up a >/dev/null
	with_mac c br1 | ns fl-net up >/dev/null
	ns fl-net down a >/dev/null
	ns fl-net up b >/dev/null
}

@test "nets of two bridges must not overlap" {
	ns fl-net bridge create br0 --address 10.9.8.1/24
	fails_with 5 "overlaps" ns fl-net bridge create br1 --address 10.9.1.1/16
	fails_with 5 "overlaps" ns fl-net bridge create br1 --address 10.9.8.129/25
	FL_STATE_DIR=$PWD/other fails_with 5 "overlaps with that of bridge br0 (10.9.8.1/24)" ns fl-net bridge create br1 --address 10.9.8.9/24
	[ "$(links)" = br0 ]
}

@test "a bridge takes nothing of a net that the host is on" {
	ns ip link add up0 type veth peer name up1
	ns ip address add 10.50.0.5/16 dev up0
	ns ip link set up0 up
	for address in 10.50.0.9/16 10.50.3.1/24 10.0.0.1/8; do
		fails_with 5 "overlaps with that of the host's link up0 (10.50.0.5/16); choose another net" \
			ns fl-net bridge create br0 --address "$address"
	done
	[ -z "$(ls "$FL_STATE_DIR"/net/*.json 2>/dev/null)" ]
	ns fl-net bridge create br0 --address 10.51.0.1/24
	# One that is there stays so, whatever the host gets later.
	ns ip address add 10.51.0.77/16 dev up0
	ns fl-net bridge create br0 --address 10.51.0.1/24
	ns ip link del br0
	up a br0 >/dev/null
}

@test "IPv6" {
	ns sysctl -qw net.ipv6.conf.all.forwarding=0
	ns fl-net bridge create br0 --address fd00:9::1/64 --nat
	[ "$(ns cat /proc/sys/net/ipv6/conf/all/forwarding)" = 1 ]
	[[ "$(ns nft list ruleset)" == *"ip6 saddr fd00:9::/64"*masquerade* ]]
	ns ip -6 addr show dev br0 | grep -q 'fd00:9::1/64'
	[ "$(up a br0 | jq -c '.host.network.eth1 | [.address, .gateway]')" = '["fd00:9::2/64","fd00:9::1"]' ]
	ns fl-net down a >/dev/null
	ns fl-net bridge rm br0
	[ "$(ns cat /proc/sys/net/ipv6/conf/all/forwarding)" = 0 ]
	nothing_is_left
}

@test "rm refuses a bridge in use, but by force" {
	ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
	up a br0 >/dev/null
	fails_with 8 "1 link is on it" ns fl-net bridge rm br0
	ns nft list table inet flintlock_br0 >/dev/null
	ns fl-net bridge rm br0 --force
	[ "$(links | wc -l)" = 1 ]
	ns fl-net down a >/dev/null
	nothing_is_left
}

@test "after a reboot of the host, up makes bridge and tap again" {
	export FL_BOOT_ID=one
	ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
	before=$(up a br0)
	# While the old namespace is there, its number is not the new one's.
	old=$holder
	if [ "$(id -u)" = 0 ]; then open_ns -n; else open_ns -Urn; fi
	kill "$old"
	fails_up 4 "no bridge of that name" b br0
	ns sysctl -qw net.ipv4.ip_forward=1
	export FL_BOOT_ID=two
	[ "$(up a br0 | jq -c .host.network)" = "$(jq -c .host.network <<<"$before")" ]
	ns nft list table inet flintlock_br0 >/dev/null
	ns fl-net down a >/dev/null
	ns fl-net bridge rm br0
	[ "$(forwarding)" = 1 ]
	nothing_is_left
}

@test "after a reboot another's link of the bridge's name is no bridge of ours" {
	FL_BOOT_ID=one ns fl-net bridge create br0 --address 10.9.8.1/24
	ns ip link del br0
	ns ip link add br0 type bridge
	[ "$(FL_BOOT_ID=two up a br0 | jq -r .host.network.eth1.address)" = null ]
	FL_BOOT_ID=two fails_with 5 "not ours" ns fl-net bridge create br0 --address 10.9.8.1/24
	FL_BOOT_ID=two ns fl-net bridge rm br0
	[ ! -e "$FL_STATE_DIR/net/br0.json" ]
	links | grep -qx br0
}

# killed_at N COMMAND…: kills it at its Nth call that changes something; false when it ended before.
killed_at() {
	local n=$1
	shift
	run ns env ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null \
		-e "inject=renameat,unlink,unlinkat,ioctl,sendmsg,sendto,write:signal=KILL:when=$n" "$@"
	[ "$status" -ge 128 ]
}

can_kill() {
	command -v strace >/dev/null && ns strace -o /dev/null true 2>/dev/null || skip "no strace"
}

@test "create and rm, killed anywhere, are finished by a second run" {
	can_kill
	ns sysctl -qw net.ipv4.ip_forward=0
	for ((n = 1; n < 200; n++)); do
		killed_at "$n" fl-net bridge create br0 --address 10.9.8.1/24 --nat || break
		[ $((n % 2)) = 0 ] || ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
		[ "$(links | wc -l)" -le 1 ]
		ns fl-net bridge rm br0
		nothing_is_left
		[ "$(forwarding)" = 0 ]
	done
	[ "$n" -gt 5 ] && [ "$n" -lt 200 ]
	for ((n = 1; n < 200; n++)); do
		ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
		killed_at "$n" fl-net bridge rm br0 || break
		ns fl-net bridge rm br0
		nothing_is_left
		[ "$(forwarding)" = 0 ]
	done
	[ "$n" -gt 3 ] && [ "$n" -lt 200 ]
}

@test "up and down, killed anywhere, leak no link" {
	can_kill
	ns fl-net bridge create br0 --address 10.9.8.1/24
	spec a br0 >spec
	for ((n = 1; n < 200; n++)); do
		killed_at "$n" fl-net up spec || break
		[ $((n % 2)) = 0 ] || [ "$(ns fl-net up spec | jq -r .host.network.eth1.address)" = 10.9.8.2/24 ]
		ns fl-net down a >/dev/null
		[ "$(links)" = br0 ]
	done
	[ "$n" -gt 5 ] && [ "$n" -lt 200 ]
	for ((n = 1; n < 200; n++)); do
		ns fl-net up spec >/dev/null
		killed_at "$n" fl-net down a || break
		ns fl-net down a >/dev/null
		[ "$(links)" = br0 ]
	done
	[ "$n" -gt 3 ] && [ "$n" -lt 200 ]
}

@test "ls, bridge ls" {
	[ -z "$(ns fl-net ls --json)" ]
	[ ! -e "$FL_STATE_DIR" ]
	ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
	record=$(up a br0)
	[ "$(ns fl-net ls --json | jq -c '[.link, .kind, .state]' | xargs)" = \
		"[br0,bridge,up] [$(jq -r .host.network.eth1.link <<<"$record"),tap,idle]" ]
	[ "$(ns fl-net ls --json | jq -c 'select(.kind == "tap") | [.uid, .namespace, .name, .device, .bridge, .mac, .address]')" = \
		"$(jq -c '[.spec.uid, "default", "a", "eth1", "br0", .host.network.eth1.mac, "10.9.8.2/24"]' <<<"$record")" ]
	[ "$(ns fl-net bridge ls --json | jq -c '[.link, .address, .nat]')" = '["br0","10.9.8.1/24",true]' ]
	ns fl-net ls | grep -q '^LINK'
	ns ip link del "$(jq -r .host.network.eth1.link <<<"$record")"
	[ "$(ns fl-net ls --json | jq -r 'select(.kind == "tap").state')" = missing ]
}

@test "gc removes what no record owns, and nothing else" {
	keep=$(up a - | jq -r .host.network.eth1.link)
	lost=$(up b - | jq -r .host.network.eth1.link)
	ns ip link add foreign type bridge
	ns ip link set foreign alias "flintlock:01ARZ3NDEKTSV4RRFFQ69G5FAV/eth0"
	ns fl-net bridge create br0 --address 10.9.8.1/24
	[ -z "$(ns fl-net gc)" ]
	rm -r "$FL_STATE_DIR/vm/default/b"
	ns fl-net ls --json | jq -e --arg l "$lost" 'select(.link == $l).state == "orphaned"'
	[ "$(ns fl-net gc --dry-run)" = "$lost" ]
	[ "$(links | wc -l)" = 4 ]
	[ "$(ns fl-net gc)" = "$lost" ]
	[ "$(links | sort | xargs)" = "$(printf '%s\n' br0 foreign "$keep" | sort | xargs)" ]
}

@test "gc leaves a tap alone that a program has open" {
	lost=$(up a - | jq -r .host.network.eth1.link)
	rm -r "$FL_STATE_DIR/vm/default/a"
	"${enter[@]}" python3 -c 'import fcntl, struct, sys, time
f = open("/dev/net/tun", "r+b", buffering=0)
fcntl.ioctl(f, 0x400454ca, struct.pack("16sH22x", sys.argv[1].encode(), 0x5002))
open("open", "w").close()
time.sleep(60)' "$lost" 3>&- &
	user=$!
	for _ in {1..200}; do [ -e open ] && break; sleep 0.02; done
	fails_with 0 "a program uses it" ns fl-net gc
	[ "$(links)" = "$lost" ]
	kill "$user"
	wait "$user" || true
	[ "$(ns fl-net gc)" = "$lost" ]
}

@test "dry-run says what and does nothing" {
	spec a br0 >spec
	ns fl-net up --dry-run spec >plan
	grep -q '^ip tuntap add fltap.* mode tap vnet_hdr$' plan
	grep -q '^ip link set fltap.* alias flintlock:.*/eth1 master br0 up$' plan
	[ -z "$(links)" ]
	[ ! -e "$FL_STATE_DIR" ]
	ns ip link add br0 type bridge
	ns bash -e plan
	[ "$(links | wc -l)" = 2 ]
	# What a spec has for a name is pasted as that.
	spec b 'b;touch x' | ns fl-net up --dry-run | ns bash || true
	[ ! -e x ]
}

@test "without the right, it says so" {
	[ "$(id -u)" = 0 ] || skip "drops rights of root"
	fails_with 6 "CAP_NET_ADMIN" ns capsh --drop=cap_net_admin -- -c 'fl-net bridge create br0 --address 10.9.8.1/24'
	# Nothing of it is left that would stand in the way of other options.
	[ -z "$(ns fl-net bridge ls --json)" ]
	ns fl-net bridge create br0 --address 10.9.9.1/24
	ns ip link del br0
	ns capsh --drop=cap_net_admin -- -c 'fl-net bridge rm br0'
	[ -z "$(ns fl-net bridge ls --json)" ]
}

@test "in a user namespace without root" {
	unshare -Urn true 2>/dev/null || skip "no user namespaces"
	close_ns
	open_ns -Urn
	ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
	[ "$(forwarding)" = 1 ]
	[ "$(up a br0 | jq -r .host.network.eth1.address)" = 10.9.8.2/24 ]
	ns fl-net down a >/dev/null
	ns fl-net bridge rm br0
	[ "$(forwarding)" = 0 ]
	nothing_is_left
}
