#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# A real guest of arm64, on whatever machine: QEMU's "virt", from a registry to a login and back to
# nothing. What "make check-arm64" runs.

load ../lib

setup_file() {
	. "$FL_TOP/t/registry.sh"
	[ "$(id -u)" = 0 ] || skip "not root: no bridge"
	layout=$(ARCH=arm64 "$FL_TOP/t/images.sh" "$FL_BUILD" 2>"$BATS_FILE_TMPDIR/images.log") || {
		tail -n 20 "$BATS_FILE_TMPDIR/images.log"
		return 1
	}
	registry_start "$BATS_FILE_TMPDIR/registry"
	export REGISTRY_PID
	for image in kernel root; do
		skopeo copy -q --override-arch arm64 --dest-tls-verify=false "oci:$layout:$image" \
			"docker://$REGISTRY/arm/$image:1"
	done
	export FL_STATE_DIR=$BATS_FILE_TMPDIR/state FL_RUN_DIR=$BATS_FILE_TMPDIR/run
	ssh-keygen -q -t ed25519 -N '' -f "$BATS_FILE_TMPDIR/key"
	export KEY=$BATS_FILE_TMPDIR/key
	unshare -n sleep 3600 3>&- &
	export HOLDER=$!
	sleep 0.2
	inside ip link set lo up
	fl-pull get -q --platform linux/arm64 "$REGISTRY/arm/kernel:1" "$REGISTRY/arm/root:1"
	inside fl-net bridge create br0 --address 10.9.0.1/24 --nat
}

teardown_file() {
	. "$FL_TOP/t/registry.sh"
	[ -z "${HOLDER:-}" ] || kill "$HOLDER"
	registry_stop
}

teardown() {
	inside fl down -q --all >/dev/null 2>&1 || true
}

inside() {
	nsenter -t "$HOLDER" -n "$@"
}

guest() {
	inside timeout 120 fl ssh -i "$KEY" default/pi "$@"
}

@test "up, cloud-init, a login; a reboot, a power button, a start; nothing is left" {
	inside fl spec --name pi --platform linux/arm64 --kernel "$REGISTRY/arm/kernel:1" \
		--initrd "$REGISTRY/arm/kernel:1" --root "$REGISTRY/arm/root:1" --root-size 4G --memory 1024 \
		--cpus 2 --bridge br0 --ssh-key "$KEY.pub" >"$BATS_TEST_TMPDIR/spec"
	inside fl up -q --accel tcg --restart on-failure "$BATS_TEST_TMPDIR/spec" >"$BATS_TEST_TMPDIR/record"
	inside fl-run wait default/pi --for=cloud-init --timeout 900s
	echo "# cloud-init done after $SECONDS s" >&3
	[ "$(guest uname -m)" = aarch64 ]
	guest cloud-init status | grep -q "status: done"
	guest "echo kept > /root/kept; sync"
	guest reboot || true
	for _ in $(seq 600); do
		[ "$(fl-run status --json default/pi | jq .reboots)" = 1 ] && break
		sleep 1
	done
	inside fl-run wait default/pi --for=boot --timeout 900s
	echo "# up again after $SECONDS s" >&3
	fl stop default/pi --timeout 300s
	[ "$(fl-run status --json default/pi | jq -r .exit.kind)" = poweroff ]
	echo "# powered off after $SECONDS s" >&3
	inside fl start default/pi --accel tcg
	inside fl-run wait default/pi --for=cloud-init --timeout 900s
	[ "$(guest cat /root/kept)" = kept ]
	inside fl down -q default/pi >/dev/null
	[ -z "$(what_is_left)" ]
	[ -z "$(inside ip -o link | grep fltap)" ]
}
