#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# The kernel and root images for demo and tests, as an OCI layout; built once and cached.
#     t/images.sh BUILD      prints the layout's path; tags: kernel, root
set -eu

build=$(realpath "$1")
top=$(dirname "$(dirname "$(realpath "$0")")")
out=$build/../build/images
mkdir -p "$out"
out=$(realpath "$out")
layout=$out/layout
"$top/images/kernel.sh" "$out/kernel" >&2
"$top/images/root.sh" "$out/root" >&2
key=$(cat "$out"/kernel/.key "$out"/root/.key "$top"/images/*.sh 2>/dev/null | sha256sum | cut -c1-32)
if [ "$(cat "$layout.key" 2>/dev/null)" != "$key" ]; then
	rm -rf "$layout" "$layout.new"
	echo "packing the images" >&2
	SOURCE_DATE_EPOCH=0 "$build/bin/fl-pack" image --tag kernel -o "$layout.new" "$out/kernel/tree" >/dev/null
	SOURCE_DATE_EPOCH=0 "$build/bin/fl-pack" image --tag root -o "$layout.new" \
		"$out"/root/*.tar "$out/kernel/modules" >/dev/null
	mv "$layout.new" "$layout"
	echo "$key" >"$layout.key"
fi
echo "$layout"
