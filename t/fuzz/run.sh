#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
#
# Every fuzz target for so long, under libFuzzer, ASan and UBSan; what is found is left in
# build-fuzz/found, and new inputs in build-fuzz/corpus.
#
#   t/fuzz/run.sh [SECONDS [TARGET…]]
set -u

cd "$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")" || exit 1
seconds=${1:-60}
shift $(($# > 0))
make -j2 --no-print-directory CC=clang B=build-fuzz SAN=fuzzer-no-link,address,undefined FUZZ=1 \
	fuzzers || exit 1
mkdir -p build-fuzz/found
[ $# -gt 0 ] || set -- build-fuzz/fuzz/*
failed=0
for target; do
	name=${target##*/}
	corpus=build-fuzz/corpus/$name
	mkdir -p "$corpus"
	if "build-fuzz/fuzz/$name" -max_total_time="$seconds" -max_len=16384 -timeout=10 \
		-rss_limit_mb=1024 -artifact_prefix="build-fuzz/found/$name-" -print_final_stats=1 \
		"$corpus" "t/fuzz/corpus/$name" >"build-fuzz/$name.log" 2>&1; then
		echo "ok - fuzz target $name: $(sed -n 's/^stat::number_of_executed_units: *//p' \
			"build-fuzz/$name.log") inputs in $seconds s"
	else
		echo "not ok - fuzz target $name"
		grep -E 'ERROR|SUMMARY|runtime error' "build-fuzz/$name.log"
		failed=1
	fi
done
exit $failed
