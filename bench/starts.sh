#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Starts of programs beside the least there is.
#     bench/starts.sh BUILD
set -eu

build=$(realpath "$1")
export PATH=$build/bin:$PATH
command -v hyperfine >/dev/null ||
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends hyperfine >/dev/null
work=$build/bench
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

# A program's start against the least there is.
start_of() {
	hyperfine -N -w 20 -r 300 --export-json "$work/start.json" "$1" "$2" >/dev/null 2>&1
	jq -r --arg n "$1 / $2" '.results | "\($n) \(.[0].median * 1e6 | floor) us / \(.[1].median * 1e6 | floor) us = \(.[0].median / .[1].median * 100 | floor / 100)"' "$work/start.json"
}
for program in fl fl-snap fl-net fl-meta fl-run fl-pack; do
	start_of "$build/bin/$program --version" /bin/true
done
start_of "$build/bin/fl-pull --version" "curl --version"
