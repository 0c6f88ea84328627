#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
#
# A Debian bookworm root for microVMs, with systemd, cloud-init and sshd, as layers.
#
#   images/root.sh [OUT [PROFILE]]        OUT: build/images/root; ARCH=arm64: for that one
#
#   OUT/1-base.tar 2-packages.tar 3-configuration.tar 4-PROFILE.tar
#   OUT/versions                          with a PROFILE: what is installed
#
# PROFILE is a folder with what more there is to be, each of these where it is wanted: "packages", their
# names; "debs/", packages that no repository has; "files/", laid over the root; "configure", run with
# the root as its operand, outside of it. images/kubernetes is one.
#
# The packages come from where this machine's apt gets its own. Their scripts are run: of another
# architecture by qemu-user-static, which binfmt_misc must know, or be told in a user namespace.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-build/images/root}
profile=${2:+$(realpath "$2")}
suite=bookworm
packages='systemd-sysv udev dbus systemd-resolved libnss-resolve netplan.io cloud-init
cloud-guest-utils openssh-server iproute2 iputils-ping kmod netbase sudo procps ca-certificates'
# shellcheck source=images/recipe.sh
. "$here/recipe.sh"
# shellcheck source=images/apt.sh
. "$here/apt.sh"
export ARCH="${ARCH:-$(dpkg --print-architecture)}"

# The machine's apt sources of the suite, in one-line form.
sources() {
	# shellcheck disable=SC2016 # apt's own placeholders
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' | grep -E " $suite(-[a-z]+)* " | sort -u
}

# mmdebstrap reads nothing of the machine's apt configuration; a proxy is often needed.
proxies() {
	for scheme in http https; do
		proxy=''
		eval "$(apt-config shell proxy "Acquire::$scheme::Proxy")"
		if [ "$proxy" ]; then
			echo "Acquire::$scheme::Proxy \"$proxy\";"
		fi
	done >"$RECIPE_WORK/apt.conf"
}

# With flag F the kernel has the emulator open already, and a chroot needs no copy.
binfmt=/proc/sys/fs/binfmt_misc
is_run_here() {
	[ "$ARCH" = "$(dpkg --print-architecture)" ] ||
		grep -q '^flags:.*F' "$binfmt/qemu-$machine" 2>/dev/null
}

# The namespace's own table (Linux 6.7 and later); the machine's stays as it is.
run_here() {
	format=/usr/lib/binfmt.d/qemu-$machine.conf
	[ -e "$format" ] || recipe_die "programs of $ARCH cannot be run: apt install qemu-user-static"
	mount -t binfmt_misc binfmt_misc "$binfmt" 2>/dev/null && cat "$format" >"$binfmt/register"
	is_run_here || recipe_die "programs of $ARCH cannot be run: binfmt_misc does not know them, \
and this kernel has none for a user namespace; as root: systemctl restart systemd-binfmt"
}

machine=$(echo "$ARCH" | sed 's/^arm64$/aarch64/; s/^amd64$/x86_64/')
# A user namespace in which root may do what it may here, but for this machine itself.
enter_as_root() {
	unshare --user sleep infinity &
	holder=$!
	trap 'kill "$holder"' EXIT
	while [ "$(readlink /proc/self/ns/user)" = "$(readlink "/proc/$holder/ns/user")" ]; do
		sleep 0.05
	done
	echo 0 0 65536 >"/proc/$holder/uid_map"
	echo 0 0 65536 >"/proc/$holder/gid_map"
	nsenter --user --target "$holder" unshare --mount --pid --fork --mount-proc "$0" "$out" "$profile"
	exit
}

content_of() {
	[ ! -d "$1" ] || (cd "$1" && find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum)
}

# What a profile adds, into the root $1.
add_profile() {
	# The guest's resolver is not there yet.
	resolver=$(readlink "$1/etc/resolv.conf")
	cp --remove-destination /etc/resolv.conf "$1/etc/resolv.conf"
	if [ -d "$profile/debs" ]; then
		cp "$profile"/debs/*.deb "$1/tmp/"
		chroot "$1" sh -c 'apt-get -q -q --yes install /tmp/*.deb && rm /tmp/*.deb'
	fi
	if [ -e "$profile/packages" ]; then
		# shellcheck disable=SC2046 # a list
		chroot "$1" apt-get -q -q --yes install $(cat "$profile/packages")
	fi
	ln -sf "$resolver" "$1/etc/resolv.conf"
	if [ -d "$profile/files" ]; then
		cp -R --preserve=mode "$profile/files/." "$1/"
	fi
	if [ -e "$profile/configure" ]; then
		"$profile/configure" "$1"
	fi
	# shellcheck disable=SC2016 # dpkg-query's own placeholders
	chroot "$1" dpkg-query -W -f '${Package} ${Version}\n' >"$LAYERS/versions"
}

# mmdebstrap's hooks are commands: this script is called again.
if [ "${RECIPE_PROFILE_INTO:-}" ]; then
	add_profile "$RECIPE_PROFILE_INTO"
	exit
fi

recipe_needs root
export RECIPE_INSIDE="${RECIPE_INSIDE:-no}"
# The layers hold files of many owners: without root, the user's own range of them.
if [ "$(id -u)" != 0 ]; then
	unshare --map-root-user --map-auto true 2>/dev/null ||
		recipe_die "needs root, or newuidmap (package uidmap) and a range of ids for $(id -un) in /etc/subuid and /etc/subgid"
	RECIPE_INSIDE=yes exec unshare --map-root-user --map-auto --mount --pid --fork --mount-proc "$0" "$out" "$profile"
fi
if [ "$RECIPE_INSIDE" = no ] && ! is_run_here; then
	RECIPE_INSIDE=yes
	enter_as_root
fi
is_run_here || run_here
mkdir -p "$(dirname "$out")"
apt_for "$ARCH" "$(dirname "$out")/apt-$ARCH"
sources=$(sources)
[ "$sources" ] || recipe_die "apt has no sources of Debian $suite: apt-get update, or add them"
# A security update is an input, too: its versions are in the lists.
# shellcheck disable=SC2086 # a list
versions=$(apt-cache policy systemd libc6 $packages | grep Candidate)
set -- "$out" "$(recipe_key "$0" "$here/recipe.sh" "$here/apt.sh" "$here/root/layer" "$here/root/configure" \
	"$versions" "$(content_of "$here/root/files")" "$(content_of "${profile:-/nonexistent}")")"
recipe_begin "$1" "$2"

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || date +%s)}
LAYERS=$(cd "$RECIPE_WORK" && pwd)
export SOURCE_DATE_EPOCH LAYERS
proxies
unset APT_CONFIG
# shellcheck disable=SC2016 # expanded by mmdebstrap's shell
echo "$sources" | mmdebstrap --quiet --mode=root --format=null --variant=minbase \
	--architectures="$ARCH" --skip=check/qemu \
	--aptopt="$LAYERS/apt.conf" --aptopt='APT::Install-Recommends "false"' \
	--customize-hook="'$here/root/layer' \"\$1\" 1-base" \
	--customize-hook="chroot \"\$1\" apt-get -q -q --yes install $(echo "$packages" | tr '\n' ' ')" \
	--customize-hook='rm -f "$1"/etc/ssh/ssh_host_*' \
	--customize-hook="'$here/root/layer' \"\$1\" 2-packages" \
	--customize-hook="'$here/root/configure' \"\$1\"" \
	--customize-hook="'$here/root/layer' \"\$1\" 3-configuration" \
	${profile:+--customize-hook="RECIPE_PROFILE_INTO=\"\$1\" '$here/root.sh' - '$profile'"} \
	${profile:+--customize-hook="'$here/root/layer' \"\$1\" '4-$(basename "$profile")'"} \
	"$suite" - - 8>&- 9>&-
find "$LAYERS" -mindepth 1 ! -name '*.tar' ! -name versions -delete
recipe_publish "$1" "$2"
