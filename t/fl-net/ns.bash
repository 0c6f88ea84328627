# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# What tests of links share: each in a network namespace of its own.

setup() {
	export PATH=${FL_BIN:-$FL_BUILD/bin}:$PATH
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	if [ "$(id -u)" = 0 ]; then
		open_ns -n
	else
		[ -w /dev/net/tun ] || skip "no right to /dev/net/tun"
		unshare -Urn true 2>/dev/null || skip "no user namespaces"
		open_ns -Urn
	fi
}

teardown() {
	close_ns
}

# open_ns UNSHARE-OPTIONS: a process that holds a fresh namespace; ns runs commands in it.
open_ns() {
	local own
	own=$(readlink /proc/self/ns/net)
	unshare "$@" sleep 600 3>&- &
	holder=$!
	enter=(nsenter -t "$holder" -n)
	case $1 in *U*) enter=(nsenter -t "$holder" -U --preserve-credentials -n) ;; esac
	for _ in {1..1000}; do
		[ "$(readlink "/proc/$holder/ns/net")" = "$own" ] || break
		sleep 0.01
	done
	for _ in {1..1000}; do
		case $1 in *U*) grep -q . "/proc/$holder/uid_map" || { sleep 0.01; continue; } ;; esac
		break
	done
}

# Names of namespaces are the machine's: these are hidden from it.
private_names() {
	[ "$(id -u)" = 0 ] || skip "not root"
	nsenter -t "$holder" -n unshare -m --propagation private bash -c \
		'mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec sleep 600' 3>&- &
	mounts=$!
	for _ in {1..1000}; do
		grep -q ' /run/netns tmpfs ' "/proc/$mounts/mounts" 2>/dev/null && break
		sleep 0.02
	done
	enter=(nsenter -t "$mounts" -n -m --wd="$PWD")
}

close_ns() {
	[ -z "${mounts:-}" ] || { kill "$mounts"; wait "$mounts" || true; }
	mounts=
	[ -z "${holder:-}" ] && return
	kill "$holder"
	wait "$holder" || true
	holder=
}

ns() {
	"${enter[@]}" "$@"
}

# spec NAME BRIDGE [ADDRESS [DEVICE]]: BRIDGE "-" for none.
spec() {
	jq -nc --arg id "$1" --arg bridge "$2" --arg address "${3:-}" --arg device "${4:-eth1}" '
		{id: $id, kernel: {image: "127.0.0.1:1/k:1"},
		 root_volume: {id: "root", source: {container_source: "127.0.0.1:1/r:1"}},
		 interfaces: [{device_id: $device, type: "TAP"}
			+ (if $bridge == "-" then {} else {overrides: {bridge_name: $bridge}} end)
			+ (if $address == "" then {} else {address: {address: $address}} end)]}'
}

# up NAME BRIDGE [ADDRESS [DEVICE]]: the record.
up() {
	spec "$@" | ns fl-net up
}

links() {
	ns ip -br link | awk '$1 != "lo" { sub("@.*", "", $1); print $1 }' | sort
}

alias_of() {
	ns ip -j link show "$1" | jq -r '.[0].ifalias // ""'
}

forwarding() {
	ns cat /proc/sys/net/ipv4/ip_forward
}

fails_up() {
	local want=$1 words=$2
	shift 2
	spec "$@" >"spec-$1"
	fails_with "$want" "$words" ns fl-net up "spec-$1"
}

nothing_is_left() {
	[ -z "$(links)" ]
	[ -z "$(ns nft list tables)" ]
	[ -z "$(ls "$FL_STATE_DIR/net" 2>/dev/null)" ]
}
