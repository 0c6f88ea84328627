#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# What fl-run and thin disks cost over the same by hand: the start of a VMM on this host, the rest
# in the lab (t/lab/run), with the VMMs that are there.
#     bench/lab.sh BUILD [host]     host: that part only
set -eu

top=$(dirname "$(dirname "$(realpath "$0")")")
FL_BUILD=$(realpath "$1")
export FL_BUILD
# shellcheck source=t/lib.bash
. "$top/t/lib.bash"
# shellcheck source=t/lab/lab.bash
. "$top/t/lab/lab.bash"
# shellcheck source=t/lab/thin.bash
. "$top/t/lab/thin.bash"

prepare() {
	work=$(mktemp -d)
	export FL_STATE_DIR=$work/state FL_RUN_DIR=$work/run IMAGES=$work/images BENCH_WORK=$work
	POOLS=$work/pools
	mkdir "$POOLS"
	small_images "$IMAGES"
	cc -O2 -o "$work/stamp" "$top/bench/stamp.c"
	ln -s "$top/t/fl-run/api.py" "$work/firecracker"
	ln -s "$top/t/fl-run/api.py" "$work/cloud-hypervisor"
}

# What the lab adds to every start, and a host does not: its own files are asked of the host at each
# open, and code at another address is translated anew.
as_on_a_host() {
	local folder=$work/programs
	mkdir -p "$folder/libraries"
	cp -r "$FL_BUILD/bin" "$FL_BUILD/libexec" "$FL_BUILD/share" "$folder/"
	ldd "$folder"/bin/* | awk '$3 ~ "^/" { print $3 }' | sort -u |
		xargs cp -L -t "$folder/libraries"
	export PATH=$folder/bin:$PATH LD_LIBRARY_PATH=$folder/libraries
	echo 0 >/proc/sys/kernel/randomize_va_space
}

inside() {
	prepare
	as_on_a_host
	cc -O2 -o "$work/ioctls" "$top/bench/ioctls.c" -ldevmapper
	mkdir "$work/large"
	head -c 48M /dev/urandom >"$work/large/file"
	fl-pack image -q --compression none --tag large -o "$IMAGES/layout" "$work/large" >/dev/null
	mkdir "$work/guests"
	lab_images "$work/guests"
	pool_make 1024
	providers | xargs python3 -B "$top/bench/lab.py" lab "$work/guests/layout"
	pool_off
}

if [ "${2:-}" = inside ]; then
	inside
else
	prepare
	trap 'rm -rf "$work"' EXIT
	printf '%-58s %10s %10s %10s\n' '' measured must aim
	python3 -B "$top/bench/lab.py" host
	[ "${2:-}" != host ] || exit 0
	unset FL_STATE_DIR FL_RUN_DIR IMAGES
	LAB_CPUS=2 "$top/t/lab/run" -m 4096 -t 1200 "$top/bench/lab.sh" "$FL_BUILD" inside </dev/null
fi
