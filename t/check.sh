#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Every test, in TAP, and the count at the end: what "make check" runs.
#     t/check.sh [quick]     quick leaves out the sanitizers' run and the real guest
set -u

cd "$(dirname "$(dirname "$(realpath "$0")")")" || exit 1
mode=${1:-all}
log=$(mktemp)
said=$(mktemp)

section() {
	printf '# %s\n' "$*" | tee -a "$log"
}

# Runs a command whose output is TAP; one that dies without a "not ok" is one more failure.
tap() {
	local name=$1 status before
	shift
	before=$(wc -l <"$log")
	"$@" 2>&1 | tee -a "$log"
	status=${PIPESTATUS[0]}
	# 1 is what failed tests end with.
	if [ "$status" -gt 1 ] || { [ "$status" = 1 ] && ! tail -n "+$((before + 1))" "$log" | grep -q '^not ok'; }; then
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

# The lines of tests that failed and the files that they are in, from TAP of bats.
failures() {
	awk '/^not ok/ { line = $0 }
		line && match($0, /in test file [^,]*, line/) {
			print line "\t" substr($0, RSTART + 13, RLENGTH - 19); line = ""
		}' "$log"
}

# Machines stall now and then. What failed is tried a second time, alone, and is listed at the end
# when it then passes; more than three such tests are no accident.
second_try() {
	local line file name output
	[ "$(grep -c '^not ok' "$log")" -le 3 ] || return
	while IFS=$'\t' read -r line file; do
		name=${line#not ok * }
		section "second try: $name"
		# shellcheck disable=SC2001 # a set of letters, kept
		output=$(timeout 900 bats --tap -f "^$(sed 's/[][\.*^$+?(){}|]/\\&/g' <<<"$name")\$" "$file" </dev/null 2>&1)
		echo "$output"
		grep -qE '^not ok|^ok .*# skip' <<<"$output" || ! grep -q '^ok 1 ' <<<"$output" && continue
		grep -vxF "$line" "$log" >"$log.new"
		echo "ok - $name # only at the second try" >>"$log.new"
		mv "$log.new" "$log"
	done < <(failures)
}

# A fuzz target over the inputs that are kept for it.
replay() {
	if timeout 120 "$1" t/fuzz/corpus/"${1##*/}"/*; then
		echo "ok - fuzz target ${1##*/} over its corpus"
	else
		echo "not ok - fuzz target ${1##*/} over its corpus"
	fi
}

# Files of bats, and what fails once more.
run_bats() {
	local all=$log log
	log=$(mktemp)
	tap bats timeout 2400 bats --tap "$@"
	second_try
	cat "$log" >>"$all"
	rm -f "$log"
}

# Those in C, of one build folder.
run_units() {
	local b=$1 test
	export FL_BUILD=$PWD/$b
	for test in "$b"/unit/*; do
		[ -f "$test" ] && [ -x "$test" ] && tap "${test##*/}" timeout 120 "$test"
	done
	for test in "$b"/fuzz/*; do
		[ -f "$test" ] && tap "fuzz ${test##*/}" replay "$test"
	done
}

# Unit and bats tests against the programs of one build folder.
run_tests() {
	run_units "$1"
	# shellcheck disable=SC2046 # a list of files
	run_bats $(git ls-files 't/*.bats' |
		grep -vE "^t/(lab|guest|arm64)/|^t/contrib/deb.bats|^t/images/${2:+|$2}")
}

# Tests in the lab; "make check-lab" walks every step and goes through all cycles. Emulation stalls
# now and then; what gave no verdict counts for nothing, and is tried once more.
in_lab() {
	local output status
	output=$(mktemp)
	for _ in 1 2; do
		LAB_WALK_STEP=7 LAB_CYCLES=${LAB_CYCLES:-4} t/lab/run -m 4096 -t 1200 -d 2048 "$@" </dev/null >"$output" 2>&1
		status=$?
		[ "$status" = 125 ] || break
		sed 's/^/# no verdict: /' "$output"
	done
	[ "$status" = 125 ] || cat "$output"
	rm -f "$output"
	return "$status"
}

# What git would see, had the tests written into the tree.
tree() {
	git status --porcelain --untracked-files=all && git diff | cksum
}

# It runs beside other tests: what fails is gone through once more, and told; more than two files
# that fail are no accident.
lab_file() {
	local all=$log log name=$1
	shift
	log=$(mktemp)
	tap "$name" in_lab "$@"
	if grep -q '^not ok' "$log" && [ "$((failed_files += 1))" -le 2 ]; then
		section "second try: $name"
		: >"$log"
		tap "$name" in_lab "$@"
		grep -q '^not ok' "$log" || echo "# $name passed only at the second try" >>"$log"
	fi
	cat "$log" >>"$all"
	rm -f "$log"
}

lab() {
	local failed_files=0
	section "tests on a real kernel, in the lab"
	if [ "$(uname -m)" != x86_64 ] || [ "$(id -u)" != 0 ]; then
		echo "ok - lab # skip not root on x86_64" | tee -a "$log"
		return
	fi
	for file in t/lab/*.bats; do
		lab_file "${file##*/}" bats --tap "$file"
	done
	lab_file reboot t/lab/reboot
	lab_file "provision, with a devpool" -s 3072 t/lab/provision devpool
	lab_file "provision, with a disk" -s 3072 t/lab/provision direct_lvm
}

lint() {
	section "lint"
	tap lint nice -n 19 t/lint.sh
}

# One after another; the lab has one processor.
work_through() {
	lint
	lab
	arm64
	: >"$said.whole"
}

# Beside what follows, as a group of processes. What is said there is shown by await.
group=
beside() { # FUNCTION
	set -m
	"$1" >"$said" 2>&1 &
	group=$!
	set +m
}

await() {
	wait "$group"
	group=
	cat "$said"
	[ -e "$said.whole" ] || echo "not ok - what ran beside the tests did not come to its end" | tee -a "$log"
}

# With what timeout has put into groups of their own.
end_tree() {
	local child
	for child in $(pgrep -P "$1"); do
		end_tree "$child"
	done
	kill "$1" 2>/dev/null
}

finish() {
	[ -z "$group" ] || end_tree "$group"
	rm -f "$log" "$said" "$said.whole"
}

sanitized() {
	section "tests under ASan, UBSan and LSan"
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
	export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
	# A preloaded library does not go with the sanitizers; the guest sees no difference.
	build build-san SAN=address,undefined && run_tests build-san 't/fl/walker'
}

# Without the sysroot's packages there is nothing to build with; whatever else goes wrong counts.
arm64_sysroot() {
	local status
	{ contrib/deps.sh packages-arm64.list && contrib/sysroot.sh arm64 build/sysroot-arm64; } >build-arm64.log 2>&1
	status=$?
	case $status in
	0) return 0 ;;
	6 | 10) echo "ok - arm64 # skip $(tail -n 1 build-arm64.log)" ;;
	*) tail -n 20 build-arm64.log && echo "not ok - the libraries of arm64 ended with status $status" ;;
	esac | tee -a "$log"
	return "$status"
}

# Emulated programs on this machine's kernel: of every kind something, in under two minutes.
arm64() {
	section "arm64: cross build, tests under qemu-user"
	if [ "$(dpkg --print-architecture)" = arm64 ]; then
		echo "ok - arm64 # skip it is this machine's own" | tee -a "$log"
		return
	fi
	arm64_sysroot && build build-arm64 ARCH=arm64 && run_units build-arm64/emulated &&
		run_bats t/fl-pack/*.bats t/fl-meta/iso.bats t/fl/input.bats t/fl-pull/{archives,choose}.bats \
			t/fl-run/platform.bats t/fl-snap/raw.bats
}

trap finish EXIT
mkdir -p build
before=$(tree)
section "build"
build build || exit 1
export FL_BUILD=$PWD/build
# Those who need them all at once find them; why they cannot be had is told by the tests.
t/images.sh build >/dev/null 2>&1
# An emulated guest takes all of the machine; niceness does not count between sessions.
section "real guests"
[ "$mode" = quick ] || run_bats t/guest/*.bats
# Other tests mostly wait.
beside work_through
section "tests"
(run_tests build)
[ "$mode" = quick ] || (sanitized)
await

section "the tree is as it was"
if [ "$before" = "$(tree)" ]; then
	echo "ok - tests wrote nothing into the tree" | tee -a "$log"
else
	echo "not ok - tests wrote into the tree, or it was edited meanwhile" | tee -a "$log"
	diff <(echo "$before") <(tree) | sed 's/^/# /'
fi

passed=$(grep -c '^ok' "$log")
skipped=$(grep -ciE '^ok .*# skip' "$log")
failed=$(grep -c '^not ok' "$log")
grep 'only at the second try$' "$log"
grep '^not ok' "$log"
echo "$((passed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
