#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# What a host can and cannot do, told with stand-ins for what is missing.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	mkdir -p "$BATS_TEST_TMPDIR/bin"
}

level() {
	jq -r "select(.check == \"$1\").level" <<<"$output"
}

@test "every finding that is not ok says how to mend it" {
	run fl doctor --json
	[ "$(jq -s 'length >= 12' <<<"$output")" = true ]
	[ "$(jq -c 'select((.level == "ok") != (.mend == null))' <<<"$output")" = "" ]
	[ "$(level supervisor) $(level state) $(level run-folder)" = "ok ok ok" ]
	[[ "$output" != *"/../"* && "$output" != *"groups above"* ]]
	run fl doctor
	[[ "$output" != *$'\033'* ]]
	[ "$(grep -c 'mend: ' <<<"$output")" = "$(grep -cE '^(poor|bad) ' <<<"$output")" ]
	[ ! -e "$FL_STATE_DIR" ]
}

@test "a host on which nothing ever was: nothing happened, nothing is used" {
	run -0 fl events
	[ -z "$output" ]
	run -0 fl metrics --json
	[ -z "$output" ]
	run -0 fl metrics
	[ -z "$(grep -v '^#' <<<"$output")" ]
	run -4 fl metrics vm0
	run -4 fl events --follow
}

@test "no QEMU, no ssh: bad, poor, and status 1" {
	ln -s "$(command -v fl)" "$BATS_TEST_TMPDIR/bin/fl"
	run -1 env PATH="$BATS_TEST_TMPDIR/bin" "$FL_BUILD/bin/fl" doctor --json
	[ "$(level qemu) $(level tools)" = "bad poor" ]
	[[ "$output" == *"apt install --no-install-recommends openssh-client"* ]]
}

@test "what each VMM can do here, or why it cannot" {
	found=$(FL_FIRECRACKER=$(command -v true) FL_CLOUDHYPERVISOR=/nowhere/ch fl doctor --json |
		jq -r 'select(.check == "providers").found')
	[[ $found == "qemu"*"; firecracker "*"; cloudhypervisor is not installed" ]]
	[[ $found == *"firecracker needs KVM, which does not work here"* || $found == *"firecracker (taps, vsock, metadata service, network limits)"* ]]
}

@test "a host that forwards nothing is told of" {
	unshare -n true 2>/dev/null || skip "no right to make a network namespace"
	[ "$(id -u)" = 0 ] || skip "needs root"
	run unshare -n bash -c 'echo 0 >/proc/sys/net/ipv4/ip_forward; fl doctor --json'
	[[ "$(jq -r 'select(.check == "forward").found' <<<"$output")" == *"net.ipv4.ip_forward is 0: a bridge with --nat sets it"* ]]
	run unshare -n bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; fl doctor --json'
	[[ "$(jq -r 'select(.check == "forward").found' <<<"$output")" != *ip_forward* ]]
}

@test "Docker's FORWARD policy is seen" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	printf '#!/bin/sh\necho "-P FORWARD DROP"\n' >"$BATS_TEST_TMPDIR/bin/iptables"
	chmod +x "$BATS_TEST_TMPDIR/bin/iptables"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run fl doctor --json
	[ "$(level forward)" = poor ]
	[[ "$output" == *"DOCKER-USER"* ]]
}

@test "colours on a terminal only, and never with NO_COLOR" {
	mkfifo "$BATS_TEST_TMPDIR/keys"
	run env TERM=xterm python3 "$FL_TOP/t/fl-run/terminal.py" "$BATS_TEST_TMPDIR/keys" fl doctor
	[[ "$output" == *$'\033[32mok'* ]]
	run env TERM=xterm NO_COLOR=1 python3 "$FL_TOP/t/fl-run/terminal.py" "$BATS_TEST_TMPDIR/keys" fl doctor
	[[ "$output" != *$'\033'* ]]
	run env TERM=dumb python3 "$FL_TOP/t/fl-run/terminal.py" "$BATS_TEST_TMPDIR/keys" fl doctor
	[[ "$output" != *$'\033'* ]]
}

@test "a bridge with a domain wants dnsmasq" {
	unshare -m true 2>/dev/null || skip "no right to hide a program"
	mkdir -p "$FL_STATE_DIR/net"
	echo '{"address": "10.7.0.1/24", "domain": "fl.test"}' >"$FL_STATE_DIR/net/br0.json"
	run fl doctor --json
	[ "$(level names)" = ok ]
	without() {
		unshare -m bash -c 'mount --bind /dev/null /usr/sbin/dnsmasq; fl doctor --json'
	}
	run without
	[ "$(level names)" = poor ]
	[ "$(jq -r 'select(.check == "names").mend' <<<"$output")" = "apt install --no-install-recommends dnsmasq-base" ]
	rm "$FL_STATE_DIR/net/br0.json"
	run without
	[ "$(level names)" = ok ]
}
