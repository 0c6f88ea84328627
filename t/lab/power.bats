#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# In the lab: power fails while images are pulled and bases are published. What is there
# afterwards is whole, or is made again before anybody gets it.

load ../lib

SIZES=(16 20 24)
ROUNDS=${FL_POWER_ROUNDS:-3}

setup() {
	modprobe -a dm-flakey loop ext4
	cd "$BATS_TEST_TMPDIR" || return 1
	export FL_RUN_DIR=$PWD/run
	for i in 1 2; do
		mkdir "$i"
		head -c 1500000 /dev/urandom >"$i/random$i"
	done
	fl-pack image -q --compression none -t x -o layout 1 2 >/dev/null
	# What every base must be, made where no power fails.
	FL_STATE_DIR=$PWD/good fl-pull get -q oci:layout:x >/dev/null
	for size in "${SIZES[@]}"; do
		FL_STATE_DIR=$PWD/good fl-snap create --size "${size}M" oci:layout:x child
	done
	cc -shared -fPIC -D_GNU_SOURCE -o busy.so "$FL_TOP/t/preload/no-writeback.c" -ldl
	truncate -s 400M disk
	loop=$(losetup -f --show disk)
	sectors=$(blockdev --getsz "$loop")
	mkdir -p mnt
}

teardown() {
	umount mnt 2>/dev/null || true
	dmsetup remove --retry cut 2>/dev/null || true
	losetup -d "$loop"
}

# From here on nothing that is written reaches the disk: it goes the way of power.
cut_power() {
	dmsetup suspend --noflush --nolockfs cut
	dmsetup load cut --table "0 $sectors flakey $loop 0 0 3600 1 drop_writes"
	dmsetup resume cut
}

start() {
	mkfs.ext4 -q -F -E lazy_itable_init=0 "$loop"
	dmsetup create cut --table "0 $sectors flakey $loop 0 3600 0"
	# Names are on disk long before what they name.
	mount -o data=writeback,commit=1,noauto_da_alloc /dev/mapper/cut mnt
}

# Bases one after another until it is killed. "busy": nothing gets to the disk by itself, and who
# waits for it in the background dies with each program.
publish() {
	local run=()
	export FL_STATE_DIR=$PWD/mnt/state FL_BOOT_ID=before
	[ "$1" != busy ] || run=(unshare --pid --fork --kill-child env "LD_PRELOAD=$PWD/busy.so")
	"${run[@]}" fl-pull get -q oci:layout:x >/dev/null
	for size in "${SIZES[@]}"; do
		"${run[@]}" fl-snap create --size "${size}M" oci:layout:x mnt/child
	done
}

# Unmounts when who writes in the background is done, or with -9 dead.
leave() {
	for _ in $(seq 200); do
		umount mnt 2>/dev/null && return
		[ "${1:-}" != -9 ] || fuser -k -9 -M -m mnt >/dev/null 2>&1 || true
		sleep 0.1
	done
	echo "mnt is in use"
	return 1
}

# Power goes, all programs with it; then the disk as it was, after the journal's replay.
power_cycle() {
	cut_power
	kill -9 "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
	leave -9
	dmsetup remove --retry cut
	mount "$loop" mnt
}

# Adds to whole, torn or absent what is there of the bases. A torn one has its mark: nobody
# takes it for good.
judge() {
	local found
	for size in "${SIZES[@]}"; do
		found=$(base_of "$FL_STATE_DIR" "$size" 2>/dev/null || true)
		if [ -z "$found" ]; then
			absent=$((absent + 1))
		elif cmp -s "$found" "$(base_of good "$size")"; then
			whole=$((whole + 1))
		else
			torn=$((torn + 1))
			[ -e "$FL_STATE_DIR/bases/.pending/${found##*/}" ]
		fi
	done
}

# Whatever was left, everybody gets what is right.
all_is_well() {
	fl-pull get -q oci:layout:x >/dev/null
	for size in "${SIZES[@]}"; do
		fl-snap create --size "${size}M" oci:layout:x mnt/child
		cmp "$(base_of "$FL_STATE_DIR" "$size")" "$(base_of good "$size")"
	done
	for blob in "$FL_STATE_DIR"/images/blobs/sha256/*; do
		[ "$(sha256sum <"$blob" | cut -d' ' -f1)" = "${blob##*/}" ]
	done
}

base_of() {
	find "$1/bases" -maxdepth 1 -type f -name "[0-9a-f]*-$2-v*"
}

@test "power fails at any moment: every base is whole or made again, as is every blob" {
	local whole=0 torn=0 absent=0 disk
	for round in $(seq "$ROUNDS"); do
		disk=$([ $((round % 3)) = 0 ] && echo busy || echo quick)
		start
		publish "$disk" 3>&- &
		publisher=$!
		# Somewhere between the first pull and the last base, or when all is done; of a busy
		# disk, when the names are there and what they name is not.
		case $disk-$((round % 3)) in
		quick-2) wait "$publisher" && sleep 1.5 ;;
		quick-*) sleep "$(awk -v r="$round" -v n="$ROUNDS" 'BEGIN { printf "%.2f", 0.3 + r * 2 / n }')" ;;
		busy-*) sleep 4 ;;
		esac
		power_cycle "$publisher"
		export FL_STATE_DIR=$PWD/mnt/state FL_BOOT_ID=after
		judge
		echo "round $round, $disk disk: $whole whole, $torn torn, $absent absent so far"
		all_is_well
		leave
	done
	# Where nothing was ever torn, or nothing ever kept, this would say nothing.
	[ "$torn" -gt 0 ]
	[ "$whole" -gt 0 ]
}
