#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Every test, in TAP, and the count at the end: what "make check" runs.
#     t/check.sh [quick]     quick leaves out the sanitizers' run and the real guest
set -u

cd "$(dirname "$(dirname "$(realpath "$0")")")" || exit 1
mode=${1:-all}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

section() {
	printf '# %s\n' "$*" | tee -a "$log"
}

# Runs a command whose output is TAP; one that dies without a "not ok" is one more failure.
tap() {
	local name=$1 status
	shift
	"$@" 2>&1 | tee -a "$log"
	status=${PIPESTATUS[0]}
	if [ "$status" != 0 ] && ! tail -n 400 "$log" | grep -q '^not ok'; then
		echo "not ok - $name ended with status $status" | tee -a "$log"
	fi
}

build() {
	local b=$1
	shift
	if make -j2 --no-print-directory B="$b" WERROR=-Werror "$@" tests >"$b.log" 2>&1; then
		echo "ok - build $b $*" | tee -a "$log"
		return 0
	fi
	grep -vE '^  (CC|LD|AR|TEST)' "$b.log" | tail -n 40
	echo "not ok - build $b $*" | tee -a "$log"
	return 1
}

# A test that hangs fails.
export BATS_TEST_TIMEOUT=600

# A fuzz target over the inputs that are kept for it.
replay() {
	if timeout 120 "$1" t/fuzz/corpus/"${1##*/}"/*; then
		echo "ok - fuzz target ${1##*/} over its corpus"
	else
		echo "not ok - fuzz target ${1##*/} over its corpus"
	fi
}

# Unit and bats tests against the programs of one build folder.
run_tests() {
	local b=$1 test
	export FL_BUILD=$PWD/$b
	for test in "$b"/unit/*; do
		[ -f "$test" ] && [ -x "$test" ] && tap "${test##*/}" timeout 120 "$test"
	done
	for test in "$b"/fuzz/*; do
		[ -f "$test" ] && tap "fuzz ${test##*/}" replay "$test"
	done
	# shellcheck disable=SC2046 # a list of files
	tap bats timeout 2400 bats --tap $(git ls-files 't/*.bats' |
		grep -vE "^t/lab/|^t/contrib/deb.bats${2:+|$2}")
}

# One file of tests in the lab; "make check-lab" walks every step. Emulation stalls now and then; what gave no verdict counts for
# nothing, and is tried once more.
in_lab() {
	local output status
	output=$(mktemp)
	for _ in 1 2; do
		LAB_WALK_STEP=7 t/lab/run -m 4096 -t 1200 bats --tap "$1" </dev/null >"$output" 2>&1
		status=$?
		[ "$status" = 125 ] || break
		sed 's/^/# no verdict: /' "$output"
	done
	[ "$status" = 125 ] || cat "$output"
	rm -f "$output"
	return "$status"
}

mkdir -p build
section "build"
build build || exit 1
section "lint"
tap lint t/lint.sh
section "tests"
run_tests build
if [ "$mode" != quick ]; then
	section "tests under ASan, UBSan and LSan"
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
	export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
	# A preloaded library does not go with the sanitizers; the guest sees no difference.
	build build-san SAN=address,undefined && run_tests build-san 't/fl/walker|t/guest/'
fi

section "tests on a real kernel, in the lab"
export FL_BUILD=$PWD/build
if [ "$(uname -m)" != x86_64 ] || [ "$(id -u)" != 0 ]; then
	echo "ok - lab # skip not root on x86_64" | tee -a "$log"
else
	for file in t/lab/*.bats; do
		tap "${file##*/}" in_lab "$file"
	done
fi

passed=$(grep -c '^ok' "$log")
skipped=$(grep -ciE '^ok .*# skip' "$log")
failed=$(grep -c '^not ok' "$log")
grep '^not ok' "$log"
echo "$((passed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
