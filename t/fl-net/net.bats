#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Links and bridges, in a network namespace of each test's own.

load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	# Without root everything happens in a user namespace.
	if [ "$(id -u)" = 0 ]; then OWN="unshare -n"; else OWN="unshare -Urn"; fi
	export OWN
	$OWN true || skip "no right to make a network namespace"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
}

# inside SCRIPT: with bridge br0, in a namespace that ends with it.
inside() {
	export -f spec up field
	$OWN bash -euc "fl-net bridge create br0 --address 10.7.0.1/29 --nat; $1"
}

spec() { # NAME OPTIONS…
	local name=$1
	shift
	fl spec --name "$name" --kernel "oci:$IMAGES/layout:kernel" --root "oci:$IMAGES/layout:root" --bridge br0 "$@"
}

up() { # NAME OPTIONS…
	spec "$@" | fl-net up
}

field() { # PATH of the record on standard input
	jq -r "$1"
}

@test "a tap of our own: name, alias, bridge, MAC and address; twice is once" {
	inside '
		up a >one; up a >two
		cmp one two
		link=$(field .host.network.eth0.link <one)
		[[ $link =~ ^fltap[a-z2-7]{10}$ ]]
		ip -d link show "$link" | grep -q "master br0"
		ip -d link show "$link" | grep -q "alias flintlock:$(field .spec.uid <one)/eth0"
		[ "$(field .host.network.eth0.address <one)" = 10.7.0.2/29 ]
		[ "$(field .host.network.eth0.gateway <one)" = 10.7.0.1 ]
		mac=$(field .host.network.eth0.mac <one)
		[ $((0x${mac%%:*} & 3)) = 2 ]
		[ "$(ip -o link | grep -c fltap)" = 1 ]
		fl-net down default/a >/dev/null
		[ "$(ip -o link | grep -c fltap)" = 0 ]
		[ -z "$(ls "$FL_STATE_DIR/vm")" ]'
}

@test "in a user namespace without root" {
	run unshare -Urn bash -euc 'true'
	[ "$status" = 0 ] || skip "no right to make a user namespace"
	OWN="unshare -Urn" inside 'up a >one; ip -o link | grep -q fltap; fl-net down default/a >/dev/null; fl-net bridge rm br0'
}

@test "addresses: each its own, kept, none left is an error, free again after down" {
	inside '
		for name in a b c d e; do up $name | field .host.network.eth0.address; done >list
		[ "$(xargs <list)" = "10.7.0.2/29 10.7.0.3/29 10.7.0.4/29 10.7.0.5/29 10.7.0.6/29" ]
		status=0; up f 2>err >/dev/null || status=$?
		[ "$status" = 11 ]; grep -q "no address is free" err
		fl-net down default/c >/dev/null
		[ "$(up f | field .host.network.eth0.address)" = 10.7.0.4/29 ]
		[ "$(up a | field .host.network.eth0.address)" = 10.7.0.2/29 ]'
}

@test "many at once get different addresses" {
	inside '
		for name in a b c d e; do up $name >out.$name & done; wait
		[ "$(cat out.? | field .host.network.eth0.address | sort -u | wc -l)" = 5 ]'
}

@test "addresses are handed out one after another on a bridge that fl-serve chose, too" {
	inside '
		spec a | jq -c "del(.interfaces[0].overrides)" | fl-net up >one
		record=$(echo "$FL_STATE_DIR"/vm/default/a/*/record.json)
		jq ".host.bridge = \"br0\"" "$record" >changed && cp changed "$record"
		up b >/dev/null
		status=0; flock "$FL_STATE_DIR/net/.lock" timeout 1 fl-net up one >/dev/null 2>&1 || status=$?
		[ "$status" != 0 ]
		fl-net up one | field .host.network.eth0.address | grep "10.7.0"
		up c >/dev/null
		fl-net ls --json | jq -r "select(.kind == \"tap\") | \"\(.bridge) \(.address)\"" | sort -u >list
		[ "$(xargs <list)" = "br0 10.7.0.2/29 br0 10.7.0.3/29 br0 10.7.0.4/29" ]'
}

@test "a static address, and one that another has" {
	inside '
		[ "$(up a --ip 10.7.0.5/29 | field .host.network.eth0.address)" = 10.7.0.5/29 ]
		status=0; up b --ip 10.7.0.5/29 2>err >/dev/null || status=$?
		[ "$status" = 5 ]; grep -q "default/a has it" err
		up c --ip 10.8.0.5/24 2>err >/dev/null; grep -q "10.8.0.5/24 lies outside of the net of bridge br0 (10.7.0.1/29)" err
		up d --ip 10.7.0.6/29 2>err >/dev/null; [ ! -s err ]'
}

@test "a bridge that is missing, and one that is none" {
	inside '
		status=0; fl-net up < <(spec a --bridge nosuch) 2>err >/dev/null || status=$?
		[ "$status" = 4 ]; grep -q "fl-net bridge create nosuch" err
		ip link add dummy0 type veth peer name dummy1
		status=0; fl-net up < <(spec b --bridge dummy0) 2>err >/dev/null || status=$?
		[ "$status" = 3 ]; grep -q "not a bridge" err'
}

@test "another's link of our name is never touched" {
	inside '
		up a >one; link=$(field .host.network.eth0.link <one)
		ip link del "$link"; ip link add "$link" type veth peer name peer0; ip link set "$link" alias stranger
		status=0; fl-net up <one 2>err >/dev/null || status=$?
		[ "$status" = 5 ]; grep -q stranger err
		fl-net down default/a >/dev/null
		ip link show "$link" >/dev/null'
}

@test "a tap that a kill left without a name is adopted" {
	inside '
		up a >one; link=$(field .host.network.eth0.link <one)
		ip link del "$link"; ip tuntap add "$link" mode tap
		fl-net up <one >/dev/null
		ip link show "$link" | grep -q "master br0"'
}

@test "bridges: same again is fine, other options are not, in use is kept" {
	inside '
		fl-net bridge create br0 --address 10.7.0.1/29 --nat
		status=0; fl-net bridge create br0 --address 10.8.0.1/24 2>err || status=$?
		[ "$status" = 5 ]; grep -q "10.7.0.1/29" err
		up a >/dev/null
		status=0; fl-net bridge rm br0 2>err || status=$?
		[ "$status" = 8 ]
		fl-net down default/a >/dev/null
		ip link add stranger type bridge
		status=0; fl-net bridge create stranger --address 10.8.0.1/24 2>err || status=$?
		[ "$status" = 5 ]; grep -q "not ours" err'
}

@test "rules and forwarding: made, and put back as they were" {
	command -v nft >/dev/null || skip "no nft"
	$OWN bash -euc '
		echo 0 >/proc/sys/net/ipv4/ip_forward
		fl-net bridge create br0 --address 10.7.0.1/24 --nat
		fl-net bridge create br1 --address 10.8.0.1/24 --nat
		nft list ruleset | grep -q "ip saddr 10.7.0.0/24"
		[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
		fl-net bridge rm br0
		nft list ruleset | grep -q "ip saddr 10.8.0.0/24"
		[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
		fl-net bridge rm br1; fl-net bridge rm br1
		[ -z "$(nft list ruleset)" ]
		[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 0 ]
		[ -z "$(ip -o link | grep ": br[01]")" ]
		[ -z "$(ls "$FL_STATE_DIR/net")" ]'
}

@test "bad addresses and names" {
	for address in 10.0.0.0/24 10.0.0.1 10.0.0.1/31 10.0.0.300/24 x ""; do
		run fl-net bridge create br0 --address "$address"
		[ "$status" = 3 ]
	done
	for name in a/b averyveryverylongname .. ""; do
		run fl-net bridge create "$name" --address 10.0.0.1/24
		[ "$status" = 3 ]
	done
}

@test "an interface that the spec does not want any more goes" {
	inside '
		up a --bridge br0 >one
		[ "$(ip -o link | grep -c fltap)" = 2 ]
		jq -c "del(.spec.interfaces[1])" one | fl-net up >two
		[ "$(ip -o link | grep -c fltap)" = 1 ]
		[ "$(field ".host.network | keys[]" <two)" = eth0 ]'
}

@test "dry-run does nothing" {
	inside '
		spec a | fl-net up --dry-run | grep -q "ip tuntap add fltap"
		[ "$(ip -o link | grep -c fltap)" = 0 ]
		[ ! -e "$FL_STATE_DIR/vm/default/a" ]'
}
