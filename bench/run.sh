#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Figures side by side with the peers, in one interleaved run; medians and their ratios.
#     bench/run.sh BUILD [ROUNDS]
# Every measurement has a fresh ext4 with a journal on a loop device: after many deletions
# creating files is slow there for a while, which would make the peers look bad.
set -eu

top=$(dirname "$(dirname "$(realpath "$0")")")
build=$(realpath "$1")
rounds=${2:-5}
export PATH=$build/bin:$PATH
[ "$(id -u)" = 0 ] || { echo "must run as root: file systems are mounted" >&2; exit 6; }
missing=
for peer in containerd skopeo umoci hyperfine; do
	command -v "$peer" >/dev/null || missing="$missing $peer"
done
if [ -n "$missing" ]; then
	# shellcheck disable=SC2086 # words
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# shellcheck source=t/registry.sh
. "$top/t/registry.sh"
work=$build/bench
rm -rf "$work"
mkdir -p "$work/mnt"
finish() {
	cd "$top"
	stop_containerd
	unmount
	registry_stop
	rm -rf "$work"
}
containerd_pid=
stop_containerd() {
	[ -n "$containerd_pid" ] || return 0
	kill "$containerd_pid" 2>/dev/null || true
	wait "$containerd_pid" 2>/dev/null || true
	containerd_pid=
}
trap finish EXIT

layout=$("$top/t/images.sh" "$build")
registry_start "$work/registry"
skopeo copy -q --dest-tls-verify=false "oci:$layout:root" "docker://$REGISTRY/bench/root:1"
image=$REGISTRY/bench/root:1

# Some programs go on writing in the background; a folder in use cannot be unmounted.
unmount() {
	cd "$work"
	for _ in $(seq 100); do
		mountpoint -q "$work/mnt" || return 0
		umount "$work/mnt" 2>/dev/null || sleep 0.2
	done
	echo "$work/mnt: still in use" >&2
	return 1
}

# In a virtual machine the host takes back memory that was free for some seconds; whoever
# runs next would pay for getting it again. Here nobody measured does.
warm() {
	local kib
	kib=$(awk '/^MemAvailable/ { n = $2 / 3; print int(n < 3145728 ? n : 3145728) }' /proc/meminfo)
	head -c "${kib}K" /dev/zero >/dev/shm/flintlock-bench || true
	rm -f /dev/shm/flintlock-bench
}

fresh() {
	unmount
	rm -f "$work/disk"
	truncate -s 12G "$work/disk"
	mkfs.ext4 -q -E lazy_itable_init=0 "$work/disk"
	mount -o loop "$work/disk" "$work/mnt"
	warm
	cd "$work/mnt"
}

# measure NAME COMMAND…: seconds into the file NAME
measure() {
	local name=$1 start
	shift
	start=$(date +%s.%N)
	"$@" >/dev/null
	echo "$(date +%s.%N) $start" | awk '{ printf "%.3f\n", $1 - $2 }' >>"$work/$name.times"
}

ours() {
	FL_STATE_DIR=$work/mnt/state fl-pull get -q "$image" &&
		FL_STATE_DIR=$work/mnt/state fl-snap export "$image" "$work/mnt/disk.img"
}

ours_pull() {
	FL_STATE_DIR=$work/mnt/state fl-pull get -q "$image"
}

skopeo_pull() {
	skopeo copy -q --src-tls-verify=false "docker://$image" oci:layout:x
}

unpacked() {
	skopeo_pull && umoci unpack --image layout:x bundle && mke2fs -q -t ext4 -d bundle/rootfs disk.img 1G
}

start_containerd() {
	cat >"$work/containerd.toml" <<-CONFIG
		version = 2
		root = "$work/mnt/containerd"
		state = "$work/containerd-state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "$work/containerd.sock"
	CONFIG
	containerd -c "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
	containerd_pid=$!
	for _ in $(seq 100); do
		ctr -a "$work/containerd.sock" version >/dev/null 2>&1 && return
		sleep 0.1
	done
}

containerd_pull() {
	ctr -a "$work/containerd.sock" images pull --plain-http "$image"
}

for round in $(seq "$rounds"); do
	echo "round $round of $rounds" >&2
	fresh && measure ours ours
	fresh && measure ours-pull ours_pull
	fresh && measure skopeo-pull skopeo_pull
	fresh && measure unpacked unpacked
	fresh && start_containerd
	measure containerd containerd_pull
	stop_containerd
	cd "$top"
done

python3 - "$work" <<'PYTHON'
import pathlib, statistics, sys
work = pathlib.Path(sys.argv[1])
median = {p.stem: statistics.median(map(float, p.read_text().split())) for p in work.glob("*.times")}
def row(name, a, b, must):
    print(f"{name:58} {median[a]:7.3f} {median[b]:8.3f} {median[a] / median[b]:6.2f}  (must {must})")
print(f"{'seconds, medians':58} {'ours':>7} {'peer':>8} {'ratio':>6}")
row("registry -> store + ext4 / containerd pull (overlayfs)", "ours", "containerd", "<= 0.25")
row("registry -> store + ext4 / skopeo + umoci + mke2fs -d", "ours", "unpacked", "<= 0.15")
row("fl-pull get / skopeo copy", "ours-pull", "skopeo-pull", "<= 0.8")
PYTHON

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
