#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
#
# The long test of the service: many records, many clients, a server that is killed every 20
# seconds. At the end: what was promised is so, nothing is left, and the server has not grown.
#
#   t/fl-serve/long.sh [SECONDS [RECORDS]]        600 10000
set -eu

top=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
seconds=${1:-600} records=${2:-10000}
FL_BUILD=${FL_BUILD:-$top/build}
# shellcheck source=t/lib.bash
. "$top/t/lib.bash"
work=$(mktemp -d)
own_state "$work"
export IMAGES=$work/images OTHERS=$records
export PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python PYTHONDONTWRITEBYTECODE=1
SERVE=127.0.0.1:$(free_port)
export SERVE

finish() {
	kill "${serve:-}" "${clients:-}" 2>/dev/null || true
	wait
	fl ls --json 2>/dev/null | jq -r .uid | head -n 500 | xargs -r fl down -q >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT

start() {
	fl-serve run --grpc-endpoint "$SERVE" --image-roots "$work" --accel tcg --qemu "$FL_BUILD/drivers/fake-vmm" \
		>>"$work/log" 2>&1 &
	serve=$!
	until (exec 9<>"/dev/tcp/${SERVE%:*}/${SERVE##*:}") 2>/dev/null; do
		is_alive "$serve" || { tail -n 5 "$work/log"; exit 1; }
		sleep 0.05
	done
}

# Anonymous memory in kB, descriptors, threads, children that nobody collected.
size() {
	local zombies
	zombies=$(ps -o stat= --ppid "$serve" | awk '/^Z/ { n++ } END { print n + 0 }')
	echo "$(awk '/^RssAnon/ { print $2 }' "/proc/$serve/status")" \
		"$(find "/proc/$serve/fd" -mindepth 1 2>/dev/null | wc -l)" \
		"$(awk '/^Threads/ { print $2 }' "/proc/$serve/status")" "$zombies"
}

small_images "$IMAGES"
# shellcheck disable=SC2119 # without options
small_spec stopped | quick_up | jq -r .spec.uid >"$work/uid"
fl stop stopped
fl inspect --json stopped >"$work/record.json"
fl down -q stopped >/dev/null
python3 "$top/bench/records.py" "$FL_STATE_DIR" "$records" "$work/record.json" >/dev/null

start
/usr/bin/python3 "$top/t/fl-serve/long.py" long "$seconds" >"$work/clients" 2>&1 &
clients=$!
end=$((SECONDS + seconds - 20)) kills=0
while [ "$SECONDS" -lt "$end" ]; do
	sleep 20
	size >>"$work/sizes"
	kill -9 "$serve"
	wait "$serve" 2>/dev/null || true
	kills=$((kills + 1))
	start
done
wait "$clients" || {
	cat "$work/clients"
	tail -n 5 "$work/log"
	exit 1
}
cat "$work/clients"
# Two minutes in one life, at rest and at work.
size >"$work/first"
/usr/bin/python3 "$top/t/fl-serve/long.py" long "$((seconds / 5))" || exit 1
size >"$work/last"
echo "killed $kills times; kB, descriptors, threads, zombies: first $(cat "$work/first"), last" \
	"$(cat "$work/last"), most before a kill $(sort -n "$work/sizes" | tail -n 1)"
read -r kb1 fds1 threads1 _ <"$work/first"
read -r kb2 fds2 threads2 zombies <"$work/last"
if [ "$kb2" -gt $((kb1 * 3 / 2 + 1024)) ] || [ "$fds2" -gt $((fds1 + 4)) ] ||
	[ "$threads2" -gt "$threads1" ] || [ "$zombies" != 0 ]; then
	echo 'the server has grown'
	exit 1
fi
kill "$serve"
wait "$serve" || true
left=$(pgrep -a -f "[f]l-supervise $FL_STATE_DIR|fake-vmm.*$FL_STATE_DIR" || true)
[ -z "$left" ] || {
	echo "left: $left"
	exit 1
}
echo 'ok - the long test'
