#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Builds the Debian packages of what is committed or about to be.
#     contrib/deb.sh FOLDER          FOLDER/*.deb
set -eu

cd "$(dirname "$(dirname "$(realpath "$0")")")"
mkdir -p -- "$1"
out=$(realpath -- "$1")
rm -rf "$out/source" "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
mkdir "$out/source"
git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - | tar -C "$out/source" -xf -
cd "$out/source"
if ! DEB_BUILD_OPTIONS="parallel=2 noautodbgsym" dpkg-buildpackage -us -uc -b >"$out/log" 2>&1; then
	tail -n 40 "$out/log" >&2
	exit 1
fi
rm -rf "$out/source"
ls "$out"/*.deb
