#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
#
# The images of this folder, packed and labelled, in an OCI layout.
#
#   images/pack.sh LAYOUT [IMAGE…]        kernel modules root kubernetes (all of them); ARCH=arm64: for that one
#
#   kernel       boot/vmlinux, boot/initrd.img; of amd64 boot/vmlinuz as well, which is packed
#   modules      what is mounted at /lib/modules/VERSION
#   root         Debian with systemd, cloud-init, sshd
#   kubernetes   the same with containerd, and what kubeadm asks a host for; VERSION is kubeadm's
#                where PROFILE_DEBS has it
#
# Tags are IMAGE:VERSION as a layout can have them, such as kernel-6.1.0-42-cloud-amd64. fl-pack is taken
# from PATH; recipes that were built before are not built again. PROFILE_DEBS is a folder of packages
# that go into kubernetes, such as kubeadm's.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
case ${1:--} in -*)
	sed -n '4,6p' "$0" | sed 's/^# \{0,1\}//' >&2
	exit 2
	;;
esac
command -v fl-pack >/dev/null || {
	echo "pack.sh: fl-pack is not in PATH; after \"make\": PATH=\$PWD/build/bin:\$PATH" >&2
	exit 8
}
# shellcheck source=images/recipe.sh
. "$here/recipe.sh"
layout=$1
shift
[ $# -gt 0 ] || set -- kernel modules root kubernetes
recipes=$(for image; do
	case $image in
	kernel | modules) echo kernel ;;
	root | kubernetes) echo root ;;
	*)
		echo "pack.sh: $image: kernel, modules, root or kubernetes belongs here" >&2
		exit 2
		;;
	esac
done)
# shellcheck disable=SC2086 # words
recipe_needs $recipes
export ARCH="${ARCH:-$(dpkg --print-architecture)}"
out=${OUT:-build/images/$ARCH}
suite=bookworm

# A package's version in the root, as its makers count.
version_of() { # PACKAGE ROOT
	sed -n "s/^$1 \([0-9]*:\)\{0,1\}\([^-+~]*\).*/\2/p" "$2/versions"
}

# pack TITLE VERSION DESCRIPTION LAYER…: labels what stands in $labels, too.
labels=
pack() {
	title=$1 version=$2 description=$3
	shift 3
	# shellcheck disable=SC2086 # words
	fl-pack image --platform "linux/$ARCH" --owner 0:0 --tag "$title-$version" -o "$layout" \
		--label "org.opencontainers.image.title=$title" \
		--label "org.opencontainers.image.version=$version" \
		--label "org.opencontainers.image.description=$description" \
		--annotation "org.opencontainers.image.version=$version" $labels "$@"
}

kernel() {
	"$here/kernel.sh" "$out/kernel"
	version=$(cat "$out/kernel/version")
}

pack_kernel() {
	kernel
	set -- "$out/kernel/tree"
	[ ! -d "$out/kernel/packed" ] || set -- "$@" "$out/kernel/packed"
	pack kernel "$version" "Debian's kernel for microVMs: boot/vmlinux and boot/initrd.img" "$@"
}

pack_modules() {
	kernel
	pack modules "$version" "modules of kernel $version, to be mounted at /lib/modules/$version" \
		"$out/kernel/modules/usr/lib/modules/$version"
}

pack_root() {
	"$here/root.sh" "$out/root"
	pack root "$suite" "Debian $suite for microVMs" "$out"/root/*.tar
}

pack_kubernetes() {
	profile=$here/kubernetes
	if [ "${PROFILE_DEBS:-}" ]; then
		profile=$out/profile/kubernetes
		rm -rf "$profile"
		mkdir -p "$out/profile"
		cp -R "$here/kubernetes" "$profile"
		cp -R "$PROFILE_DEBS" "$profile/debs"
	fi
	"$here/root.sh" "$out/kubernetes" "$profile"
	kubeadm=$(version_of kubeadm "$out/kubernetes")
	labels="--label dev.liquidmetal.containerd=$(version_of containerd "$out/kubernetes")"
	[ ! "$kubeadm" ] || labels="$labels --label dev.liquidmetal.kubernetes=$kubeadm"
	pack kubernetes "${kubeadm:-$suite}" "Debian $suite for microVMs that are nodes of Kubernetes" "$out"/kubernetes/*.tar
	labels=
}

for image; do
	"pack_$image"
done
