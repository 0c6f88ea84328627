#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Every test, in TAP, and the count at the end: what "make check" runs.
#     t/check.sh [quick]     quick leaves out the sanitizers' run and the real guest
set -u

cd "$(dirname "$(dirname "$(realpath "$0")")")" || exit 1
mode=${1:-all}
# Tests mostly wait: so many files of them at a time, the lab and lint beside.
lanes=3
work=$(mktemp -d)
log=$work/log
: >"$log"
: >"$work/failed"

# A file as one piece, on the terminal and in the log.
show() {
	flock "$work/lock" tee -a "$log" <"$1"
	rm -f "$1"
}

section() {
	printf '# %s\n' "$*" >"$work/section.$BASHPID"
	show "$work/section.$BASHPID"
}

# Runs a command whose output is TAP; one that dies without a "not ok" is one more failure. Where
# it left its output is in $output, until it is shown.
tap() {
	local name=$1 status started=$SECONDS
	shift
	output=$(mktemp -p "$work")
	"$@" >"$output" 2>&1
	status=$?
	# 1 is what failed tests end with.
	if [ "$status" -gt 1 ] || { [ "$status" = 1 ] && ! grep -q '^not ok' "$output"; }; then
		echo "not ok - $name ended with status $status" >>"$output"
	fi
	sed -i "1i # $name: $((SECONDS - started)) s" "$output"
}

shown_tap() {
	local output
	tap "$@"
	show "$output"
}

build() {
	local b=$1 output=$work/built.$BASHPID
	shift
	if make -j2 --no-print-directory B="$b" WERROR=-Werror "$@" tests >"$b.log" 2>&1; then
		echo "ok - build $b $*" >"$output"
	else
		{ grep -vE '^  (CC|LD|AR|TEST)' "$b.log" | tail -n 40; echo "not ok - build $b $*"; } >"$output"
	fi
	grep -q '^ok' "$output"
	set -- $?
	show "$output"
	return "$1"
}

# A test that hangs fails.
export BATS_TEST_TIMEOUT=600

# The programs of one build folder are those that tests run from here on.
use() {
	export FL_BUILD=$PWD/$1
	case $1 in
	*-san)
		export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
		export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
		;;
	esac
}

# The lines of tests that failed and the files that they are in, from TAP of bats.
failures() {
	awk '/^not ok/ { line = $0 }
		line && match($0, /in test file [^,]*, line/) {
			print line "\t" substr($0, RSTART + 13, RLENGTH - 19); line = ""
		}' "$1"
}

# A file of bats with the programs in use.
run_file() { # BUILD FILE
	local output
	tap "$2 ($1)" timeout 1500 bats --tap "$2" </dev/null
	failures "$output" | sed "s|^|$1	|" >>"$work/failed"
	show "$output"
}

# Machines stall now and then, and tests run beside each other. What failed is tried a second time,
# alone, and is listed at the end when it then passes; more than five such tests are no accident.
second_try() {
	local b line file name output
	[ "$(wc -l <"$work/failed")" -le 5 ] || return
	while IFS=$'\t' read -r b line file; do
		name=${line#not ok * }
		section "second try: $name ($b)"
		# shellcheck disable=SC2001 # a set of letters, kept
		output=$(use "$b" && timeout 900 bats --tap -f "^$(sed 's/[][\.*^$+?(){}|]/\\&/g' <<<"$name")\$" "$file" </dev/null 2>&1)
		echo "$output"
		grep -qE '^not ok|^ok .*# skip' <<<"$output" || ! grep -q '^ok 1 ' <<<"$output" && continue
		# Of two such lines, the other build's, one stays.
		LINE=$line awk '$0 == ENVIRON["LINE"] && !gone { gone = 1; next } 1' "$log" >"$log.new"
		echo "ok - $name ($b) # only at the second try" >>"$log.new"
		mv "$log.new" "$log"
	done <"$work/failed"
}

# A fuzz target over the inputs that are kept for it.
replay() {
	if timeout 120 "$1" t/fuzz/corpus/"${1##*/}"/*; then
		echo "ok - fuzz target ${1##*/} over its corpus"
	else
		echo "not ok - fuzz target ${1##*/} over its corpus"
	fi
}

# Those in C, of one build folder.
run_units() {
	local test
	for test in "$1"/unit/*; do
		[ -f "$test" ] && [ -x "$test" ] && shown_tap "${test##*/} ($1)" timeout 120 "$test"
	done
	for test in "$1"/fuzz/*; do
		[ -f "$test" ] && shown_tap "fuzz ${test##*/} ($1)" replay "$test"
	done
}

# What is to be done with one build folder, a line each: BUILD WHAT.
tests_of() { # BUILD [WITHOUT]
	echo "$1 units"
	git ls-files 't/*.bats' | grep -vE "^t/(lab|guest|arm64)/|^t/contrib/deb.bats|^t/images/${2:+|$2}" | sed "s|^|$1 |"
}

run_one() { # BUILD WHAT
	use "$1"
	case $2 in
	units) run_units "$1" ;;
	*) run_file "$1" "$2" ;;
	esac
}

# Lines of tests_of, from the standard input, in lanes.
go_through() {
	local b what
	while read -r b what; do
		while [ "$(jobs -rp | wc -l)" -ge "$lanes" ]; do
			wait -n
		done
		run_one "$b" "$what" </dev/null &
	done
	wait
}

# A preloaded library does not go with the sanitizers; the guest sees no difference.
tests() {
	tests_of build
	[ "$mode" = quick ] || { build build-san SAN=address,undefined >&2 && tests_of build-san t/fl/walker; }
}

# Tests in the lab; "make check-lab" walks every step and goes through all cycles. Emulation stalls
# now and then; what gave no verdict counts for nothing, and is tried once more.
in_lab() {
	local said status
	said=$(mktemp -p "$work")
	for _ in 1 2; do
		LAB_WALK_STEP=7 LAB_CYCLES=${LAB_CYCLES:-4} t/lab/run -m 4096 -t 1200 -d 2048 "$@" </dev/null >"$said" 2>&1
		status=$?
		[ "$status" = 125 ] || break
		sed 's/^/# no verdict: /' "$said"
	done
	[ "$status" = 125 ] || cat "$said"
	rm -f "$said"
	return "$status"
}

# What git would see, had the tests written into the tree.
tree() {
	git status --porcelain --untracked-files=all && git diff | cksum
}

# It runs beside other tests: what fails is gone through once more, and told; more than two files
# that fail are no accident.
lab_file() {
	local output name=$1
	shift
	tap "$name" in_lab "$@"
	if grep -q '^not ok' "$output" && [ "$((failed_files += 1))" -le 2 ]; then
		sed 's/^/# first try: /' "$output" >"$output.first"
		show "$output.first"
		rm "$output"
		tap "$name" in_lab "$@"
		grep -q '^not ok' "$output" || echo "# $name passed only at the second try" >>"$output"
	fi
	show "$output"
}

lab() {
	local failed_files=0
	if [ "$(uname -m)" != x86_64 ] || [ "$(id -u)" != 0 ]; then
		echo "ok - lab # skip not root on x86_64" >"$work/no-lab"
		show "$work/no-lab"
		return
	fi
	for file in t/lab/*.bats; do
		lab_file "$file, on a real kernel" bats --tap "$file"
	done
	lab_file "reboot, in the lab" t/lab/reboot
	lab_file "provision, with a devpool" -s 3072 t/lab/provision devpool
	lab_file "provision, with a disk" -s 3072 t/lab/provision direct_lvm
}

# One after another; the lab has one processor.
work_through() {
	shown_tap lint nice -n 19 t/lint.sh
	lab
	arm64
	: >"$work/whole"
}

# Without the sysroot's packages there is nothing to build with; whatever else goes wrong counts.
arm64_sysroot() {
	local status output=$work/sysroot
	{ contrib/deps.sh packages-arm64.list && contrib/sysroot.sh arm64 build/sysroot-arm64; } >build-arm64.log 2>&1
	status=$?
	case $status in
	0) return 0 ;;
	6 | 10) echo "ok - arm64 # skip $(tail -n 1 build-arm64.log)" ;;
	*) tail -n 20 build-arm64.log && echo "not ok - the libraries of arm64 ended with status $status" ;;
	esac >"$output"
	show "$output"
	return "$status"
}

# Emulated programs on this machine's kernel: of every kind something, in under two minutes.
arm64() {
	local file
	if [ "$(dpkg --print-architecture)" = arm64 ]; then
		echo "ok - arm64 # skip it is this machine's own" >"$work/no-arm64"
		show "$work/no-arm64"
		return
	fi
	arm64_sysroot && build build-arm64 ARCH=arm64 || return
	use build-arm64/emulated
	run_units build-arm64/emulated
	for file in t/fl-pack/*.bats t/fl-meta/iso.bats t/fl/input.bats t/fl-pull/{archives,choose}.bats \
		t/fl-run/platform.bats t/fl-snap/raw.bats; do
		run_file build-arm64/emulated "$file"
	done
}

# With what timeout has put into groups of their own.
end_children() {
	local child
	for child in $(pgrep -P "$1"); do
		end_children "$child"
		kill "$child" 2>/dev/null
	done
}

finish() {
	end_children $$
	rm -rf "$work"
}

trap finish EXIT
mkdir -p build
before=$(tree)
build build || exit 1
# Those who need them all at once find them; why they cannot be had is told by the tests.
FL_BUILD=$PWD/build t/images.sh build >/dev/null 2>&1
# An emulated guest takes all of the machine; niceness does not count between sessions.
[ "$mode" = quick ] || for file in t/guest/*.bats; do
	(run_one build "$file")
done
work_through &
(tests | go_through)
wait
if [ ! -e "$work/whole" ]; then
	echo "not ok - lint, lab and arm64 did not come to their end" >"$work/torn"
	show "$work/torn"
fi
second_try
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
