#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Unpacks a package that the tests use a program of, without installing it: installed, it
# would start a daemon on this machine. Its signature is checked by apt.
#     contrib/tools.sh PACKAGE FOLDER          programs come to lie in FOLDER/usr/bin
set -eu

package=$1
folder=$2
[ ! -e "$folder/$package.unpacked" ] || exit 0
mkdir -p "$folder"
folder=$(realpath "$folder")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # apt downloads as a user of its own
cd "$work"
if ! apt-get download -qq "$package" >log 2>&1 && ! { apt-get update -qq && apt-get download -qq "$package"; } >log 2>&1; then
	tail -n 5 log >&2
	exit 10
fi
dpkg-deb -x "$package"_*.deb "$folder"
touch "$folder/$package.unpacked"
