# SPDX-License-Identifier: MPL-2.0
# shellcheck shell=sh
#
# What every recipe does around its work: one builder at a time, nothing built twice,
# nothing half-built under its final name.
#
#     recipe_begin "$out" "$key"    # ends the script when $out was built from the same key
#     ... fill "$RECIPE_WORK" ...
#     recipe_publish "$out" "$key"

recipe_die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# depmod and modprobe are where PATH often does not lead those who are not root.
PATH=$PATH:/usr/sbin:/sbin

# Of PROGRAM=PACKAGE… the packages whose program is not there.
recipe_lacks() {
	for need; do
		command -v "${need%%=*}" >/dev/null || echo "${need#*=}"
	done
}

# What a recipe (kernel, root) works with: all that is missing is said at once, before anything is
# fetched.
recipe_needs() {
	missing=$(for recipe; do
		case $recipe in
		kernel)
			recipe_lacks cpio=cpio depmod=kmod lz4=lz4 xz=xz-utils zstd=zstd
			# busybox alone has no findfs. Another architecture's is fetched.
			[ "${ARCH:-$(dpkg --print-architecture)}" != "$(dpkg --print-architecture)" ] ||
				/bin/busybox --list 2>/dev/null | grep -qx findfs || echo busybox-static
			;;
		root)
			recipe_lacks mmdebstrap=mmdebstrap
			[ "$(id -u)" = 0 ] || recipe_lacks newuidmap=uidmap
			;;
		esac
	done | sort -u | tr '\n' ' ')
	[ "$missing" ] || return 0
	echo "${0##*/}: tools are missing: apt install ${missing% }" >&2
	exit 8
}

# A text that changes whenever one of the files or words does.
recipe_key() {
	for input; do
		if [ -f "$input" ]; then
			sha256sum <"$input"
		else
			echo "$input"
		fi
	done | sha256sum | cut -d ' ' -f 1
}

recipe_clean() {
	rm -rf --one-file-system "$RECIPE_WORK"
}

recipe_begin() {
	mkdir -p "$(dirname "$1")"
	exec 9>"$1.lock"
	flock 9
	if [ "$(cat "$1/.key" 2>/dev/null)" = "$2" ]; then
		echo "$1: up to date" >&2
		exit 0
	fi
	RECIPE_WORK=$1.new
	recipe_clean
	mkdir "$RECIPE_WORK"
	trap recipe_clean EXIT
	trap 'exit 130' INT TERM HUP
}

recipe_publish() {
	echo "$2" >"$RECIPE_WORK/.key"
	rm -rf --one-file-system "$1.old"
	if [ -d "$1" ]; then
		mv -T "$1" "$1.old"
	fi
	mv -T "$RECIPE_WORK" "$1"
	rm -rf --one-file-system "$1.old"
	echo "$1: built" >&2
}
