#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# A microVM's life beside the least that the same could take: up, down, many, lists, seeds, and the
# supervisor; under a stand-in for the VMM, so that what is measured is ours.
#     bench/life.sh BUILD
set -eu

top=$(dirname "$(dirname "$(realpath "$0")")")
FL_BUILD=$(realpath "$1")
export FL_BUILD
# shellcheck source=t/lib.bash
. "$top/t/lib.bash"

BENCH_WORK=$(mktemp -d)
export BENCH_WORK
trap 'rm -rf "$BENCH_WORK"' EXIT
export FL_STATE_DIR=$BENCH_WORK/state FL_RUN_DIR=$BENCH_WORK/run IMAGES=$BENCH_WORK/images
small_images "$IMAGES"
cc -O2 -o "$BENCH_WORK/stamp" "$top/bench/stamp.c"
printf '%-58s %10s %10s %10s\n' '' measured must aim
/usr/bin/python3 -B "$top/bench/life.py"
