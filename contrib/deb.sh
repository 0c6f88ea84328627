#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Builds the Debian packages of what is committed or about to be.
#     contrib/deb.sh FOLDER [ARCH SYSROOT]          FOLDER/*.deb
# For another architecture with what contrib/sysroot.sh unpacked.
set -eu

cd "$(dirname "$(dirname "$(realpath "$0")")")"
arch=${2:-$(dpkg --print-architecture)}
SYSROOT=${3:+$(realpath -- "$3")}
export SYSROOT
mkdir -p -- "$1"
out=$(realpath -- "$1")
rm -rf "$out/source" "$out/dpkg" "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
mkdir "$out/source"
git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - | tar -C "$out/source" -xf -
cd "$out/source"
builds_here=
if [ "$SYSROOT" ]; then
	# dpkg-shlibdeps asks by the names under which it finds libraries.
	cp -r "$SYSROOT/var/lib/dpkg" "$out/dpkg"
	sed -i "s|^|$SYSROOT|" "$out"/dpkg/info/*.list
	export SHLIBS_ADMIN=$out/dpkg
	builds_here=-d
fi
if ! DEB_BUILD_OPTIONS="parallel=2 noautodbgsym nocheck" dpkg-buildpackage -us -uc -b $builds_here -a "$arch" \
	>"$out/log" 2>&1; then
	tail -n 40 "$out/log" >&2
	exit 1
fi
rm -rf "$out/source" "$out/dpkg"
ls "$out"/*.deb
