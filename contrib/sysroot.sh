#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
#
# What the programs are built with and run with on another architecture: Debian's packages, only
# unpacked. Beside the native ones they could not be installed: some of the headers (libevent-dev,
# libext2fs-dev, libisal-dev) are there for one architecture at a time. Which package a library is of,
# and of which version, stands in var/lib/dpkg, for dpkg-shlibdeps.
#
#   contrib/sysroot.sh ARCH OUT [LIST]      LIST: packages.list, of which the libraries count
set -eu

arch=$1 out=$2
top=$(cd "$(dirname "$0")/.." && pwd)
list=${3:-$top/packages.list}
# shellcheck source=images/recipe.sh
. "$top/images/recipe.sh"
# shellcheck source=images/apt.sh
. "$top/images/apt.sh"

# Nothing is installed yet in the eyes of apt, so it names every package that is needed.
needed() {
	# shellcheck disable=SC2086 # a list of words
	apt-get -q -q -y --no-install-recommends --print-uris install $libraries |
		sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p"
}

download() {
	# shellcheck disable=SC2086 # a list of words
	apt-get -q -q -y --no-install-recommends --download-only install $libraries >&2 ||
		unavailable "the packages of $arch cannot be had; is there a network?"
}

# As dpkg would have it, had it installed the package. Merged folders go by both of their names.
register() { # PACKAGE.deb
	name=$(dpkg-deb -f "$1" Package)
	if [ "$(dpkg-deb -f "$1" Multi-Arch)" = same ]; then
		name=$name:$arch
	fi
	dpkg-deb --fsys-tarfile "$1" | tar -t |
		sed -n 's|^\./\(usr/\)\{0,1\}lib/\(.*[^/]\)$|/lib/\2\n/usr/lib/\2|p' >"$info/$name.list"
	for part in shlibs symbols; do
		dpkg-deb -I "$1" "$part" >"$info/$name.$part" 2>/dev/null || rm "$info/$name.$part"
	done
	{
		dpkg-deb -f "$1"
		printf 'Status: install ok installed\n\n'
	} >>"$info/../status"
}

unpack() {
	mkdir -p "$RECIPE_WORK/usr/lib" "$RECIPE_WORK/usr/bin" "$RECIPE_WORK/usr/sbin"
	for folder in lib bin sbin; do
		ln -s "usr/$folder" "$RECIPE_WORK/$folder"
	done
	info=$RECIPE_WORK/var/lib/dpkg/info
	mkdir -p "$info"
	echo 1 >"$info/format"
	for package in $packages; do
		register "$apt_folder/cache/archives/$package"
		dpkg-deb --fsys-tarfile "$apt_folder/cache/archives/$package" |
			tar -x --keep-directory-symlink --no-same-owner -C "$RECIPE_WORK" \
				--exclude='./usr/share/doc' --exclude='./usr/share/man' \
				--exclude='./usr/share/locale' --exclude='./usr/share/i18n' --exclude='./dev'
	done
}

# A name from the root would lead out of here.
relative_links() {
	find "$RECIPE_WORK" -type l -lname '/*' | while read -r link; do
		ln -sfnr "$RECIPE_WORK$(readlink "$link")" "$link"
	done
}

mkdir -p "$(dirname "$out")"
apt_for "$arch" "$(dirname "$out")/apt-$arch"
[ "${apt_folder:-}" ] || recipe_die "$arch is this machine's own architecture"
libraries="libc6-dev $(grep -e '-dev$' "$list" | grep -vx libprotobuf-dev | tr '\n' ' ')"
packages=$(needed)
[ "$packages" ] || recipe_die "apt finds no way to have these of $arch: $libraries"
recipe_begin "$out" "$(recipe_key "$0" "$top/images/recipe.sh" "$top/images/apt.sh" "$packages")"
download
unpack
relative_links
apt-get -q -q clean
recipe_publish "$out" "$(recipe_key "$0" "$top/images/recipe.sh" "$top/images/apt.sh" "$packages")"
