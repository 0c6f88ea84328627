#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# The kernel and root images for demo and tests, as an OCI layout; built once and cached.
#     t/images.sh BUILD      prints the layout's path; tags: kernel, root; ARCH=arm64: for that one
set -eu

build=$(realpath "$1")
top=$(dirname "$(dirname "$(realpath "$0")")")
arch=${ARCH:-$(dpkg --print-architecture)}
out=$build/../build/images${ARCH:+/$ARCH}
mkdir -p "$out"
out=$(realpath "$out")
layout=$out/layout
# Recipes say much; it is read only when one fails.
recipe() {
	"$top/images/$1.sh" "$out/$1" >"$out/$1.log" 2>&1 || {
		tail -n 20 "$out/$1.log" >&2
		exit 1
	}
}
recipe kernel
recipe root
key=$(cat "$out"/kernel/.key "$out"/root/.key "$top"/images/*.sh 2>/dev/null | sha256sum | cut -c1-32)
if [ "$(cat "$layout.key" 2>/dev/null)" != "$key" ]; then
	rm -rf "$layout" "$layout.new"
	SOURCE_DATE_EPOCH=0 "$build/bin/fl-pack" image --platform "linux/$arch" --tag kernel -o "$layout.new" "$out/kernel/tree" >/dev/null
	SOURCE_DATE_EPOCH=0 "$build/bin/fl-pack" image --platform "linux/$arch" --tag root -o "$layout.new" \
		"$out"/root/*.tar "$out/kernel/modules" >/dev/null
	mv "$layout.new" "$layout"
	echo "$key" >"$layout.key"
fi
echo "$layout"
