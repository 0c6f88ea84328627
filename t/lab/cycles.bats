#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: microVMs come up and go down on a thin pool, again and again, while whoever works
# on them is killed. LAB_CYCLES: how many times; LAB_SEED: chance's beginning.

load ../lib
load lab
load thin

# Emulated, Python takes too long to tell a version.
make_stand_in() {
	mkdir -p /tmp/stand-ins/python
	ln -sf "$FL_TOP/t/fl-run/api.py" "/tmp/stand-ins/python/$1"
	printf '#!/bin/sh\n[ "$1" != --version ] || exec echo v99.0\nexec /tmp/stand-ins/python/%s "$@"\n' "$1" \
		>"/tmp/stand-ins/$1"
	chmod +x "/tmp/stand-ins/$1"
}

setup_file() {
	thin_setup_file
	export LAB_CYCLES=${LAB_CYCLES:-50}
	export BATS_TEST_TIMEOUT=$((300 + 30 * LAB_CYCLES))
	make_stand_in firecracker
	make_stand_in cloud-hypervisor
	export GUESTS=/tmp/guests
	[ -e "$GUESTS/layout" ] || lab_images "$GUESTS"
	ip link add wire0 type veth peer name wire1
	ip link set wire0 up
	ip link set wire1 up
}

teardown_file() {
	ip link del wire0
}

setup() {
	thin_setup
	fl-net bridge create cyclebr0 --address 10.5.0.1/24
}

teardown() {
	thin_teardown
	fl-net bridge rm cyclebr0
}

# Sets pick to a number below the one given. (RANDOM in a subshell would begin anew.)
roll() {
	pick=$((RANDOM % $1))
}

# What one cycle is about: a VMM or its stand-in, a tap or a macvtap. Sets UP to fl up's options,
# and the specification lies in $SPEC.
choose() {
	local n=$1 kinds
	UP=(--accel kvm --settle 100ms --backend thin --parent-iface wire0
		--firecracker /tmp/stand-ins/firecracker --cloudhypervisor /tmp/stand-ins/cloud-hypervisor
		--qemu "$FL_BUILD/drivers/fake-vmm")
	if [ $((n % 10)) = 5 ]; then
		mapfile -t kinds < <(providers)
		kind=real-${kinds[$((n / 10 % ${#kinds[@]}))]}
		UP=(--accel kvm --settle 1s --backend thin)
		IMAGES=$GUESTS lab_spec "${kind#real-}" "cycle$n" --bridge cyclebr0 >"$SPEC"
		return
	fi
	roll 4
	kinds=(qemu firecracker cloudhypervisor macvtap)
	kind=${kinds[$pick]}
	small_spec "cycle$n" --bridge cyclebr0 >"$SPEC.tap"
	case $kind in
	macvtap) jq -c '.interfaces = [{"device_id":"eth0","type":"MACVTAP"}]' "$SPEC.tap" >"$SPEC" ;;
	*) jq -c ".provider = \"$kind\"" "$SPEC.tap" >"$SPEC" ;;
	esac
}

# The processes that can be hit: all of the group, any one of it, the supervisor, the VMM.
victims_of() {
	case $2 in
	0) echo "-$1" ;;
	1 | 2) pgrep -g "$1" | sed -n "$(($3 % 8 + 1))p" ;;
	3) pgrep -f "[f]l-supervise $FL_STATE_DIR" ;;
	4) fl-run ls --json 2>/dev/null | jq -r '.pid // empty' ;;
	esac
}

# struck MS COMMAND…: runs it, and within so many milliseconds, something of ours is killed.
struck() {
	local group victims at what which
	roll "$1" && at=$pick
	roll 6 && what=$pick
	roll 8 && which=$pick
	shift
	setsid "$@" >/dev/null 2>&1 3>&- &
	group=$!
	sleep "$((at / 1000)).$(printf %03d $((at % 1000)))"
	victims=$(victims_of "$group" "$what" "$which")
	# shellcheck disable=SC2086 # a list of numbers
	[ -z "$victims" ] || kill -9 -- $victims 2>/dev/null || true
	story+=" $1 $2: at $at ms kill $what (${victims//$'\n'/ });"
	wait "$group" || true
}

up() {
	fl up -q "${UP[@]}" "$SPEC" >/dev/null
}

goes_on() {
	up && [ "$(field "$1" vmm_state)" = running ]
}

# One cycle; what it did is in $story.
cycle() {
	local n=$1
	story="cycle $n:"
	choose "$n"
	story+=" $kind;"
	# The base is made anew now and then, under fire as well.
	[ $((n % 5)) != 0 ] || remove_bases
	struck 4000 fl up -q "${UP[@]}" "$SPEC"
	roll 2
	if [ "$pick" = 1 ]; then
		story+=" up;"
		goes_on "cycle$n" || return
	fi
	roll 3
	[ "$pick" = 0 ] || struck 1500 fl down -q --all
	fl down -q --all >/dev/null && cycled_clean
}

# The next who wants a base takes away what a killed maker left of it.
cycled_clean() {
	not grep -qvE "^($POOL|fl-base-)" <<<"$(dmsetup ls)" && [ -z "$(ip -o link show type tun)$(ip -o link show type macvtap)" ] &&
		[ -z "$(what_is_left)" ]
}

# All that a host has which we make, less the pool's bases.
inventory() {
	echo "device-mapper: $(dmsetup info -c --noheadings -o name,uuid | sort | xargs)"
	echo "links: $(ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | sort | xargs)"
	echo "loops: $(losetup -n -O NAME,BACK-FILE | sort | xargs)"
	echo "mounts: $(awk '{ print $2 }' /proc/self/mounts | sort | xargs)"
	echo "processes: $(ps -eo comm= | grep -E '^(fl|fl-.*|fake-vmm|qemu-sys.*|firecracker|cloud-hyp.*|api.py|virtiofsd)$' | sort | xargs)"
	echo "groups: $(find /sys/fs/cgroup -path '*fl.slice/*' -type d | sort | xargs)"
	mkdir -p "$FL_RUN_DIR"
	find "$FL_STATE_DIR" "$FL_RUN_DIR" -mindepth 1 ! -name 'events.jsonl*' ! -path "$FL_STATE_DIR/thin/*/*" | sort
	find "$FL_STATE_DIR"/thin/*/ -name '[0-9]*' -type f -exec jq -c '[.name, .state]' {} + | sort
	pool_content | sort
}

@test "cycles of up and down with kills at any moment leave nothing" {
	local seed=${LAB_SEED:-$((RANDOM * 32768 + RANDOM))} n
	SPEC=$BATS_TEST_TMPDIR/spec
	echo "# LAB_SEED=$seed LAB_CYCLES=$LAB_CYCLES" >&3
	RANDOM=$seed
	pool_make
	# What is kept on purpose, of both kinds of images.
	choose 0 && up && fl down -q --all >/dev/null
	choose 5 && up && fl down -q --all >/dev/null
	inventory >"$BATS_TEST_TMPDIR/before"
	for n in $(seq "$LAB_CYCLES"); do
		cycle "$n" || {
			echo "$story"
			fl ls || true
			dmsetup ls
			ip -o link
			what_is_left
			return 1
		}
	done
	choose 0 && up && fl down -q --all >/dev/null
	choose 5 && up && fl down -q --all >/dev/null
	inventory >"$BATS_TEST_TMPDIR/after"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}
