#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Starts of programs beside the least there is, and the supervisor at rest.
#     bench/run.sh BUILD
set -eu

top=$(dirname "$(dirname "$(realpath "$0")")")
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

# The supervisor at rest.
export FL_STATE_DIR=$work/state FL_RUN_DIR=$work/run IMAGES=$work/images
FL_BUILD=$build
# shellcheck source=t/lib.bash
. "$top/t/lib.bash"
small_images "$IMAGES"
small_spec bench | quick_up - >/dev/null
sleep 1
pid=$(pgrep -f "[f]l-supervise $FL_STATE_DIR")
switches() {
	awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$pid/status"
}
before=$(switches)
sleep 5
echo "supervisor: private $(awk '/^Private/ { n += $2 } END { print n }' "/proc/$pid/smaps_rollup") kB (must <= 1500), $(($(switches) - before)) wake-ups in 5 s (must 0)"
fl down -q default/bench >/dev/null
