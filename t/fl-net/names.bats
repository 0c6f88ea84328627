#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# fl-net dns: names and addresses of the microVMs on a bridge, by a real dnsmasq. Namespaces stand
# for the guests.

bats_require_minimum_version 1.5.0
load ../lib
load ns
load rooms

named_bridge() {
	ns ip link set lo up
	ns fl-net bridge create br0 --address "${1:-10.9.8.1/24}" --domain fl.test
}

# serve_names [OPTIONS…]: until a test ends.
serve_names() {
	open_folders
	# shellcheck disable=SC2154 # ns.bash has it
	"${enter[@]}" fl-net dns br0 --upstream none "$@" 2>dns.err 3>&- &
	dns=$!
	server+=("$dns")
	for _ in {1..1000}; do
		grep -q "names under fl.test" dns.err && return
		is_alive "$dns" || break
		sleep 0.02
	done
	cat dns.err
	return 1
}

# dnsmasq, which is not root, reads what is in a folder of the test's.
open_folders() {
	local folder=$BATS_TEST_TMPDIR
	while [[ $folder == "$BATS_RUN_TMPDIR"* ]]; do
		chmod a+x "$folder"
		folder=${folder%/*}
	done
}

end_names() {
	kill "$dns"
	wait "$dns"
}

teardown() {
	[ -z "${server[*]}" ] || kill "${server[@]}" 2>/dev/null || true
	[ -z "${dns:-}" ] || wait "$dns" || true
	close_ns
}

# in_space NAMESPACE NAME [ADDRESS]: the record, on br0.
in_space() {
	spec "$2" br0 "${3:-}" | jq -c --arg space "$1" '.namespace = $space' | ns fl-net up
}

# answer NAME [ROOM [SERVER]]: the addresses, or the names, that are answered.
answer() {
	local from=(ns)
	[ -z "${2:-}" ] || from=(ns ip netns exec "$2")
	"${from[@]}" timeout 20 python3 "$BATS_TEST_DIRNAME/ask-dns.py" "$1" "${3:-10.9.8.1}"
}

# becomes WANTED COMMAND…: soon.
becomes() {
	local want=$1 got=
	shift
	for _ in {1..500}; do
		got=$("$@") || true
		[ "$got" != "$want" ] || return 0
		sleep 0.02
	done
	echo "\"$got\", not \"$want\": $*"
	return 1
}

# dhcp_room RECORD ROOM: a guest that has no address yet.
dhcp_room() {
	jq -c 'del(.host.network.eth1.address)' "$1" >bare
	guest bare "$2"
}

# A link on the bridge of which no record tells.
stranger() {
	ns ip netns add stranger
	ns ip link add to-stranger type veth peer name eth0 netns stranger
	ns ip link set to-stranger master br0 up
	ns ip -n stranger link set eth0 up
}

# Who answers 203.0.113.7 for any name, and says what he was asked.
upstream_in() {
	"${enter[@]}" ip netns exec "$1" python3 "$BATS_TEST_DIRNAME/ask-dns.py" --serve 203.0.113.7 >asked 3>&- &
	server+=($!)
	listens udp 53 "$1"
}

# A DHCP server that shares its port with nobody.
dhcp_server() {
	"${enter[@]}" python3 -c 'import socket, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 67))
time.sleep(60)' 3>&- &
	server+=($!)
	listens udp 67
}

end_last() {
	kill "${server[-1]}"
	wait "${server[-1]}" || true
	unset 'server[-1]'
}

# dhcp ROOM [OPTIONS…]: what the guest is told, a line each.
dhcp() {
	local room=$1
	shift
	cat >told.sh <<-'END'
		#!/bin/sh
		[ "$1" = bound ] || exit 0
		echo "address $ip/$mask"
		echo "router $router"
		echo "dns $dns"
		echo "domain $domain"
		echo "search $search"
		echo "hostname $hostname"
		echo "mtu $mtu"
	END
	chmod +x told.sh
	ns ip netns exec "$room" timeout 30 busybox udhcpc -i eth0 -n -q -f -t 4 -T 1 -A 1 -O search -O mtu \
		-s "$PWD/told.sh" "$@" 2>/dev/null
}

# keep_lease ROOM ADDRESS [OPTIONS…]: a guest that takes it, and asks for it again on SIGUSR1.
keep_lease() {
	cat >keep.sh <<-END
		#!/bin/sh
		case \$1 in bound | renew) echo "\$1" >>$PWD/kept ;; esac
		[ "\$1" != bound ] || busybox ip address add $2 dev eth0
	END
	chmod +x keep.sh
	"${enter[@]}" ip netns exec "$1" busybox udhcpc -i eth0 -f -t 9 -T 1 -A 1 -s "$PWD/keep.sh" "${@:3}" \
		>/dev/null 2>&1 3>&- &
	server+=($!)
}

@test "names of what is up, in both directions, for guests and for the host; none of what is down" {
	private_names
	named_bridge
	in_space default web >web.json
	serve_names
	[ "$(answer web.fl.test)" = 10.9.8.2 ]
	[ "$(answer web.default.fl.test)" = 10.9.8.2 ]
	[ "$(answer 10.9.8.2)" = web.default.fl.test ]
	in_space default db >db.json
	guest db.json guest
	becomes 10.9.8.3 answer db.fl.test guest
	[ "$(answer web.fl.test guest)" = 10.9.8.2 ]
	[ "$(answer nobody.fl.test guest)" = NXDOMAIN ]
	ns fl-net down db >/dev/null
	becomes NXDOMAIN answer db.fl.test
	[ "$(answer 10.9.8.3)" = NXDOMAIN ]
	[ "$(answer web.fl.test)" = 10.9.8.2 ]
	end_names
	[ ! -e "$FL_RUN_DIR/dns" ]
}

@test "one name in two namespaces, and names that are none" {
	named_bridge
	in_space default web >/dev/null
	in_space other web >/dev/null
	in_space other only >/dev/null
	in_space default my_vm >/dev/null
	in_space default a.other >/dev/null
	in_space default -x >/dev/null
	# DNS knows no capitals: these would answer for others.
	in_space Default web >/dev/null
	in_space other Only >/dev/null
	serve_names
	[ "$(answer web.fl.test)" = 10.9.8.2 ]
	[ "$(answer web.other.fl.test)" = 10.9.8.3 ]
	[ "$(answer only.other.fl.test)" = 10.9.8.4 ]
	[ "$(answer ONLY.Other.fl.test)" = 10.9.8.4 ]
	[ "$(answer only.fl.test)" = NXDOMAIN ]
	[ "$(answer a.other.fl.test)" = NXDOMAIN ]
	[ "$(answer my_vm.fl.test)" = NXDOMAIN ]
	grep -q "default/my_vm: cannot be a host's name" dns.err
	grep -q "Default/web: cannot be a host's name" dns.err
	grep -q "default/-x: cannot be a host's name" dns.err
}

@test "many at once, and what is to be deleted" {
	named_bridge
	serve_names
	for n in 1 2 3 4 5 6 7 8; do in_space default "vm$n" >"record$n" & pids+=($!); done
	wait "${pids[@]}"
	for n in 1 2 3 4 5 6 7 8; do
		becomes "$(jq -r '.host.network.eth1.address | sub("/.*"; "")' "record$n")" answer "vm$n.fl.test"
	done
	# Its folder stays until every step has let it go.
	uid=$(jq -r .spec.uid record1)
	fl-run down "$uid" >/dev/null
	becomes NXDOMAIN answer vm1.fl.test
	[ "$(answer vm2.fl.test)" != NXDOMAIN ]
}

@test "cloud-init tells a guest of the bridge's names where there are some" {
	named_bridge
	in_space prod web >one.json
	[ "$(jq -c .host.network.eth1.nameservers one.json)" = '["10.9.8.1"]' ]
	[ "$(jq -c .host.network.eth1.search one.json)" = '["prod.fl.test","fl.test"]' ]
	spec own br0 | jq -c '.interfaces[0].address = {address: "10.9.8.9/24", nameservers: ["192.0.2.53"]}' |
		ns fl-net up >own.json
	[ "$(jq -c .host.network.eth1.nameservers own.json)" = '["192.0.2.53"]' ]
	[ "$(jq -c .host.network.eth1.search own.json)" = null ]
	# Left out it stays, and can be changed and taken away.
	ns fl-net bridge create br0 --address 10.9.8.1/24
	[ "$(ns fl-net bridge ls --json | jq -r .domain)" = fl.test ]
	ns fl-net bridge create br0 --address 10.9.8.1/24 --domain b.test
	[ "$(ns fl-net up <one.json | jq -c .host.network.eth1.search)" = '["prod.b.test","b.test"]' ]
	ns fl-net bridge create br0 --address 10.9.8.1/24 --domain none
	ns fl-net up <one.json >two.json
	[ "$(jq -c .host.network.eth1.search two.json)" = null ]
	[ "$(jq -c '.host.network.eth1.nameservers // [] | index("10.9.8.1")' two.json)" = null ]
	for domain in "" a..b -a.b a_b.c 10.9.8.1 "$(printf 'a%.0s' {1..121})"; do
		fails_with 3 "is not a domain" ns fl-net bridge create br1 --address 10.9.9.1/24 --domain "$domain"
	done
}

@test "DHCP: exactly what the record says, and nothing for a stranger" {
	private_names
	named_bridge
	ns ip link set br0 mtu 1400
	in_space prod web >web.json
	serve_names
	dhcp_room web.json guest
	dhcp guest >told
	[ "$(xargs <told)" = "address 10.9.8.2/24 router 10.9.8.1 dns 10.9.8.1 domain prod.fl.test search prod.fl.test fl.test hostname web mtu 1400" ]
	# Who has no record, or says another's name, changes nothing.
	in_space default db >db.json
	stranger
	run ! dhcp stranger
	dhcp_room db.json other
	becomes 10.9.8.3 answer db.fl.test
	dhcp other -x hostname:evil >told
	grep -q "address 10.9.8.3/24" told
	[ "$(answer evil.fl.test)" = NXDOMAIN ]
	[ "$(answer web.fl.test)" = NXDOMAIN ]
	# Whose way out is another, gets none here.
	ns fl-net bridge create br1 --address 10.9.9.1/24
	spec two br0 | jq -c '.interfaces = [.interfaces[0] + {device_id: "eth0", overrides: {bridge_name: "br1"}}] +
		.interfaces' | ns fl-net up >two.json
	becomes "10.9.8.4" answer two.fl.test
	dhcp_room two.json third
	dhcp third >told
	grep -q "address 10.9.8.4/24" told
	run ! grep -q "router [0-9]" told
}

@test "DHCP: an address goes to its new owner, clones get each its own" {
	private_names
	named_bridge
	serve_names
	in_space default a >a.json
	dhcp_room a.json first
	dhcp first | grep -q "address 10.9.8.2/24"
	ns fl-net down a >/dev/null
	in_space default b >b.json
	[ "$(jq -r .host.network.eth1.address b.json)" = 10.9.8.2/24 ]
	in_space default c >c.json
	dhcp_room b.json second
	dhcp_room c.json third
	keep_lease second 10.9.8.2/24 -x 0x3d:ff00000001
	becomes bound xargs -a kept
	dhcp third -x 0x3d:ff00000001 | grep -q "address 10.9.8.3/24"
	kill -USR1 "${server[-1]}"
	becomes "bound renew" xargs -a kept
}

@test "a guest that is kept in asks for its address, and for names where it may" {
	private_names
	named_bridge
	serve_names
	for name in told silent; do
		spec "$name" br0 | jq -c --arg name "$name" '.labels = {"host.flintlock/egress": "deny"} +
			if $name == "told" then {"host.flintlock/allow": "10.9.8.1:53"} else {} end' | ns fl-net up >"$name.json"
		dhcp_room "$name.json" "$name"
		address=$(jq -r .host.network.eth1.address "$name.json")
		dhcp "$name" | grep -q "address $address"
		ns ip -n "$name" address add "$address" dev eth0
	done
	becomes 10.9.8.2 answer told.fl.test told
	run ! answer told.fl.test silent
	# Nor is it a server, or another.
	ns ip -n told address flush dev eth0
	ns ip -n told link set eth0 address 02:00:00:00:00:78
	run ! dhcp told
}

@test "an IPv6 bridge: AAAA, PTR, DHCPv6" {
	private_names
	named_bridge fd00:9::1/64
	in_space default web >web.json
	serve_names
	[ "$(answer web.fl.test "" fd00:9::1)" = fd00:9::2 ]
	[ "$(answer fd00:9::2 "" fd00:9::1)" = web.default.fl.test ]
	dhcp_room web.json guest
	[ "$(ns ip netns exec guest python3 "$BATS_TEST_DIRNAME/dhcp6.py" 30)" = "fd00:9::2 dns fd00:9::1" ]
	stranger
	run ! ns ip netns exec stranger python3 "$BATS_TEST_DIRNAME/dhcp6.py" 3
}

@test "other names go upstream, names of the domain never; nobody asks from outside" {
	private_names
	named_bridge
	outside
	in_space default web >web.json
	upstream_in client
	serve_names --upstream 192.0.2.2
	[ "$(answer example.org)" = 203.0.113.7 ]
	[ "$(answer web.fl.test)" = 10.9.8.2 ]
	[ "$(answer nobody.fl.test)" = NXDOMAIN ]
	grep -q "example.org" asked
	run ! grep -q "fl.test" asked
	run ! answer web.fl.test client
}

@test "who serves already, and what is missing" {
	ns ip link set lo up
	fails_with 4 "fl-net bridge create br0" ns fl-net dns br0
	ns ip link add br1 type bridge
	fails_with 8 "is not a bridge of fl-net's" ns fl-net dns br1
	ns fl-net bridge create br0 --address 10.9.8.1/24
	fails_with 8 "has no domain" ns fl-net dns br0
	named_bridge
	fails_with 13 "install the package dnsmasq-base" ns fl-net dns br0 --dnsmasq /nowhere/dnsmasq
	fails_with 2 "is not the address of a nameserver" ns fl-net dns br0 --upstream ns.example.org
	# Another dnsmasq: for the whole host, and on this bridge.
	for where in 0.0.0.0 10.9.8.1; do
		listen_on "$where" 53
		fails_with 9 "port 53/tcp on br0: another program listens there" ns fl-net dns br0
		end_last
	done
	dhcp_server
	fails_with 9 "port 67/udp on br0" ns fl-net dns br0
	end_last
	serve_names --no-dhcp
	fails_with 9 "another \"fl-net dns br0\" serves" ns fl-net dns br0
	fails_with 8 "serves its names" ns fl-net bridge rm br0
	end_names
	ns fl-net bridge rm br0
}

@test "killed at any moment it leaves no process, and what is left is collected" {
	named_bridge
	in_space default web >/dev/null
	serve_names
	mapfile -t children < <(pgrep -P "$dns")
	[ "${#children[@]}" = 2 ]
	for child in "${children[@]}"; do
		[ "$(id -u)" != 0 ] || run ! grep -q $'^Uid:\t0' "/proc/$child/status"
	done
	kill -9 "$dns"
	wait "$dns" || true
	for child in "${children[@]}"; do
		for _ in {1..250}; do is_alive "$child" || break; sleep 0.02; done
		run ! is_alive "$child"
	done
	[ "$(ns fl-net gc --dry-run)" = "$FL_RUN_DIR/dns/br0" ]
	serve_names
	[ "$(answer web.fl.test)" = 10.9.8.2 ]
	[ -z "$(ns fl-net gc)" ]
	kill -9 "$dns"
	wait "$dns" || true
	[ "$(ns fl-net gc)" = "$FL_RUN_DIR/dns/br0" ]
	[ ! -e "$FL_RUN_DIR/dns" ]
}

@test "a service manager is told when it answers, not before" {
	named_bridge
	python3 -c '
import socket
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.bind("notify")
told.settimeout(20)
print(told.recv(100).decode(), flush=True)' >told 3>&- &
	listener=$!
	for _ in {1..250}; do [ ! -S notify ] || break; sleep 0.02; done
	NOTIFY_SOCKET=$PWD/notify fails_with 13 dnsmasq-base ns fl-net dns br0 --dnsmasq /nowhere/dnsmasq
	[ ! -s told ]
	NOTIFY_SOCKET=$PWD/notify serve_names
	wait "$listener"
	[ "$(cat told)" = READY=1 ]
}

@test "when dnsmasq ends, so does it, and says so" {
	named_bridge
	serve_names
	kill -9 "$(pgrep -P "$dns" | head -n 1)"
	status=0
	wait "$dns" || status=$?
	[ "$status" = 10 ]
	grep -q "dnsmasq, which answers for names, ended" dns.err
	[ -z "$(pgrep -P "$dns")" ]
	dns=
}

@test "a bridge that the host lost is made again" {
	named_bridge
	ns ip link del br0
	file=$FL_STATE_DIR/net/br0.json
	jq '.boot_id = "00000000-0000-0000-0000-000000000000"' "$file" >changed
	cp changed "$file"
	serve_names
	ns ip link show br0 >/dev/null
	in_space default web >/dev/null
	becomes 10.9.8.2 answer web.fl.test
}

@test "the man page's example" {
	private_names
	ns ip link set lo up
	awk '/^# NAMES/ { on = 1; next } /^# / { on = 0 } on && /^```/ { code = !code; next } on && code' \
		"$FL_TOP/man/fl-net.8.scd" >script
	mkdir bin
	# Of the host: what they are told is done here.
	printf '#!/bin/sh\n[ "$*" = "enable --now fl-dns@flbr0" ] || exit 1\nfl-net dns flbr0 --upstream none 2>dns.err 3>&- &\necho $! >dns.pid\n' >bin/systemctl
	printf '#!/bin/sh\necho "$@" >>told\n' >bin/resolvectl
	printf '#!/bin/sh\nuntil python3 %s "$2" 10.77.0.1 >got 2>/dev/null; do sleep 0.1; done\n' \
		"$BATS_TEST_DIRNAME/ask-dns.py" >bin/getent
	chmod +x bin/*
	open_folders
	PATH=$PWD/bin:$PATH ns timeout 30 bash -eux script >/dev/null
	kill "$(cat dns.pid)"
	[ "$(cat got)" = 10.77.0.2 ]
	# It says the same as the page.
	[ "$(cat told)" = "dns flbr0 10.77.0.1
domain flbr0 ~fl.internal" ]
	grep -qF "resolvectl dns flbr0 10.77.0.1 && resolvectl domain flbr0 '~fl.internal'" dns.err
}
