#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Images and disks side by side with the peers, in one interleaved run: medians, and ratios.
#     bench/images.sh BUILD [ROUNDS [ROUNDS OF THE LARGE IMAGE]]
# Every measurement has a fresh file system on a loop device: after many deletions creating
# files is slow on ext4 for a while, which would make the peers look bad.
# Writes BUILD/bench-images.tsv, from which plot.sh draws.
set -eu

top=$(dirname "$(dirname "$(realpath "$0")")")
build=$(realpath "$1")
rounds=${2:-5}
large_rounds=${3:-1}
export PATH=$build/bin:$PATH LC_ALL=C.UTF-8
[ "$(id -u)" = 0 ] || { echo "must run as root: file systems are mounted" >&2; exit 6; }
missing=
for peer in containerd skopeo umoci hyperfine isal:igzip xfsprogs:mkfs.xfs; do
	command -v "${peer#*:}" >/dev/null || missing="$missing ${peer%:*}"
done
if [ -n "$missing" ]; then
	# shellcheck disable=SC2086 # words
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# shellcheck source=t/registry.sh
. "$top/t/registry.sh"
work=$build/bench-images
out=$build/bench-images.tsv
export FL_RUN_DIR=$work/run FL_STATE_DIR=$work/mnt/state
rm -rf "$work"
mkdir -p "$work/mnt"
containerd_pid=

# shellcheck disable=SC2317 # called by the trap
finish() {
	cd "$top"
	stop_containerd
	unmount
	registry_stop
	rm -rf "$work"
}
trap finish EXIT

stop_containerd() {
	[ -n "$containerd_pid" ] || return 0
	kill "$containerd_pid" 2>/dev/null || true
	wait "$containerd_pid" 2>/dev/null || true
	containerd_pid=
}

# Some programs go on writing in the background; a folder in use cannot be unmounted.
unmount() {
	cd "$work"
	for _ in $(seq 100); do
		mountpoint -q "$work/mnt" || return 0
		umount -R "$work/mnt" 2>/dev/null || sleep 0.2
	done
	echo "$work/mnt: still in use" >&2
	return 1
}

# In a virtual machine the host takes back memory that was free for some seconds; whoever
# runs next would pay for getting it again. Here nobody measured does.
warm() {
	local kib
	kib=$(awk '/^MemAvailable/ { n = $2 / 3; print int(n < 4194304 ? n : 4194304) }' /proc/meminfo)
	head -c "${kib}K" /dev/zero >/dev/shm/flintlock-bench || true
	rm -f /dev/shm/flintlock-bench
}

# The device reads and writes as a disk does, past the page cache: else the kernel copies what is
# written once more, on the processors that are measured. It goes with the mount.
on_loop() {
	local loop
	loop=$(losetup --find --show --direct-io=on "$work/disk")
	mount "$loop" "$work/mnt" || {
		losetup -d "$loop"
		return 1
	}
	losetup -d "$loop"
}

# fresh [xfs]: an empty file system, ext4 with a journal unless said, at work/mnt.
fresh() {
	unmount
	rm -f "$work/disk"
	truncate -s 20G "$work/disk"
	case ${1:-ext4} in
	ext4) mkfs.ext4 -q -E lazy_itable_init=0 "$work/disk" ;;
	xfs) mkfs.xfs -q -m reflink=1 "$work/disk" ;;
	esac
	on_loop
	sync # what others left is not for who comes next to write
	warm
	cd "$work/mnt"
}

# measure NAME COMMAND…: seconds into the file NAME; with $sync, until all is on the disk.
measure() {
	local name=$1 start
	shift
	start=$(date +%s.%N)
	"$@" >/dev/null
	[ -z "${sync:-}" ] || sync -f "$work/mnt"
	echo "$(date +%s.%N) $start" | awk '{ printf "%.4f\n", $1 - $2 }' >>"$work/$name.times"
}

ours() {
	fl-pull get -q "$image" && fl-snap export "$image" "$work/mnt/disk.img"
}

ours_pull() {
	fl-pull get -q "$image"
}

skopeo_pull() {
	skopeo copy -q --src-tls-verify=false "docker://$image" oci:layout:x
}

unpacked() {
	skopeo_pull && umoci unpack --image layout:x bundle && mke2fs -q -t ext4 -d bundle/rootfs disk.img 8G
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

# one_round SUFFIX: each beside its peer. umoci cannot read zstd.
one_round() {
	fresh && measure "ours$1" ours
	fresh && measure "pull$1" ours_pull
	fresh && measure "skopeo$1" skopeo_pull
	fresh && start_containerd
	measure "containerd$1" containerd_pull
	stop_containerd
	cd "$top"
	[[ $1 == *zstd* ]] && return
	fresh && measure "unpacked$1" unpacked
}

layout=$("$top/t/images.sh" "$build")
manifest_of() {
	jq -r --arg t "$1" '.manifests[] | select(.annotations[] == $t).digest' "$layout/index.json" | cut -d: -f2
}
layers_of() {
	jq -r '.layers[].digest' "$layout/blobs/sha256/$(manifest_of "$1")" | cut -d: -f2
}
mapfile -t layers < <(layers_of root)

# Twice and four times the input: the whole tree again under other names, as layers.
more_layers() {
	umoci unpack --image "$layout:root" "$work/bundle" >/dev/null
	for part in 1 2 3; do
		tar -C "$work/bundle/rootfs" --transform "s,^\.,./part$part," --xattrs -c . | igzip -3 -c >"$work/part$part.tar.gz"
	done
	rm -rf "$work/bundle"
}

push() {
	skopeo copy -q --dest-tls-verify=false "${@:3}" "$1" "docker://$REGISTRY/bench/$2:1"
}

registry_start "$work/registry"
more_layers
base=("${layers[@]/#/$layout/blobs/sha256/}")
fl-pack image -q -t two -o "$work/layout" "${base[@]}" "$work/part1.tar.gz" >/dev/null
fl-pack image -q -t four -o "$work/layout" "${base[@]}" "$work"/part[123].tar.gz >/dev/null
kernel=$layout/blobs/sha256/$(layers_of kernel)
fl-pack image -q -t above -o "$work/layout" "${base[@]}" "$kernel" >/dev/null
fl-pack image -q -t below -o "$work/layout" "$kernel" "${base[@]}" >/dev/null
rm "$work"/part?.tar.gz
push "oci:$layout:root" one
push "oci:$layout:root" one-zstd --dest-compress-format zstd
push "oci:$work/layout:two" two
push "oci:$work/layout:four" four

for round in $(seq "$rounds"); do
	echo "round $round of $rounds" >&2
	image=$REGISTRY/bench/one:1 one_round ""
	image=$REGISTRY/bench/one:1 sync=yes one_round -sync
	image=$REGISTRY/bench/one-zstd:1 one_round -zstd
	image=$REGISTRY/bench/two:1
	fresh && measure ours-two ours
	image=$REGISTRY/bench/four:1
	fresh && measure ours-four ours
done
for round in $(seq "$large_rounds"); do
	echo "large image, round $round of $large_rounds" >&2
	image=$REGISTRY/bench/four:1 one_round -large
done

# What two cores need at least: each piece of work by the best that does nothing else, on one
# core, and halved.
cpu() {
	local TIMEFORMAT='%U %S'
	{ time "$@" >/dev/null 2>&1; } 2>&1 | awk '{ print $1 + $2 }'
}
blobs() {
	for blob in "${base[@]}"; do "$@" "$blob"; done
}
download() {
	for layer in "${layers[@]}"; do curl -s "http://$REGISTRY/v2/bench/one/blobs/sha256:$layer"; done
}
fresh
blobs igzip -dc >tars
fl-pull get -q "$REGISTRY/bench/one:1" >/dev/null
fl-snap export "$REGISTRY/bench/one:1" img
for _ in $(seq 3); do
	{
		cpu download
		cpu blobs openssl dgst -sha256
		cpu blobs igzip -dc
		cpu openssl dgst -sha256 tars
		cpu cp --sparse=always img copy
	} | awk '{ n += $1 } END { printf "%.3f\n", n / 2 }' >>"$work/bound.times"
	rm -f copy
done

# Anonymous memory at its height.
peak() {
	local most=0 now
	"$@" >/dev/null 2>&1 &
	while kill -0 $! 2>/dev/null; do
		now=$(awk '/^RssAnon/ { print $2 }' "/proc/$!/status" 2>/dev/null || true)
		[ "${now:-0}" -le "$most" ] || most=$now
	done
	wait $! || return
	echo "$most"
}
entries() {
	python3 - "$1" <<-'PYTHON'
		import sys, tarfile
		with tarfile.open("entries.tar", "w", format=tarfile.GNU_FORMAT) as tar:
		    for i in range(int(sys.argv[1])):
		        tar.addfile(tarfile.TarInfo(f"d{i // 500}/file-{i:07}"))
	PYTHON
	fl-pack image -q --compression zstd -t "$1" -o many entries.tar >/dev/null
	fl-pull get -q "oci:many:$1" >/dev/null
	peak fl-snap export --size 8G "oci:many:$1" many.img
}
fresh
peak fl-pull get -q "$REGISTRY/bench/one:1" >"$work/pull.kib"
entries 100000 >"$work/entries1.kib"
entries 300000 >"$work/entries3.kib"

# Copies of a base that is there.
copies() {
	fl-pull get -q "$REGISTRY/bench/$2:1" >/dev/null
	fl-snap create --size 20G "$REGISTRY/bench/$2:1" child
	sync -f .
	local base
	base=$(find "$FL_STATE_DIR/bases" -maxdepth 1 -type f)
	for _ in $(seq 9); do
		rm -f child peer
		measure "create-$1-$2" fl-snap create --size 20G "$REGISTRY/bench/$2:1" child
		measure "cp-$1-$2" cp "--$3=always" "$base" peer
	done
}
fresh xfs && copies xfs one reflink
fresh xfs && copies xfs four reflink
fresh && copies ext4 one sparse

# one_file NAME REF: a kernel, and the base of the same image.
one_file() {
	fresh
	fl-pull get -q "$2" >/dev/null
	for _ in $(seq 5); do
		rm -rf "$FL_STATE_DIR/files" "$FL_STATE_DIR/bases" out
		measure "$1" fl-snap file "$2" boot/vmlinux out
		measure "$1-base" fl-snap create --size 2G "$2" out
	done
}
one_file above "oci:$work/layout:above"
one_file below "oci:$work/layout:below"
one_file alone "oci:$layout:kernel"
fl-pull get -q "$REGISTRY/bench/one:1" >/dev/null
hyperfine -N -w 20 -r 300 --export-json "$work/have.json" "fl-pull get $REGISTRY/bench/one:1" \
	"curl --version" >/dev/null 2>&1
jq -r '.results[0].times[]' "$work/have.json" >"$work/have.times"
jq -r '.results[1].times[]' "$work/have.json" >"$work/curl.times"
cd "$top"

python3 "$top/bench/images.py" "$work" "$out"
