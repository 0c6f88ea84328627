# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# A host of a test's own: network and mounts of its own, and /etc as a copy that is thrown away.

load ../lib

# Once per file.
provision_setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir -p "$BATS_FILE_TMPDIR/o/up" "$BATS_FILE_TMPDIR/o/work"
	unshare -mn mount -t overlay overlay -o "lowerdir=/etc,upperdir=$BATS_FILE_TMPDIR/o/up,workdir=$BATS_FILE_TMPDIR/o/work" /etc ||
		skip "no right to mount over /etc in a namespace of its own"
}

# Steps that fetch from elsewhere.
export VMMS=firecracker,cloudhypervisor

# on_host SCRIPT: $ETC has what differs from /etc; stand-ins in $BIN go before programs.
on_host() {
	export ETC=$BATS_TEST_TMPDIR/etc BIN=$BATS_TEST_TMPDIR/bin SCRIPT=$1
	export FL_STATE_DIR=$BATS_TEST_TMPDIR/state FL_RUN_DIR=$BATS_TEST_TMPDIR/run
	mkdir -p "$ETC" "$BATS_TEST_TMPDIR/work" "$BATS_TEST_TMPDIR/local" "$BATS_TEST_TMPDIR/work2" "$BIN"
	cd "$BATS_TEST_TMPDIR" || return 1
	# shellcheck disable=SC2016 # expanded by the inner shell
	PATH=$BIN:$PATH unshare -mn bash -c '
		mount -t overlay overlay -o "lowerdir=/etc,upperdir=$ETC,workdir=$PWD/work" /etc
		mount -t overlay overlay -o "lowerdir=/usr/local,upperdir=$PWD/local,workdir=$PWD/work2" /usr/local
		ip link set lo up
		ip link add up0 type bridge
		ip link set up0 up
		ip address add 192.168.7.5/24 dev up0
		ip route add default via 192.168.7.1
		# Tests name addresses that the host has not.
		echo 1 | tee /proc/sys/net/ipv[46]/ip_nonlocal_bind >/dev/null
		set -euo pipefail
		trap "echo failed: \$BASH_COMMAND" ERR
		eval "$SCRIPT"'
}

# All that the host has of the kinds that fl-provision changes, but for the ledger's own folder.
host_is() (
	set +e +o pipefail
	trap - ERR
	find /etc/flintlock /etc/systemd /etc/opt /etc/lvm/profile -printf '%p %m %l\n' 2>/dev/null | LC_ALL=C sort
	find /usr/local/bin -printf '%p %m %s\n' | LC_ALL=C sort
	find /etc/flintlock -type f -exec sha256sum {} + 2>/dev/null | LC_ALL=C sort
	ip -o link | grep -o 'flbr[0-9]*' | sort -u
	findmnt -rno TARGET | grep "^$FL_STATE_DIR"
	find "$FL_STATE_DIR" "$FL_STATE_DIR-provision" -maxdepth 1 2>/dev/null | LC_ALL=C sort
	true
)
export -f host_is

# lacks PATTERN FILE: a "!" alone does not end a script under set -e.
lacks() {
	! grep -E "$@"
}
export -f lacks

# in_lab SCRIPT [ARGUMENT]: with a kernel of its own; the script ends with "all good".
in_lab() {
	is_sanitized && skip "the sanitizers are too slow under emulation"
	[ -e "${LAB_KERNEL:-$FL_TOP/build/images/kernel}/tree/boot/vmlinux" ] || skip "no kernel for the lab; run t/images.sh build"
	run timeout 560 "$FL_TOP/t/lab/run" -t 500 bash -c "mkdir /tmp/w && cd /tmp/w && $FL_TOP/t/fl-provision/$1 ${2:-}"
	# shellcheck disable=SC2154 # set by run
	echo "$output" | tail -n 40
	# shellcheck disable=SC2154
	[ "$status" = 0 ]
	[[ "$output" == *"all good"* ]]
}
