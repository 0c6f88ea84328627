#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Firecracker in a jail, with stand-ins for it and for its jailer: what is put in, who may do what
# there, and that nothing of it stays. The real ones: t/lab/jail.bats.

bats_require_minimum_version 1.5.0
load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	cc -static -O2 -o "$BATS_FILE_TMPDIR/firecracker" "$FL_TOP/t/fl-run/fake-firecracker.c"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	export FL_FIRECRACKER=$BATS_FILE_TMPDIR/firecracker
	jailer=$FL_TOP/t/fl-run/fake-jailer
}

teardown() {
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
}

spec() {
	small_spec vm0 "$@" | jq -c '.provider = "firecracker"'
}

# record [fl spec options…]: all but the VMM is made.
record() {
	spec "$@" | fl-pull up -q | fl-snap up -q | fl-net up -q | fl-meta up -q --with-metadata
}

field() {
	fl-run status --json default/vm0 | jq -r ".$1"
}

need_to_run() {
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip "no /dev/kvm on this machine"
	grep -q ' cgroup2 rw' /proc/mounts || skip "no cgroup v2 where groups can be made"
	mknod node c 1 3 2>/dev/null && true <node || skip "no device nodes can be made here"
}

jailed_up() {
	spec "$@" | fl up -q --accel kvm --settle 300ms --jailer "$jailer" >/dev/null
}

folder() {
	echo "$FL_STATE_DIR"/vm/default/vm0/*
}

said() {
	for _ in $(seq 100); do
		fl console vm0 --print | grep -qxF "$1" && return
		sleep 0.05
	done
	echo "not said: $1"
	fl console vm0 --print
	return 1
}

@test "the plan makes the jail and names the jailer's command line" {
	record --guest-agent >record
	run -0 fl-run up --dry-run --jailer /opt/jailer --firecracker /opt/firecracker-v1 <record
	uid=$(jq -r .spec.uid record)
	owner=$((0x70000000 | 0x$(printf %s "$uid" | sha256sum | cut -c1-8) & 0x0fffffff))
	[[ $output == *"/opt/jailer --id $uid --exec-file /opt/firecracker-v1 --uid $owner --gid $owner "* ]]
	[[ $output == *"--cgroup-version 2 --parent-cgroup fl.slice/$uid/vmm "* ]]
	[[ $output == *"-- --api-sock /firecracker.sock --config-file /firecracker.cfg"* ]]
	[[ $output == *"mkdir -p $(folder)/jail/firecracker-v1/$uid/root"* ]]
	[[ $output == *"ln -L $(folder)/volumes/root.img $(folder)/jail/root/d0"* ]]
	[[ $output == *"chown $owner:$owner $(folder)/jail/root/d0"* ]]
	[[ $output == *'"kernel_image_path": "/kernel"'* && $output == *'"uds_path": "/guest-agent.vsock"'* ]]
	[ ! -e "$(folder)/jail" ]
	FL_JAILER=/opt/other run -0 fl-run up --dry-run <record
	[[ $output == *"/opt/other --id"* ]]
	FL_JAILER=/opt/other run -0 fl-run up --dry-run --jailer none <record
	[[ $output != *jail* ]]
}

@test "the document of a metadata service is in the jail, whatever its size" {
	head -c 60000 /dev/zero | tr '\0' x >user
	record --metadata-service v1 --user-data user >record
	run -0 fl-run up --dry-run --jailer /opt/jailer <record
	document=$(jq -r .host.seed.service record)
	[[ $output == *"ln -L $document $(folder)/jail/root/metadata.json"* ]]
	[[ $output == *"--metadata /metadata.json --mmds-size-limit $(stat -c %s "$document")"* ]]
}

@test "the chain hands the option on, and other providers pass it over" {
	spec >spec
	run -0 fl up --dry-run --jailer /opt/jailer spec
	[[ $output == *"/opt/jailer --id"* ]]
	for provider in qemu cloudhypervisor; do
		jq -c ".provider = \"$provider\"" spec >other
		run -0 fl up --dry-run --jailer /opt/jailer other
		[[ $output != *jail* ]]
	done
}

@test "a jail that cannot be is said before anything starts" {
	record >record
	up=(fl-run up -q --accel kvm)
	fails_with 8 "/nowhere/jailer: there is no such jailer" "${up[@]}" --jailer /nowhere/jailer <record
	fails_with 4 "nothing: there is no such program" "${up[@]}" --jailer "$jailer" --firecracker nothing <record
	echo 'int main(void) { return 0; }' >main.c
	cc -o dynamic main.c
	fails_with 13 "dynamic: is linked dynamically; the jailer needs a static one" \
		"${up[@]}" --jailer "$jailer" --firecracker ./dynamic <record
	# One that may lie anywhere has a dynamic section, too.
	cc -static-pie -o anywhere main.c
	run "${up[@]}" --jailer "$jailer" --firecracker ./anywhere <record
	[[ $output != *"linked dynamically"* ]]
	printf '#!/bin/sh\n' >script
	head -c 100 dynamic >short
	chmod +x script short
	fails_with 13 "script: not a program" "${up[@]}" --jailer "$jailer" --firecracker ./script <record
	fails_with 13 "short: a damaged program" "${up[@]}" --jailer "$jailer" --firecracker ./short <record
	fails_with 8 "needs the right CAP_SYS_ADMIN" setpriv --bounding-set -sys_admin \
		"${up[@]}" --jailer "$jailer" <record
	FL_RUN_DIR=/tmp/$(printf 'x%.0s' $(seq 50)) fails_with 8 "too long a path for sockets" \
		"${up[@]}" --jailer "$jailer" <record
	[ ! -e "$(folder)/jail" ]
}

@test "a state folder without devices is no place for a jail" {
	mkdir "$FL_STATE_DIR"
	spec >spec
	# shellcheck disable=SC2016 # of the script
	echo 'mount -t tmpfs -o nodev none "$FL_STATE_DIR"; fl up -q --accel kvm --jailer "$1" "$2"' >try
	fails_with 8 "is mounted nodev" unshare -m bash try "$jailer" spec
}

@test "without a control group there is no jail" {
	need_to_run
	spec >spec
	# shellcheck disable=SC2016 # of the script
	echo 'umount -a -t cgroup2; fl up -q --accel kvm --jailer "$1" "$2"' >try
	fails_with 8 "a jail needs a control group" unshare -m bash try "$jailer" spec
	[ ! -e "$(folder)/jail" ]
}

@test "a user of its own, who has what the guest was given, and no more" {
	need_to_run
	jailed_up
	said ready
	pid=$(field pid) uid=$(fl ls --json | jq -r .uid)
	owner=$((0x70000000 | 0x$(printf %s "$uid" | sha256sum | cut -c1-8) & 0x0fffffff))
	said "user $owner $owner"
	for line in '/kernel: r-' '/initrd: r-' '/d0: rw' '/d1: r-' '/firecracker.cfg: r-' \
		'/firecracker.metrics: rw' '/firecracker.log: rw' '/etc/passwd: --'; do
		said "$line"
	done
	[ "$(readlink "/proc/$pid/root")" = "$(folder)/jail/firecracker/$uid/root" ]
	grep -q "/fl.slice/$uid/vmm$" "/proc/$pid/cgroup"
	grep -q '^CapEff:[[:space:]]*0*$' "/proc/$pid/status"
	[ "$(fl logs vm0)" = $'a line of the log\na line of stderr' ]
	# What is shared stays root's, and what is secret stays so.
	[ "$(stat -Lc '%u %a' "$(folder)/jail/root/kernel")" = "0 444" ]
	[ "$(stat -c '%u %g %a' "$(folder)/cloud-init.img")" = "0 $owner 640" ]
	[ "$(stat -c '%a' "$(folder)/jail/root/")" = 700 ]
	fl stop vm0
	[ ! -e "$(folder)/jail" ]
	dd if="$(folder)/volumes/root.img" bs=512 skip=1 count=1 status=none | grep -aq '^was here'
}

@test "each run has a new jail: a guest's reboot, pause, stop and start, without being asked for again" {
	need_to_run
	jailed_up
	said ready
	fl pause vm0
	[ "$(field vmm_state)" = paused ]
	fl resume vm0
	touch "$(folder)/jail/root/left"
	echo reboot | timeout 10 fl console vm0 --detach none >/dev/null || true
	for _ in $(seq 200); do
		[ "$(field 'vmm_state + " \(.reboots)"')" != "running 1" ] || break
		sleep 0.05
	done
	[ "$(field reboots)" = 1 ]
	[ ! -e "$(folder)/jail/root/left" ]
	fl stop vm0
	fl start --accel kvm --settle 300ms vm0
	said "/d0: rw"
	[ -e "$(folder)/jail/root/kernel" ]
	fl stop vm0
	# Root may do all with what the jailed one left.
	record=$(fl inspect --json vm0)
	run -0 fl-run up --dry-run --jailer none <<<"$record"
	[[ $output != *jailer* ]]
}

@test "a jailed VMM does not lead the supervisor to another socket" {
	need_to_run
	cat >listen.py <<-'END'
		import socket
		s = socket.socket(socket.AF_UNIX)
		s.bind("other")
		s.listen(1)
		print("listens", flush=True)
		s.accept()
		print("reached", flush=True)
	END
	timeout 40 python3 listen.py >heard 3>&- &
	listener=$!
	for _ in $(seq 100); do grep -q listens heard && break; sleep 0.05; done
	run jailed_up --cmdline "fake-link=$PWD/other"
	[ "$status" = 16 ]
	[[ $output == *"does not listen on"* ]]
	said ready
	[ "$(cat heard)" = listens ]
	# It is there for others.
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("other")'
	wait "$listener"
	grep -q reached heard
}

@test "a supervisor that is killed takes the jailed VMM along" {
	need_to_run
	jailed_up
	said ready
	pid=$(field pid)
	kill -9 "$(pgrep -f "[f]l-supervise $FL_STATE_DIR")"
	for _ in $(seq 100); do
		is_alive "$pid" || break
		sleep 0.05
	done
	run ! is_alive "$pid"
	[ "$(field vmm_state)" = lost ]
	fl up -q --accel kvm --settle 300ms --jailer "$jailer" <<<"$(fl inspect --json vm0)" >/dev/null
	said ready
}

@test "killed with all that watches, it is found by its control group" {
	need_to_run
	jailed_up
	said ready
	pid=$(field pid) uid=$(fl ls --json | jq -r .uid)
	group=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/fl.slice/$uid
	# The guard first, so that it has nothing to guard.
	guard=$(pgrep -f "guard $uid")
	grep -qx "$guard" "$group/supervisor/cgroup.procs"
	kill -9 "$guard"
	kill -9 "$(pgrep -f "[f]l-supervise $FL_STATE_DIR")"
	sleep 0.5
	# Otherwise the guard would not be needed.
	is_alive "$pid"
	fl down -q vm0 >/dev/null
	run ! is_alive "$pid"
	[ -z "$(what_is_left)" ]
}

@test "a supervisor that is killed at any call leaves nothing that up and down do not mend" {
	need_to_run
	is_sanitized && skip "a preloaded library and the sanitizers exclude each other"
	cc -shared -fPIC -D_GNU_SOURCE -o kill-at.so "$FL_TOP/t/preload/kill-at.c" -ldl
	up=(fl-run up -q --accel kvm --settle 20ms --jailer "$jailer")
	killed=0
	for n in $(seq 1 3 60); do
		record >made
		LD_PRELOAD=$PWD/kill-at.so FL_KILL_IN=fl-supervise FL_KILL_AT=$n "${up[@]}" <made >/dev/null 2>&1 ||
			killed=$((killed + 1))
		"${up[@]}" <made >/dev/null || { echo "killed at call $n: up fails"; return 1; }
		fl down -q vm0 >/dev/null
		left=$(what_is_left)
		[ -z "$left" ] || { echo "killed at call $n: left $left"; return 1; }
	done
	echo "$killed of 20 were killed before they were up"
	[ "$killed" -gt 5 ]
}
