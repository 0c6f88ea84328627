# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# Namespaces that stand for guests and for others on the net, and what they ask each other.

bridge() {
	ns ip link set lo up
	ns fl-net bridge create br0 --address 10.9.8.1/24 --nat
}

# A namespace with a link into the test's: on br0 with ADDRESS, or beside it.
# room NAME ADDRESS [GATEWAY-IS]
room() {
	ns ip netns add "$1"
	ns ip link add "to-$1" type veth peer name eth0 netns "$1"
	ns ip link set "to-$1" up
	ns ip -n "$1" link set lo up
	ns ip -n "$1" link set eth0 up
	ns ip -n "$1" address add "$2" dev eth0
	ns ip -n "$1" route add default via "$3"
}

on_bridge() {
	room "$1" "$2" 10.9.8.1
	ns ip link set "to-$1" master br0
}

outside() {
	room client 192.0.2.2/24 192.0.2.1
	ns ip address add 192.0.2.1/24 dev to-client
}

# Each is run by exec, not by ns: what a function started in the background is another's child.
server=()

teardown() {
	[ -z "${server[*]}" ] || kill "${server[@]}" 2>/dev/null || true
	close_ns
}

# Until somebody listens. listens tcp|udp PORT [ROOM]
listens() {
	local in=(ns) kind=-l${1:0:1}n
	[ -z "${3:-}" ] || in=(ns ip netns exec "$3")
	for _ in {1..1000}; do
		"${in[@]}" ss "$kind" | grep -q ":$2 " && return
		sleep 0.02
	done
	return 1
}

# serve ROOM PORT [ADDRESS]: who asks there is told the room's name, and his own address.
serve() {
	# shellcheck disable=SC2154 # ns.bash has it
	"${enter[@]}" ip netns exec "$1" python3 -c '
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
server = socket.create_server((sys.argv[2], int(sys.argv[1])), family=family)
while True:
    client, address = server.accept()
    client.sendall((sys.argv[3] + ", asked by " + address[0] + "\n").encode())
    client.close()' "$2" "${3:-0.0.0.0}" "$1" 3>&- &
	server+=($!)
	listens tcp "$2" "$1"
}

# listen_on ADDRESS PORT: a program of the host.
listen_on() {
	"${enter[@]}" python3 -c 'import socket, sys, time
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
time.sleep(60)' "$1" "$2" 3>&- &
	server+=($!)
	listens tcp "$2"
}

# ask ADDRESS PORT [ROOM]
ask() {
	local from=(ns)
	[ -z "${3:-}" ] || from=(ns ip netns exec "$3")
	"${from[@]}" timeout 10 python3 -c '
import socket, sys
print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 8).makefile().readline(), end="")' "$1" "$2"
}

# connects ADDRESS PORT ROOM
connects() {
	ns ip netns exec "$3" timeout 5 python3 -c '
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)' "$1" "$2"
}

# guest RECORD ROOM: a namespace behind the tap of the record's eth1, with its MAC and address.
guest() {
	local tap mac address
	tap=$(jq -r .host.network.eth1.link "$1")
	mac=$(jq -r .host.network.eth1.mac "$1")
	address=$(jq -r '.host.network.eth1.address // ""' "$1")
	ns ip netns add "$2"
	"${enter[@]}" python3 "$BATS_TEST_DIRNAME/cable.py" "$tap" "/run/netns/$2" 3>&- &
	server+=($!)
	for _ in {1..1000}; do
		ns ip -n "$2" link show eth0 >/dev/null 2>&1 && break
		sleep 0.02
	done
	ns ip -n "$2" link set lo up
	ns ip -n "$2" link set eth0 address "$mac" up
	case $address in
	*:*) ns ip -n "$2" address add "$address" dev eth0 nodad ;;
	?*) ns ip -n "$2" address add "$address" dev eth0 ;;
	esac
}
