#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# fl-serve: memory, calls per second and single calls, in one run beside nghttpd serving a
# file of the same size, the limit of what HTTP/2 gives on this machine.
#     bench/serve.sh BUILD
set -eu

top=$(dirname "$(dirname "$(realpath "$0")")")
build=$(realpath "$1")
work=$build/bench-serve
export PATH=$build/bin:$PATH FL_BUILD=$build FL_RUN_DIR=$work/run PYTHONDONTWRITEBYTECODE=1
export PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python
# shellcheck source=t/port.sh
. "$top/t/port.sh"
for tool in h2load nghttpd; do
	command -v "$tool" >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends nghttp2-client nghttp2-server >/dev/null
done
rm -rf "$work"
mkdir -p "$work"
pids=
finish() {
	# shellcheck disable=SC2086 # several
	[ -z "$pids" ] || kill $pids 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

row() {
	printf '%-58s %12s   %s\n' "$1" "$2" "${3:-}"
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'
}

pss() {
	awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"
}

# serve STATE [OPTIONS…]: starts it; its pid is $serve, when it answers.
serve() {
	fl-serve run --state-dir "$1" --grpc-endpoint "$SERVE" --image-roots "$work" --max-requests 0 --accel tcg \
		--qemu "$build/drivers/fake-vmm" "${@:2}" >"$work/log" 2>&1 &
	serve=$!
	pids="$pids $serve"
	until (exec 9<>"/dev/tcp/${SERVE%:*}/${SERVE##*:}") 2>/dev/null; do sleep 0.005; done
}

stop() {
	kill "$serve"
	wait "$serve" || true
}

python() {
	/usr/bin/python3 "$top/bench/serve.py" "$@"
}

# Calls per second: 32 connections, as many calls as fit into three seconds.
load() {
	h2load -c 32 -m 1 -D 3 --warm-up-time 1 "$@" 2>/dev/null | sed -n 's/^finished in .*, \([0-9.]*\) req\/s.*/\1/p'
}

SERVE=127.0.0.1:$(free_port)
export SERVE
file_port=$(free_port)
mkdir "$work/small"
printf '\177ELF%060d' 0 >"$work/small/vmlinux"
fl-pack image -q --tag kernel -o "$work/layout" "$work/small" >/dev/null
fl-pack image -q --tag root -o "$work/layout" "$work/small" >/dev/null
fl spec --name one --kernel "oci:$work/layout:kernel" --kernel-file vmlinux --root "oci:$work/layout:root" \
	--root-size 16M --memory 1024 >"$work/spec.json"
fl-pull up -q --state-dir "$work/source" <"$work/spec.json" >"$work/record.json"
record=$(find "$work/source/vm" -name record.json)

declare -A get list
for count in 0 1 1000 10000; do
	uid=$(python3 "$top/bench/records.py" "$work/state$count" "$count" "$record" 2>/dev/null || true)
	[ "$count" != 0 ] || mkdir -p "$work/state0"
	serve "$work/state$count"
	[ "$count" = 0 ] || {
		get[$count]=$(python get "$uid")
		list[$count]=$(python list)
	}
	if [ "$count" = 1000 ]; then
		printf '\0\0\0\0\x1c\n\x1a%s' "$uid" >"$work/get.bin"
		load_get=$(load -d "$work/get.bin" -H 'content-type: application/grpc' -H 'te: trailers' \
			"http://$SERVE/microvm.services.api.v1alpha1.MicroVM/GetMicroVM")
	fi
	stop
done

head -c 500 /dev/zero >"$work/small/file"
nghttpd --no-tls -d "$work/small" "$file_port" >/dev/null 2>&1 &
pids="$pids $!"
sleep 0.5
load_file=$(load "http://127.0.0.1:$file_port/file")
row "Get per second, 1,000 records, 32 connections" "$load_get"
row "nghttpd, a file of 500 bytes" "$load_file" "ratio $(ratio "$load_get" "$load_file") (0.4, aim 0.7)"
row "Get at 10,000 records / at 1 record (µs)" "${get[10000]} / ${get[1]}" "ratio $(ratio "${get[10000]}" "${get[1]}") (1.2, aim 1.05)"
row "List of 10,000 / List of 1,000 (µs)" "${list[10000]} / ${list[1000]}" "ratio $(ratio "${list[10000]}" "${list[1000]}") (11, aim 10)"

# One job: what is measured is the answer, not who else wants the processors.
serve "$work/state0" --jobs 1
created=$(python create "$work/spec.json")
synced=$(python fsync "$work/state0")
row "Create's answer / an fsynced 4 KiB write (µs)" "$created / $synced" "ratio $(ratio "$created" "$synced") (3, aim 2)"
stop
for _ in $(seq 30); do
	fl down -q --all --state-dir "$work/state0" >/dev/null 2>&1 || true
	[ -n "$(pgrep -f "$work/state0" || true)" ] || break
	sleep 0.5
done

python3 "$top/bench/records.py" "$work/some" 980 "$record" >/dev/null
for number in $(seq 20); do
	jq -c ".id = \"live$number\"" "$work/spec.json"
done | fl up -q --state-dir "$work/some" --accel tcg --qemu "$build/drivers/fake-vmm" --settle 100ms >/dev/null
serve "$work/some" --enable-http --http-endpoint "127.0.0.1:${SERVE_HTTP:=$(free_port)}"
until (exec 9<>"/dev/tcp/127.0.0.1/$SERVE_HTTP") 2>/dev/null; do sleep 0.05; done
scraped=$(python metrics "http://127.0.0.1:$SERVE_HTTP/metrics" 0)
asked=$(python metrics "http://127.0.0.1:$SERVE_HTTP/metrics" 1.01)
listed=$(python list)
row "/metrics, 20 live and 980 stopped, VMMs asked anew (µs)" "$asked"
row "/metrics, 20 live and 980 stopped / List of 1,000 (µs)" "$scraped / $listed" "ratio $(ratio "$scraped" "$listed") (3, aim 1)"
stop
fl down -q --all --state-dir "$work/some" >/dev/null

for count in 0 1000 10000; do
	rm -rf "$work/memory"
	mkdir -p "$work/memory"
	[ "$count" = 0 ] || uid=$(python3 "$top/bench/records.py" "$work/memory" "$count" "$record" 16384)
	find "$work/memory" -name record.json -exec cat {} + >/dev/null
	begun=$(date +%s%N)
	serve "$work/memory"
	ready=$((($(date +%s%N) - begun) / 1000000))
	idle=$(pss "$serve")
	[ "$count" = 0 ] || python get "$uid" >/dev/null
	[ "$count" != 1000 ] || python list >/dev/null
	sleep 1
	row "PSS with $count records of 16 KB, idle / after load (kB)" "$idle / $(pss "$serve")"
	stop
done
begun=$(date +%s%N)
find "$work/memory" -name record.json -exec cat {} + >/dev/null
row "start with 10,000 to the first connection / cat of the files (ms)" "$ready / $((($(date +%s%N) - begun) / 1000000))"
