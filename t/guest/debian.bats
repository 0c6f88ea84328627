#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Real guests: Debian under QEMU, from a real registry to a login and back to nothing.

load ../lib

setup_file() {
	. "$FL_TOP/t/registry.sh"
	[ "$(id -u)" = 0 ] || skip "not root: the images cannot be built"
	layout=$("$FL_TOP/t/images.sh" "$FL_BUILD" 2>"$BATS_FILE_TMPDIR/images.log") || {
		tail -n 20 "$BATS_FILE_TMPDIR/images.log"
		return 1
	}
	registry_start "$BATS_FILE_TMPDIR/registry"
	export REGISTRY_PID
	for image in kernel root; do
		skopeo copy -q --dest-tls-verify=false "oci:$layout:$image" "docker://$REGISTRY/t/$image:1"
	done
	export FL_STATE_DIR=$BATS_FILE_TMPDIR/state FL_RUN_DIR=$BATS_FILE_TMPDIR/run
	ssh-keygen -q -t ed25519 -N '' -f "$BATS_FILE_TMPDIR/key"
	export KEY=$BATS_FILE_TMPDIR/key
	# One network namespace for all tests: a process keeps it.
	unshare -n sleep 1800 3>&- &
	export HOLDER=$!
	sleep 0.2
	inside ip link set lo up
	fl-pull get -q "$REGISTRY/t/kernel:1" "$REGISTRY/t/root:1"
	inside fl-net bridge create br0 --address 10.9.0.1/24 --nat
}

teardown_file() {
	. "$FL_TOP/t/registry.sh"
	[ -z "${HOLDER:-}" ] || kill "$HOLDER"
	registry_stop
}

# What one test leaves because it failed is not the next one's.
teardown() {
	[ -z "${dns:-}" ] || kill "$dns" 2>/dev/null || true
	inside fl down -q --all >/dev/null 2>&1 || true
}

inside() {
	nsenter -t "$HOLDER" -n "$@"
}

debian() { # NAME OPTIONS…
	local name=$1
	shift
	fl spec --name "$name" --kernel "$REGISTRY/t/kernel:1" --initrd "$REGISTRY/t/kernel:1" \
		--root "$REGISTRY/t/root:1" --root-size 4G --memory 512 --cmdline quiet --bridge br0 \
		--ssh-key "$KEY.pub" "$@"
}

guest() { # NAME COMMAND…
	local name=$1
	shift
	inside timeout 60 fl ssh -i "$KEY" "default/$name" "$@"
}

@test "two in one pipe: logged in to, they reach each other; stop, start, down; nothing is left" {
	{ debian one; debian two; } | inside fl up -q --accel tcg >"$BATS_TEST_TMPDIR/records"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/records")" = 2 ]
	for name in one two; do
		inside fl-run wait "default/$name" --for=cloud-init --timeout 300s
	done
	guest one uname -a | grep -q "Linux one "
	guest two cloud-init status | grep -q "status: done"
	address=$(fl-run status --json default/two | jq -r '.address')
	guest one "ping -c 1 -W 5 $address || exec 3<>/dev/tcp/$address/22"
	guest one "echo kept > /root/kept; sync"
	fl stop default/one --timeout 60s
	[ "$(fl-run status --json default/one | jq -r .exit.kind)" = poweroff ]
	# A volume that comes later is mounted as one that was there from the beginning.
	fl inspect --json default/one | jq -c --arg image "$REGISTRY/t/kernel:1" '.spec.additional_volumes =
		[{id: "more", mount_point: "/srv/more", source: {container_source: $image}}]' |
		inside fl up -q >/dev/null
	inside fl-run wait default/one --for=cloud-init --timeout 300s
	[ "$(guest one cat /root/kept)" = kept ]
	guest one "mountpoint -q /srv/more && test -s /srv/more/boot/vmlinux"
	inside fl down -q default/one default/two >/dev/null
	[ -z "$(what_is_left)" ]
	[ -z "$(inside ip -o link | grep fltap)" ]
}

@test "waited for, looked at, typed at, copied to and from, counted" {
	debian hand --label tier=web | inside fl up -q --accel tcg --wait=boot --wait-timeout 300s >/dev/null
	run inside fl wait hand --for=exit --for=port:22 --timeout 300s
	[ "$status" = 32 ]
	inside fl wait -l tier=web --for=cloud-init --timeout 300s
	echo content >"$BATS_TEST_TMPDIR/file"
	inside fl cp -i "$KEY" "$BATS_TEST_TMPDIR/file" default/hand:/root/there
	inside fl cp -i "$KEY" hand:/root/there "$BATS_TEST_TMPDIR/back"
	cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/back"
	# Emulated, its clock keeps time all the same.
	[ "$(uname -m)" != x86_64 ] ||
		[ "$(guest hand cat /sys/devices/system/clocksource/clocksource0/current_clocksource)" = tsc ]
	grep -q '^Seccomp:.2$' "/proc/$(fl-run status --json default/hand | jq -r .pid)/status"
	fl metrics hand --json >"$BATS_TEST_TMPDIR/metrics"
	jq -e '.answered and .cpu_us > 0 and .memory_bytes > 0 and
		(.disks | map(select(.id == "root" and .read_bytes > 0)) | length == 1) and
		(.links | length == 1) and .links[0].received_bytes > 0' "$BATS_TEST_TMPDIR/metrics"
	printf '\nnobody\n' | fl console hand --linger 8s >"$BATS_TEST_TMPDIR/console"
	grep -qa "Password:" "$BATS_TEST_TMPDIR/console"
	inside fl down -q hand >/dev/null
	[ -z "$(what_is_left)" ]
}

@test "a guest that asks by DHCP gets the record's address, and others' names" {
	folder=$FL_RUN_DIR
	while [[ $folder == "$BATS_RUN_TMPDIR"* ]]; do
		mkdir -p "$folder"
		chmod a+x "$folder" # dnsmasq is not root
		folder=${folder%/*}
	done
	inside fl-net bridge create br0 --address 10.9.0.1/24 --nat --domain fl.test
	nsenter -t "$HOLDER" -n fl-net dns br0 --upstream none 2>/dev/null 3>&- &
	dns=$!
	printf 'version: 2\nethernets:\n  any:\n    match: {name: "e*"}\n    dhcp4: true\n' >"$BATS_TEST_TMPDIR/network"
	debian other | inside fl-net up >"$BATS_TEST_TMPDIR/other"
	debian asker | jq -c --rawfile network "$BATS_TEST_TMPDIR/network" '.metadata["network-config"] = ($network | @base64)' |
		inside fl up -q --accel tcg >"$BATS_TEST_TMPDIR/asker"
	inside fl-run wait asker --for=cloud-init --timeout 300s
	guest asker "ip -o -4 address show scope global; cat /run/systemd/netif/leases/*" >"$BATS_TEST_TMPDIR/told"
	grep -F "$(jq -r '.host.network[].address' "$BATS_TEST_TMPDIR/asker")" "$BATS_TEST_TMPDIR/told" | grep -q dynamic
	cat "$BATS_TEST_TMPDIR/told"
	for word in DNS=10.9.0.1 DOMAINNAME=default.fl.test HOSTNAME=asker; do
		grep -qx "$word" "$BATS_TEST_TMPDIR/told"
	done
	[ "$(guest asker getent ahostsv4 other.fl.test | awk '{ print $1 }' | sort -u)" = \
		"$(jq -r '.host.network[].address | split("/")[0]' "$BATS_TEST_TMPDIR/other")" ]
	inside fl down -q asker >/dev/null
	inside fl-net down other >/dev/null
	kill "$dns"
	wait "$dns"
	inside fl-net bridge create br0 --address 10.9.0.1/24 --nat --domain none
	[ -z "$(what_is_left)" ]
}

@test "the command that --dry-run prints works when pasted after the other steps ran" {
	debian pasted | inside bash -c 'fl-pull up -q | fl-snap up | fl-net up | fl-meta up' >"$BATS_TEST_TMPDIR/record"
	fl-run up --dry-run --accel tcg "$BATS_TEST_TMPDIR/record" >"$BATS_TEST_TMPDIR/command"
	inside timeout 200 bash "$BATS_TEST_TMPDIR/command" </dev/null >"$BATS_TEST_TMPDIR/out" 3>&- &
	pasted=$!
	for _ in $(seq 190); do
		! grep -aqE 'systemd|Debian|cloud-init' "$BATS_TEST_TMPDIR/out" || break
		sleep 1
	done
	pkill -f "$FL_STATE_DIR/vm/default/[p]asted"
	wait "$pasted" || true
	grep -aqE 'systemd|Debian|cloud-init' "$BATS_TEST_TMPDIR/out"
	inside fl down -q default/pasted >/dev/null
	rm -rf "$FL_RUN_DIR"
	[ -z "$(what_is_left)" ]
}

@test "a root that cannot be found is told in words" {
	run inside fl up -q --accel tcg --settle 120s < <(debian lost --cmdline root=UUID=00000000-0000-0000-0000-000000000000)
	echo "$output"
	[ "$status" = 16 ]
	[[ "$output" == *"no root found"* ]]
	inside fl down -q default/lost >/dev/null
}

@test "qemu killed from outside, supervisor killed: FAILED with a reason, up again" {
	debian victim | inside fl up -q --accel tcg >/dev/null
	kill -KILL "$(fl-run status --json default/victim | jq -r .pid)"
	fl-run wait default/victim --for=exit --timeout 10s
	[[ "$(fl-run status --json default/victim | jq -r .reason)" == *"signal 9"* ]]
	debian victim | inside fl up -q --accel tcg >/dev/null
	pkill -KILL -f "[f]l-supervise $FL_STATE_DIR"
	sleep 0.5
	[ "$(fl-run status --json default/victim | jq -r .state)" = FAILED ]
	debian victim | inside fl up -q --accel tcg >/dev/null
	[ "$(fl-run status --json default/victim | jq -r .vmm_state)" = running ]
	inside fl down -q default/victim >/dev/null
	[ -z "$(what_is_left)" ]
}

@test "every program killed here and there with a real VMM: up reaches the same one, down leaves nothing" {
	is_sanitized && skip "a preloaded library and the sanitizers exclude each other"
	cc -shared -fPIC -D_GNU_SOURCE -o "$BATS_TEST_TMPDIR/kill-at.so" "$FL_TOP/t/preload/kill-at.c" -ldl
	debian walked >"$BATS_TEST_TMPDIR/spec"
	local program at before uid killed=0 earlier=0 programs=$BATS_TEST_TMPDIR/programs
	mkdir "$programs"
	cp -r "$FL_BUILD/bin" "$FL_BUILD/libexec" "$FL_BUILD/share" "$programs/"
	cp "$FL_BUILD/killable/fl-meta" "$programs/bin/"
	for program in fl-pull fl-snap fl-net fl-meta fl-run fl-supervise; do
		for at in 3 11 24; do
			inside env LD_PRELOAD="$BATS_TEST_TMPDIR/kill-at.so" FL_KILL_IN=$program FL_KILL_AT=$at \
				"$programs/bin/fl" up -q --accel tcg --settle 300ms "$BATS_TEST_TMPDIR/spec" >"$BATS_TEST_TMPDIR/out" 2>&1 ||
				killed=$((killed + 1))
			before=$(fl-run ls --json | jq -r .uid)
			uid=$(inside fl up -q --accel tcg --settle 300ms "$BATS_TEST_TMPDIR/spec" | jq -r .spec.uid)
			echo "$program killed at $at: before '$before', up reached '$uid'"
			[ -z "$before" ] || [ "$before" = "$uid" ]
			[ "$(fl-run status --json "$uid" | jq -r .vmm_state)" = running ]
			inside env LD_PRELOAD="$BATS_TEST_TMPDIR/kill-at.so" FL_KILL_IN=$program FL_KILL_AT=$at \
				"$programs/bin/fl" down -q "$uid" >/dev/null 2>&1 || true
			inside fl down -q "$uid" >/dev/null
			left=$(what_is_left; inside ip -o link | grep fltap || true; ls -A "$FL_STATE_DIR/vm")
			echo "left: $left"
			[ -z "$left" ]
		done
		echo "$program was killed $((killed - earlier)) times"
		[ "$killed" -gt "$earlier" ]
		earlier=$killed
	done
}
