# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# What tests of the packages share.

# newer_packages FROM INTO: the same packages, of a later version; INTO is made.
newer_packages() {
	local package name
	mkdir "$2"
	for package in "$1"/*.deb; do
		name=${package##*/}
		dpkg-deb -R "$package" "$2/tree"
		sed -i 's/^Version: .*/&+later/' "$2/tree/DEBIAN/control"
		sed -i 's/flintlock-tools (= \([^)]*\))/flintlock-tools (= \1+later)/' "$2/tree/DEBIAN/control"
		dpkg-deb --root-owner-group -b "$2/tree" "$2/${name%%_*}_later.deb" >/dev/null
		rm -rf "$2/tree"
	done
}
