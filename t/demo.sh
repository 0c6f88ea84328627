#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# A microVM from OCI images, from nothing to a login and back to nothing.
#     t/demo.sh BUILD
# DEMO_KERNEL and DEMO_ROOT name published images to use instead of those built here.
set -eu

top=$(dirname "$(dirname "$(realpath "$0")")")
build=$(realpath "$1")
work=$(realpath "$build")/demo
export PATH=$build/bin:$PATH

started=$(date +%s.%N)
step() {
	local now
	now=$(date +%s.%N)
	printf '\n\033[1m[%5.1f s]\033[0m %s\n' "$(echo "$now $started" | awk '{print $1 - $2}')" "$*"
}

if [ -z "${DEMO_INSIDE:-}" ]; then
	rm -rf "$work"
	mkdir -p "$work"
	if [ -z "${DEMO_ROOT:-}" ] || [ -z "${DEMO_KERNEL:-}" ]; then
		step "images: a kernel and a Debian root from Debian's packages (cached in build/images)"
		DEMO_LAYOUT=$("$top/t/images.sh" "$build")
		export DEMO_LAYOUT
	fi
	export DEMO_INSIDE=1
	if [ "$(id -u)" != 0 ]; then
		step "not root: going on in a user and network namespace"
		exec unshare -Urn --mount bash "$0" "$build"
	fi
fi

# shellcheck source=t/registry.sh
. "$top/t/registry.sh"
ip link set lo up
export FL_STATE_DIR=$work/state FL_RUN_DIR=$work/run
bridge=flbr-demo

finish() {
	set +e
	[ -z "${finished:-}" ] || return
	finished=1
	fl down -q demo/mvm0 >/dev/null 2>&1
	fl-net bridge rm "$bridge" >/dev/null 2>&1
	registry_stop
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -n "${DEMO_LAYOUT:-}" ]; then
	step "a registry on loopback, and the images pushed into it"
	registry_start "$work/registry"
	for image in kernel root; do
		skopeo copy -q --dest-tls-verify=false "oci:$DEMO_LAYOUT:$image" \
			"docker://$REGISTRY/demo/$image:1"
	done
fi
kernel=${DEMO_KERNEL:-$REGISTRY/demo/kernel:1}
root=${DEMO_ROOT:-$REGISTRY/demo/root:1}

step "a bridge that hands out addresses, a key to log in with"
fl-net bridge create "$bridge" --address 10.77.0.1/24 --nat
ssh-keygen -q -t ed25519 -N '' -f "$work/key"

step "fl spec … | fl up"
fl spec --namespace demo --name mvm0 --kernel "$kernel" --initrd "$kernel" --root "$root" \
	--root-size 4G --cpus 2 --memory 1024 --cmdline quiet --bridge "$bridge" \
	--ssh-key "$work/key.pub" >"$work/spec.json"
fl up "$work/spec.json" >"$work/record.json"
fl ls

step "fl-run wait demo/mvm0 --for=cloud-init"
fl-run wait demo/mvm0 --for=cloud-init --timeout 240s

step "fl ssh demo/mvm0"
fl ssh -i "$work/key" demo/mvm0 'uname -a; cloud-init status; ip -brief address show eth0'

step "fl down demo/mvm0"
fl down demo/mvm0 >/dev/null
fl-net bridge rm "$bridge"

step "what is left: microVMs, links, processes, folders, rules"
left=$(
	fl ls --json
	ip -o link | grep -E 'fltap|flbr' || true
	pgrep -a -f "$FL_STATE_DIR" || true
	find "$FL_STATE_DIR/vm" "$FL_RUN_DIR" -mindepth 1 2>/dev/null || true
	nft list tables | grep flintlock || true
)
if [ -n "$left" ]; then
	echo "$left"
	exit 1
fi
echo "nothing; the pulled images and the base stay as a cache:"
fl-pull ls
fl-snap ls
finish
rm -rf "$work"
step "done"
