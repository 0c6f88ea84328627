#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# A guest that reaches by itself only what is allowed. A namespace behind its tap stands for it.

bats_require_minimum_version 1.5.0
load ../lib
load ns
load rooms

# kept_in NAME BRIDGE ALLOWED: its spec, with port 8080 of the host published.
kept_in() {
	spec "$1" "$2" | jq -c --arg allow "$3" '.labels = {"host.flintlock/egress": "deny",
		"host.flintlock/publish": "8080:80"} + if $allow == "" then {} else {"host.flintlock/allow": $allow} end'
}

# What stands around the guest: "other" on its bridge, "client" beyond the host, the host.
around() {
	private_names
	bridge
	on_bridge other 10.9.8.30/24
	outside
	serve other 7000
	serve client 7000
	serve client 7001
	listen_on 10.9.8.1 7000
	echo_udp other 5300
	echo_udp client 5300
	echo_udp client 5301
}

# run_guest SPEC: brought up, and a guest behind it.
run_guest() {
	ns fl-net up "$1" >record
	guest record guest
	ns ip -n guest route add default via 10.9.8.1
	serve guest 80
	echo_udp guest 5300
}

# echo_udp ROOM PORT: each datagram is answered with 4000 bytes.
echo_udp() {
	"${enter[@]}" ip netns exec "$1" python3 -c '
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", int(sys.argv[1])))
while True:
    server.sendto(b"x" * 4000, server.recvfrom(65536)[1])' "$2" 3>&- &
	server+=($!)
	listens udp "$2" "$1"
}

# What is denied is waited for in vain: not for long. What is allowed may be slow.
denied() {
	local PATIENCE=0.5
	run ! "$@"
}

# tcp ROOM ADDRESS PORT [FROM]: whether a connection opens.
tcp() {
	ns ip netns exec "$1" timeout 20 python3 -c '
import socket, sys
source = (sys.argv[4], 0) if len(sys.argv) > 4 else None
socket.create_connection((sys.argv[2], int(sys.argv[3])), float(sys.argv[1]), source)' "${PATIENCE:-8}" "${@:2}" 2>/dev/null
}

# udp ROOM ADDRESS PORT: whether 4000 bytes are answered with as many.
udp() {
	ns ip netns exec "$1" timeout 20 python3 -c '
import socket, sys
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.settimeout(float(sys.argv[1]))
peer.sendto(b"x" * 4000, (sys.argv[2], int(sys.argv[3])))
sys.exit(len(peer.recv(65536)) != 4000)' "${PATIENCE:-8}" "$2" "$3" 2>/dev/null
}

# ping ROOM ADDRESS
ping() {
	ns ip netns exec "$1" busybox ping -q -c 1 -W "$([ "${PATIENCE:-}" ] && echo 1 || echo 8)" "$2" >/dev/null
}

# All at once: each waits for what never comes.
nothing_gets_out() {
	local each=() one PATIENCE=0.5
	tcp guest 10.9.8.30 7000 & each+=($!)
	tcp guest 10.9.8.1 7000 & each+=($!)
	tcp guest 192.0.2.2 7001 & each+=($!)
	udp guest 10.9.8.30 5300 & each+=($!)
	udp guest 192.0.2.2 5301 & each+=($!)
	ping guest 10.9.8.30 & each+=($!)
	ping guest 10.9.8.1 & each+=($!)
	ping guest 192.0.2.2 & each+=($!)
	for one in "${each[@]}"; do
		if wait "$one"; then
			echo "one of the eight got through"
			return 1
		fi
	done
}

answers_get_out() {
	[ "$(ask 192.0.2.1 8080 client)" = "guest, asked by 192.0.2.2" ]
	[[ "$(ask 10.9.8.2 80)" == guest* ]]
	[[ "$(ask 10.9.8.2 80 other)" == guest* ]]
	udp other 10.9.8.2 5300
	ping other 10.9.8.2
}

@test "denied is denied, allowed is allowed, answers go out" {
	around
	kept_in a br0 192.0.2.2:7000,192.0.2.2:5300/udp >spec
	run_guest spec
	[ "$(jq -r .host.egress record)" = 192.0.2.2:7000,192.0.2.2:5300/udp ]
	nothing_gets_out
	tcp guest 192.0.2.2 7000
	udp guest 192.0.2.2 5300
	denied tcp guest 192.0.2.2 5300
	answers_get_out
	# Once more is no harm, and who asked before is still answered.
	ns nft list set netdev "flintlock_vm_$(jq -r .spec.uid record)" peers_ip | grep -q elements
	ns fl-net up spec >/dev/null
	ns nft list set netdev "flintlock_vm_$(jq -r .spec.uid record)" peers_ip | grep -q elements
	# Whom it called and who called it stay told apart: an answer's port is no way out.
	denied tcp guest 10.9.8.30 5300
	# What another flushes opens everything, and up closes it.
	ns nft flush ruleset
	ns fl-net ls | grep fltap | grep -q "let out"
	tcp guest 10.9.8.30 7000
	tcp guest 10.9.8.1 7000
	udp guest 10.9.8.30 5300
	ping guest 10.9.8.1
	ns fl-net up spec >/dev/null
	ns fl-net ls | grep fltap | grep -q "in use"
	nothing_gets_out
	answers_get_out
}

@test "nets, and another address or MAC than its own" {
	around
	kept_in a br0 192.0.2.0/24,10.9.8.30:7000/tcp >spec
	run_guest spec
	tcp guest 192.0.2.2 7001
	udp guest 192.0.2.2 5301
	ping guest 192.0.2.2
	tcp guest 10.9.8.30 7000
	denied ping guest 10.9.8.30
	denied tcp guest 10.9.8.1 7000
	# Answered, it would draw the answer to where it may not go.
	ns ip -n guest address add 10.9.8.77/24 dev eth0
	denied tcp guest 10.9.8.30 7000 10.9.8.77
	ns ip -n guest address del 10.9.8.77/24 dev eth0
	ns ip -n guest link set eth0 address 02:00:00:00:00:99
	denied tcp guest 10.9.8.30 7000
	ns ip -n guest link set eth0 address "$(jq -r .host.network.eth1.mac record)"
	tcp guest 10.9.8.30 7000
}

# frames: sends from the guest what other guests should not see, and one ARP question at the
# end; prints the number of each frame that "other" saw.
frames() {
	local mac
	mac=$(jq -r .host.network.eth1.mac record)
	: >seen # not an earlier one's "ready"
	"${enter[@]}" ip netns exec other timeout 60 python3 -c '
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
sock.bind(("eth0", 0))
print("ready", flush=True)
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
while True:
    frame = sock.recv(2000)
    if frame[6:12] == mac and frame[-5:-1] == b"mark":
        print(chr(frame[-1]), flush=True)
        if frame[-1] == 90:
            break' "$mac" >seen 3>&- &
	local seer=$!
	until grep -q ready seen; do sleep 0.02; done
	ns ip netns exec guest python3 -c '
import socket, struct, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("eth0", 0))
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
number = 65
def send(to, kind, rest):
    global number
    sock.send(bytes.fromhex(to) + mac + struct.pack("!H", kind) + rest + b"mark" + bytes([number]))
    number += 1
def ip(source, to, protocol, rest):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(rest) + 5, 1, 0, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(to))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:] + rest
def ip6(to, protocol, hops, rest):
    return struct.pack("!IHBB", 6 << 28, len(rest) + 5, protocol, hops) + \
        socket.inet_pton(socket.AF_INET6, "fe80::1") + socket.inet_pton(socket.AF_INET6, to) + rest
def arp(sender, operation=1):
    return struct.pack("!HHBBH", 1, 0x800, 6, 4, operation) + mac + socket.inet_aton(sender) + \
        bytes(6) + socket.inet_aton("10.9.8.30") + bytes(18)
udp = struct.pack("!HHHH", 5353, 5353, 13, 0)
every = "ff" * 6
send(every, 0x8100, struct.pack("!HH", 7, 0x800) + ip("10.9.8.2", "10.9.8.30", 17, udp))
send(every, 0x88b5, bytes(46))
send("01005e0000fb", 0x800, ip("10.9.8.2", "224.0.0.251", 17, udp))
send(every, 0x800, ip("10.9.8.2", "255.255.255.255", 17, struct.pack("!HHHH", 68, 67, 13, 0)))
send("3333000000fb", 0x86dd, ip6("ff02::fb", 17, 255, udp))
send("333300000001", 0x86dd, ip6("ff02::1", 58, 255, bytes([134, 0, 0, 0]) + bytes(12)))
send(every, 0x806, arp("10.9.8.1", 2))
send(every, 0x86dd, ip6("2001:db8::1", 58, 255, bytes([135, 0, 0, 0]) + bytes(20)))
number = 90
send(every, 0x806, arp("10.9.8.2"))' "$mac"
	wait "$seer"
	grep -v ready seen | tr -d '\n'
}

@test "VLANs, other protocols, multicast, advertisements, lies of ARP" {
	private_names
	bridge
	on_bridge other 10.9.8.30/24
	kept_in a br0 "" >spec
	ns fl-net up spec >record
	[ "$(jq -r .host.egress record)" = "" ]
	guest record guest
	[ "$(frames)" = Z ]
	ns nft flush ruleset
	got=$(frames)
	echo "seen: $got"
	[ "$got" = ABCDEFGHZ ]
}

@test "IPv6" {
	private_names
	ns ip link set lo up
	ns fl-net bridge create br6 --address fd00:9::1/64
	kept_in a br6 "[fd00:9::30]:7000" | jq -c 'del(.labels["host.flintlock/publish"])' >spec
	ns fl-net up spec >record
	guest record guest
	room other fd00:9::30/64 fd00:9::1
	ns ip link set to-other master br6
	serve other 7000 ::
	serve other 7001 ::
	serve guest 80 ::
	for _ in {1..100}; do
		ns ip -n other -6 address show tentative | grep -q . || break
		sleep 0.1
	done
	ping other fd00:9::2
	[[ "$(ask fd00:9::2 80 other)" == guest* ]]
	tcp guest fd00:9::30 7000
	denied tcp guest fd00:9::30 7001
	denied ping guest fd00:9::30
	denied ping guest fd00:9::1
	ns ip -n guest address add fd00:9::77/64 dev eth0 nodad
	denied tcp guest fd00:9::30 7000 fd00:9::77
	ns ip -n guest address del fd00:9::77/64 dev eth0
	# Where no IPv6 is meant, none is to be had.
	ns nft flush ruleset
	ping guest fd00:9::30
	tcp guest fd00:9::30 7001
}

@test "a guest that lives by DHCP asks for its address, and nothing else" {
	private_names
	ns ip link add br1 type bridge
	ns ip link set br1 up
	kept_in a br1 "" | jq -c 'del(.labels["host.flintlock/publish"])' >spec
	ns fl-net up spec >record
	guest record guest
	room other 10.3.0.1/24 10.3.0.9
	ns ip link set to-other master br1
	for port in 67 69; do
		"${enter[@]}" ip netns exec other timeout 10 python3 -c '
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", int(sys.argv[1])))
print("ready", flush=True)
while True:
    print(server.recv(100)[34:].decode(), flush=True)' "$port" >"heard-$port" 3>&- &
		server+=($!)
		for _ in {1..1000}; do grep -q ready "heard-$port" && break; sleep 0.02; done
	done
	ns ip -n guest address add 0.0.0.0/0 dev eth0 2>/dev/null || true
	ns ip -n guest route add default dev eth0
	ns ip netns exec guest python3 -c '
import socket
mac = bytes.fromhex(open("/sys/class/net/eth0/address").read().replace(":", ""))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
client.bind(("", 68))
for port, who, what in (69, mac, b"give"), (67, b"\2" * 6, b"take"), (67, mac, b"give"):
    client.sendto(bytes(28) + who + what, ("255.255.255.255", port))'
	for _ in {1..1000}; do grep -q give heard-67 && break; sleep 0.02; done
	grep -q give heard-67
	# Nor in the name of another.
	run ! grep -q take heard-67
	run ! grep -q give heard-69
}

@test "changed, taken back, taken down, collected" {
	private_names
	bridge
	kept_in a br0 10.0.0.0/8 >spec
	ns fl-net up spec >record
	table=flintlock_vm_$(jq -r .spec.uid record)
	ns nft list table netdev "$table" | grep -q "ip daddr 10.0.0.0/8 goto pass"
	jq -c '.spec.labels["host.flintlock/allow"] = "10.9.0.77/16:53"' record | ns fl-net up >changed
	ns nft list table netdev "$table" >rules
	grep -q 'ip daddr 10.9.0.0/16 meta l4proto { tcp, udp } th dport 53 goto pass' rules
	run ! grep -q 10.0.0.0/8 rules
	ns fl-net gc
	ns nft list table netdev "$table" >/dev/null
	ns fl-net up --dry-run record | grep -qx '# all that it may reach: 10.0.0.0/8'
	fails_with 5 "exists with another spec (labels)" ns fl-net up --dry-run spec
	ns fl-net down a >/dev/null
	run ! grep -q netdev <(ns nft list tables)
	kept_in b br0 "" >spec-b
	ns fl-net up spec-b >record-b
	uid=$(jq -r .spec.uid record-b)
	# A guest that runs is not let out by who asks with another state folder.
	guest record-b guest
	FL_STATE_DIR=$PWD/another fails_with 0 "denied egress of $uid: has no record, but its tap is in use" ns fl-net gc
	ns nft list table netdev "flintlock_vm_$uid" >/dev/null
	ns nft list table inet "flintlock_vm_$uid" >/dev/null
	kill "${server[-1]}"
	wait "${server[-1]}" || true
	rm -r "$FL_STATE_DIR/vm/default/b"
	ns fl-net gc --dry-run | grep -qx "denied egress of $uid"
	ns fl-net gc | grep -qx "denied egress of $uid"
	run ! grep -q netdev <(ns nft list tables)
	[ -z "$(ns fl-net gc)" ]
}

@test "what is no destination, and what cannot be denied" {
	local wrong
	bridge
	for wrong in example.org example.org:443 10.0.0.0/33 10.0.0.1:0 10.0.0.1:65536 10.0.0.1:x 10.0.0.1:53/sctp \
		10.0.0.1/udp 2001:db8::1/129 "[2001:db8::1]:" "[2001:db8::1" "[10.0.0.1" "10.0.0.1," ,10.0.0.1 " 10.0.0.1" \
		'10.0.0.1 accept' :53 "1.2.3.4:5:6"; do
		kept_in a br0 "$wrong" >spec
		fails_with 3 "is not ADDRESS[/PREFIX][:PORT[/tcp|/udp]]" ns fl-net up spec
	done
	kept_in a br0 10.0.0.1 | jq -c '.labels["host.flintlock/egress"] = "allow"' >spec
	fails_with 3 'host.flintlock/allow: means nothing unless host.flintlock/egress is "deny"' ns fl-net up spec
	kept_in a br0 10.0.0.1 | jq -c '.labels["host.flintlock/egress"] = "no"' >spec
	fails_with 3 '"no" is not deny or allow' ns fl-net up spec
	kept_in a br0 "" | jq -c '.interfaces[0].type = "MACVTAP"' >spec
	fails_with 3 'what a macvtap sends cannot be denied; set the type of interface eth1 to TAP' ns fl-net up spec
	kept_in a cni:net 10.0.0.1 >spec
	fails_with 3 "what goes to a CNI network (interface eth1) is for that network's plugins to deny" ns fl-net up spec
	fl spec --name a --kernel oci:/x:k --root oci:/x:r --egress deny --allow 10.0.0.0/8 --allow '[fd00::/8]:443/tcp' >spec
	[ "$(jq -r '.labels["host.flintlock/egress"]' spec)" = deny ]
	[ "$(jq -r '.labels["host.flintlock/allow"]' spec)" = '10.0.0.0/8,[fd00::/8]:443/tcp' ]
}

@test "killed anywhere, on the way up and down: no table is left, and none too few" {
	command -v strace >/dev/null && ns strace -o /dev/null true 2>/dev/null || skip "no strace"
	bridge
	kept_in a br0 10.0.0.0/8 >spec
	for ((n = 1; n < 60; n += 4)); do
		ns strace -qq -o /dev/null -e inject=sendmsg,openat:signal=KILL:when="$n" fl-net up spec >record 2>/dev/null || true
		[ ! -s record ] || grep -q 'table netdev flintlock_vm' <(ns nft list tables)
		ns strace -qq -o /dev/null -e inject=sendmsg:signal=KILL:when="$n" fl-net down a >/dev/null 2>&1 || true
		ns fl-net down a >/dev/null
		run ! grep -q flintlock_vm <(ns nft list tables)
	done
}
