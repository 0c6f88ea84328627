#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Disks that may be taken, and those that may not; pools on them, with stand-ins for what needs
# a device-mapper in the kernel.

bats_require_minimum_version 1.5.0
load provision

setup_file() {
	provision_setup_file
	losetup --find >/dev/null 2>&1 || skip "no loop devices here"
}

setup() {
	export STAND_IN=$BATS_TEST_TMPDIR/stand-in
	mkdir -p "$STAND_IN" "$BATS_TEST_TMPDIR/bin"
	for program in lvs lvcreate lvremove lvchange vgcreate vgremove dmsetup; do
		ln -s "$FL_TOP/t/fl-provision/stand_in.sh" "$BATS_TEST_TMPDIR/bin/$program"
	done
	export GROUP=fltest$$ LVM_SUPPRESS_FD_WARNINGS=1
}

teardown() {
	[ -z "${GROUP:-}" ] || /sbin/vgremove -q -y "$GROUP" >/dev/null 2>&1 || true
	losetup --noheadings --output NAME,BACK-FILE | grep -F "$BATS_TEST_TMPDIR" | while read -r loop _; do
		losetup --detach "$loop"
	done
}

# A disk of our own: $DISK, its size in bytes for a serial.
new_disk() { # SIZE [losetup options…]
	local size=$1
	shift
	DISK_FILE=$(mktemp "$BATS_TEST_TMPDIR/disk.XXXXXX")
	truncate -s "$size" "$DISK_FILE"
	DISK=$(losetup --find --show "$@" "$DISK_FILE")
	export DISK DISK_FILE WIPE=${DISK##*/}:$(stat -c %s "$DISK_FILE")
}

# Signatures stand at one of them.
ends_of() {
	{ head -c 4M "$1"; tail -c 4M "$1"; } | sha256sum
}

# direct_lvm is refused with STATUS and WORDS, and not a byte of the disk is changed.
refused() { # STATUS WORDS OPTIONS…
	local status=$1 words=$2 before
	shift 2
	export REFUSED_STATUS=$status REFUSED_WORDS=$words REFUSED_OPTIONS="$*"
	before=$(ends_of "$DISK_FILE")
	on_host '
		host_is >before
		for verb in "direct_lvm -y" "plan --only direct_lvm" "all -y -s --skip $VMMS"; do
			rc=0; fl-provision $verb -d "$DISK" -t $GROUP $REFUSED_OPTIONS >plan 2>said || rc=$?
			[ $rc = "$REFUSED_STATUS" ] || { echo "$rc:" $(cat said); false; }
			grep -q "$REFUSED_WORDS" said
			host_is | diff - before
		done
		! vgs $GROUP >/dev/null 2>&1'
	[ "$(ends_of "$DISK_FILE")" = "$before" ]
}

@test "an empty disk becomes a pool; again changes nothing; undo leaves it empty" {
	new_disk 1100M
	on_host '
		host_is >before
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		grep -q "lvcreate .*--type thin-pool --zero n --chunksize 512K --extents 80%VG --metadataprofile $GROUP-thinpool --monitor y" "$STAND_IN/calls"
		grep -q autoextend_threshold=80 /etc/lvm/profile/$GROUP-thinpool.profile
		[ "$(fl-provision plan --json --only direct_lvm -d "$DISK" -t $GROUP | jq -r .change | sort -u)" = done ]
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		[ "$(grep -c ^vgcreate "$STAND_IN/calls")" = 1 ]
		echo "linear:::" >"$STAND_IN/groups/$GROUP/other"
		rc=0; fl-provision undo 2>said || rc=$?
		[ $rc = 8 ]; grep -q "volume other" said
		rm "$STAND_IN/groups/$GROUP/other"
		fl-provision undo -q
		host_is | diff - before
		[ -z "$(blkid -p "$DISK" || true)" ]'
}

@test "no disk is guessed, nobody is asked without a terminal, and no is no" {
	new_disk 1100M
	on_host '
		rc=0; fl-provision direct_lvm -y 2>said || rc=$?
		[ $rc = 2 ]; grep -q "none is guessed" said
		rc=0; fl-provision direct_lvm -d "$DISK" -t $GROUP </dev/null 2>said || rc=$?
		[ $rc = 2 ]; grep -q "nobody can be asked" said
		echo no | script -qec "fl-provision direct_lvm -d $DISK -t $GROUP" /dev/null >said || true
		grep -q "Go on" said
		! vgs $GROUP >/dev/null 2>&1
		echo yes | script -qec "fl-provision direct_lvm -d $DISK -t $GROUP" /dev/null >said
		[ -e "$STAND_IN/groups/$GROUP/thinpool" ]
		fl-provision undo -q'
}

# The few bytes by which libblkid knows what no program here makes: members of RAID (their superblock
# of version 1.2), encrypted disks (LUKS), ZFS (four of its uberblocks).
signature() { # KIND DISK
	python3 - "$@" <<-'END'
		import struct, sys
		kind, disk = sys.argv[1:]
		raid = struct.pack("<II", 0xA92B4EFC, 1).ljust(144, b"\0") + struct.pack("<Q", 8)
		luks = b"LUKS\xba\xbe\0\1"
		zfs = struct.pack("<QQ", 0x00BAB10C, 5000)
		what = {"linux_raid_member": [(4096, raid)], "crypto_LUKS": [(0, luks)],
		        "zfs_member": [((128 + i) << 10, zfs) for i in range(4)]}
		with open(disk, "r+b") as to:
		    for place, text in what[kind]:
		        to.seek(place)
		        to.write(text)
	END
}

@test "file systems, swap, LVM, partition tables, RAID, encryption, ZFS: refused" {
	for kind in ext4 xfs swap gpt dos lvm group linux_raid_member crypto_LUKS zfs_member; do
		new_disk 1100M
		words="something is on it ("
		case $kind in
		ext4) mkfs.ext4 -q "$DISK" ;;
		xfs) mkfs.xfs -q "$DISK" ;;
		swap) mkswap -q "$DISK" ;;
		gpt | dos) printf 'label: %s\n,,\n' "$kind" | sfdisk -q --no-reread --no-tell-kernel "$DISK_FILE" ;;
		lvm) /sbin/pvcreate -q "$DISK" ;;
		group) /sbin/vgcreate -q "$GROUP-other" "$DISK" ;;
		*_*)
			signature "$kind" "$DISK"
			words="something is on it ($kind)"
			;;
		esac
		sync "$DISK"
		blockdev --flushbufs "$DISK"
		refused 8 "$words"
		[ "$kind" != group ] || /sbin/vgremove -q -y "$GROUP-other"
	done
}

@test "--wipe must repeat name and serial" {
	new_disk 1100M
	mkfs.ext4 -q "$DISK"
	blockdev --flushbufs "$DISK"
	for wrong in "${DISK##*/}" "$DISK" "${DISK##*/}:" "${DISK##*/}:1" "loop:${WIPE#*:}" "$WIPE:"; do
		refused 8 "something is on it (ext4)" --wipe "$wrong"
	done
	on_host '
		fl-provision plan --only direct_lvm -d "$DISK" -t $GROUP --wipe "$WIPE" | grep -q "is wiped"
		printf "disk: %s\nwipe: %s\n" "$DISK" "$WIPE" >host.yaml
		rc=0; fl-provision apply host.yaml 2>said || rc=$?
		[ $rc = 3 ]; grep -q "for the command line" said
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP --wipe "$WIPE"
		[ -e "$STAND_IN/groups/$GROUP/thinpool" ]
		blkid -p "$DISK" | grep -q LVM2_member
		fl-provision undo -q'
}

@test "--wipe wants the serial that lsblk shows, and is told when it is missing" {
	new_disk 1100M
	mkfs.ext4 -q "$DISK"
	blockdev --flushbufs "$DISK"
	run on_host '
		mount -t tmpfs run /run
		mkdir -p /run/udev/data
		rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP 2>said || rc=$?
		[ $rc = 8 ]; grep -qF "say --wipe \"$WIPE\"" said
		printf "S:disk/by-id/x\nE:ID_SERIAL=Maker_Disk_WD-42\nE:ID_SERIAL_SHORT=WD-42\n" >"/run/udev/data/b$(lsblk -dno MAJ:MIN "$DISK" | tr -d " ")"
		rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP --wipe "$WIPE" 2>said || rc=$?
		[ $rc = 8 ]; grep -qF "say --wipe \"${DISK##*/}:WD-42\"" said
		[ "$(lsblk -dno SERIAL "$DISK")" = WD-42 ]
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP --wipe "${DISK##*/}:WD-42"
		fl-provision undo -q'
	echo "$output"
	[ "$status" = 0 ]
}

@test "in use: a mounted disk, even with --wipe" {
	new_disk 1100M
	mkfs.ext4 -q "$DISK"
	on_host '
		mkdir m; mount "$DISK" m
		rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP --wipe "$WIPE" 2>said || rc=$?
		[ $rc = 9 ]; grep -q "is in use" said
		umount m
		swapfile=$DISK; mkswap -q -f "$swapfile"
		if swapon "$swapfile"; then
			rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP --wipe "$WIPE" 2>said || rc=$?
			swapoff "$swapfile"
			[ $rc = 9 ]
		fi'
}

@test "too small, read-only, no disk, gone" {
	new_disk 512M
	refused 8 "too small"
	new_disk 1100M --read-only
	refused 8 "read-only"
	on_host '
		host_is >before
		rc=0; fl-provision direct_lvm -y -d /etc/passwd 2>said || rc=$?
		[ $rc = 3 ]; grep -q "no block device" said
		rc=0; fl-provision direct_lvm -y -d /dev/nothing 2>said || rc=$?
		[ $rc = 4 ]; grep -q "no such disk" said
		host_is | diff - before'
	losetup --detach "$DISK"
	on_host '
		rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP 2>said || rc=$?
		[ $rc != 0 ]
		fl-provision undo -q'
}

@test "the disk goes away before its label is written, or before its group is: told, gone on with, taken back" {
	new_disk 1100M
	cat >"$BATS_TEST_TMPDIR/bin/pvs" <<-'END'
		#!/bin/bash
		[ -e "$STAND_IN/gone" ] || losetup --detach "$DISK"
		touch "$STAND_IN/gone"
		exec /sbin/pvs "$@"
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/pvs"
	on_host '
		host_is >before
		rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP 2>said || rc=$?
		[ $rc != 0 ]; grep -q "$DISK: " said
		losetup "$DISK" "$DISK_FILE"
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		[ -e "$STAND_IN/groups/$GROUP/thinpool" ]
		fl-provision undo -q
		host_is | diff - before
		touch "$STAND_IN/gone-in-vgcreate"
		rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP 2>said || rc=$?
		[ $rc != 0 ]; grep -q "vgcreate: status .*$DISK" said
		losetup "$DISK" "$DISK_FILE"
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		fl-provision undo -q
		touch "$STAND_IN/gone-in-vgcreate"
		rc=0; fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP || rc=$?
		[ $rc != 0 ]
		fl-provision undo -q
		host_is | diff - before'
}

@test "a group of that name that is a stranger's" {
	new_disk 1100M
	/sbin/vgcreate -q --addtag other "$GROUP" "$DISK"
	new_disk 1100M
	on_host '
		rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP 2>said || rc=$?
		[ $rc = 5 ]; grep -q "not ours" said
		fl-provision undo -q
		/sbin/vgs $GROUP >/dev/null'
}

@test "what LVM refuses is told with LVM's reason, not with where to read on" {
	new_disk 1100M
	mkdir "/dev/$GROUP"
	run on_host '
		rc=0; LVM_SUPPRESS_FD_WARNINGS= fl-provision direct_lvm -y -d "$DISK" -t $GROUP 2>said 8</dev/null || rc=$?
		[ $rc = 1 ] || echo $rc
		cat said
		fl-provision undo -q
		[ -z "$(blkid -p "$DISK" || true)" ]'
	rmdir "/dev/$GROUP"
	[ "$status" = 0 ]
	[[ "$output" == *"vgcreate: status "*": /dev/$GROUP: already exists"* ]]
}

@test "killed between LVM's label and its group: gone on with, or taken back" {
	new_disk 1100M
	on_host '
		touch "$STAND_IN/die-in-vgcreate"
		rc=0; fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP || rc=$?
		[ $rc = 137 ]
		blkid -p "$DISK" | grep -q LVM2_member
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		[ -e "$STAND_IN/groups/$GROUP/thinpool" ]
		fl-provision undo -q
		touch "$STAND_IN/die-in-vgcreate"
		rc=0; fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP || rc=$?
		[ $rc = 137 ]
		fl-provision undo -q
		[ -z "$(blkid -p "$DISK" || true)" ]'
}

# Names of disks as they may be after a restart: what was $DISK is $MOVED, and $DISK is another's.
swapped() {
	MOVED=$(losetup --find --show "$DISK_FILE")
	losetup --detach "$DISK"
	truncate -s 1100M "$BATS_TEST_TMPDIR/disk.another"
	losetup "$DISK" "$BATS_TEST_TMPDIR/disk.another"
	/sbin/pvcreate -q "$DISK"
	export MOVED
}

@test "a pool of LVM that a restart left off is switched on; one whose disk is gone is told" {
	new_disk 1100M
	on_host '
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		grep -q "fl-provision restore --state-dir $FL_STATE_DIR" /etc/systemd/system/fl-provision.service
		fl-provision restore
		[ "$(grep -c ^lvchange "$STAND_IN/calls" || true)" = 0 ]
		echo "thin,pool:$GROUP-thinpool::" >"$STAND_IN/groups/$GROUP/thinpool"
		fl-provision restore
		[ "$(cat "$STAND_IN/groups/$GROUP/thinpool")" = "thin,pool:$GROUP-thinpool:active:monitored" ]
		losetup --detach "$DISK"
		fl-provision restore 2>said
		grep -q "$GROUP/thinpool: is not there" said
		losetup "$DISK" "$DISK_FILE"
		fl-provision undo -q'
}

@test "a group of ours on another disk than the one that is named: refused" {
	new_disk 1100M
	export FIRST=$DISK
	on_host 'fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP'
	new_disk 1100M
	before=$(ends_of "$DISK_FILE")
	on_host '
		for verb in "direct_lvm -y" "plan --only direct_lvm"; do
			rc=0; fl-provision $verb -d "$DISK" -t $GROUP >plan 2>said || rc=$?
			[ $rc = 5 ]; grep -q "is on $FIRST, not on $DISK" said
		done
		ln -s "$FIRST" link
		echo "thin,pool:$GROUP-thinpool::" >"$STAND_IN/groups/$GROUP/thinpool"
		fl-provision direct_lvm -y -d "$PWD/link" -t $GROUP
		fl-provision undo 2>said
		[ "$(grep -c kept said || true)" = 0 ]
		[ -z "$(blkid -p "$FIRST" || true)" ]'
	[ "$(ends_of "$DISK_FILE")" = "$before" ]
}

@test "the disk has another name, and its own is a stranger's: undo finds ours, and leaves the other" {
	new_disk 1100M
	on_host 'fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP'
	swapped
	on_host '
		rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP 2>said || rc=$?
		[ $rc = 5 ]; grep -q "is on $MOVED, not on $DISK" said
		fl-provision undo -q
		[ "$(vgs $GROUP 2>&1 | grep -c "not found")" = 1 ]
		[ -z "$(blkid -p "$MOVED" || true)" ]
		blkid -p "$DISK" | grep -q LVM2_member'
}

@test "killed between LVM's label and its group, and the names swapped: ours alone is taken back" {
	new_disk 1100M
	on_host '
		touch "$STAND_IN/die-in-vgcreate"
		rc=0; fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP || rc=$?
		[ $rc = 137 ]'
	swapped
	on_host '
		rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP 2>said || rc=$?
		[ $rc = 8 ]; grep -q "something is on it (LVM2_member)" said
		fl-provision direct_lvm -q -y -d "$MOVED" -t $GROUP
		[ "$(/sbin/vgs --noheadings -o pv_name $GROUP)" = "  $MOVED" ]
		fl-provision undo -q
		[ -z "$(blkid -p "$MOVED" || true)" ]
		blkid -p "$DISK" | grep -q LVM2_member'
}

@test "a group with our mark that another host made: undo leaves it" {
	new_disk 1100M
	on_host '
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		vgremove -q -y $GROUP; /sbin/pvremove -q "$DISK"
		/sbin/vgcreate -q --addtag fl-provision $GROUP "$DISK"
		fl-provision undo 2>said
		grep -q "is another.s now" said
		/sbin/vgs $GROUP'
}

@test "killed in lvcreate: made again, or taken back; another's volume of the pool's name is no pool" {
	new_disk 1100M
	on_host '
		killed() {
			touch "$STAND_IN/die-in-lvcreate"
			rc=0; fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP || rc=$?
			[ $rc = 137 ]
			[ -e "$STAND_IN/groups/$GROUP/lvol0" ]
		}
		is_whole() { [ "$(cat "$STAND_IN/groups/$GROUP/"*)" = "thin,pool:$GROUP-thinpool:active:monitored" ]; }
		killed
		[ "$(fl-provision plan --json --only direct_lvm -d "$DISK" -t $GROUP | jq -r "select(.kind == \"lvm\").change")" = make ]
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		is_whole
		echo "thin,pool:$GROUP-thinpool::not monitored" >"$STAND_IN/groups/$GROUP/thinpool"
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		is_whole
		fl-provision undo -q
		killed
		mv "$STAND_IN/groups/$GROUP/lvol0" "$STAND_IN/groups/$GROUP/thinpool"
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		is_whole
		fl-provision undo -q
		killed
		fl-provision undo -q
		[ "$(vgs $GROUP 2>&1 | grep -c "not found")" = 1 ]
		fl-provision direct_lvm -q -y -d "$DISK" -t $GROUP
		echo "linear::active:" >"$STAND_IN/groups/$GROUP/thinpool"
		rc=0; fl-provision direct_lvm -y -d "$DISK" -t $GROUP 2>said || rc=$?
		[ $rc = 5 ]; grep -q "no thin pool" said
		rc=0; fl-provision undo 2>said || rc=$?
		[ $rc = 8 ]; grep -q "volume thinpool" said
		rm "$STAND_IN/groups/$GROUP/thinpool"
		fl-provision undo -q'
}

@test "devpool: made, found, back after a reboot, taken back; a stranger's is refused" {
	on_host '
		host_is >before
		mine() { losetup --noheadings -O BACK-FILE | grep -cF "$FL_STATE_DIR" || true; }
		fl-provision devpool -q
		[ "$(mine)" = 2 ]
		grep -qE "create flintlock-dev-thinpool --uuid FLPROVISION-flintlock-dev-thinpool --table 0 209715200 thin-pool /dev/loop[0-9]+ /dev/loop[0-9]+ 128 32768 1 skip_block_zeroing" "$STAND_IN/calls"
		[ "$(fl-provision plan --json --only devpool --dev | jq -r .change | sort -u)" = done ]
		fl-provision restore
		[ "$(mine)" = 2 ]
		losetup --noheadings -O NAME,BACK-FILE | grep -F "$FL_STATE_DIR" | while read -r loop _; do losetup -d $loop; done
		rm "$STAND_IN/devices/"*
		fl-provision restore
		[ "$(mine)" = 2 ]; [ -e "$STAND_IN/devices/flintlock-dev-thinpool" ]
		fl-provision undo -q
		[ "$(mine)" = 0 ]; [ ! -e "$STAND_IN/devices/flintlock-dev-thinpool" ]
		host_is | diff - before
		echo LVM-x >"$STAND_IN/devices/flintlock-dev-thinpool"
		rc=0; fl-provision devpool 2>said || rc=$?
		[ $rc = 5 ]; grep -q "not ours" said
		fl-provision undo -q
		[ -e "$STAND_IN/devices/flintlock-dev-thinpool" ]
		touch "$STAND_IN/no-device-mapper"
		rc=0; fl-provision devpool -t other 2>said || rc=$?
		[ $rc = 17 ]; grep -q "no device-mapper" said
		# And nothing was begun.
		[ -z "$(find "$FL_STATE_DIR-provision" -name "other-*")" ]
		fl-provision undo -q'
}

@test "devpool by the kernel's own device-mapper" {
	rm "$BATS_TEST_TMPDIR/bin/dmsetup"
	dmsetup version >/dev/null 2>&1 || skip "this kernel has no device-mapper"
	on_host '
		fl-provision devpool -q -t "fltest$$"
		dmsetup status "fltest$$-thinpool" | grep -q thin-pool
		fl-provision undo -q
		! dmsetup info "fltest$$-thinpool" 2>/dev/null'
}

@test "all --dev -y: pool, bridge, service, and back" {
	on_host '
		host_is >before
		fl-provision all -s --skip $VMMS -q -y --dev
		[ "$(fl-provision plan -s --skip $VMMS --dev --json 2>/dev/null | jq -r .change | sort -u)" = "done
keep" ]
		[ -e "$STAND_IN/devices/flintlock-dev-thinpool" ]
		fl-provision undo -q
		host_is | diff - before'
}

@test "apt: installs what is missing, after fetching lists; packages stay" {
	printf '#!/bin/bash\n[ -e "$STAND_IN/pkg-${*: -1}" ] && printf installed\n' >"$BATS_TEST_TMPDIR/bin/dpkg-query"
	cat >"$BATS_TEST_TMPDIR/bin/apt-get" <<-'END'
		#!/bin/bash
		echo "$*" >>"$STAND_IN/apt"
		[ "${*: -1}" = update ] && touch "$STAND_IN/updated"
		[ -e "$STAND_IN/updated" ] || exit 100
		for word; do case $word in -* | install | update) ;; *) touch "$STAND_IN/pkg-$word" ;; esac; done
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/"{dpkg-query,apt-get}
	touch "$STAND_IN/pkg-lvm2"
	on_host '
		[ "$(fl-provision plan --json --only apt | jq -r .name | xargs)" = "openssh-client dnsmasq-base $(fl-provision plan --json --only apt | jq -r .name | grep qemu-system)" ]
		[ "$(fl-provision plan --json --only apt --dev -i up0 | jq -r .name | grep -v qemu | xargs)" = "dmsetup thin-provisioning-tools openssh-client" ]
		fl-provision apt -y --disk /dev/none --reflink 1G 2>said
		grep -q "apt: thin-provisioning-tools, xfsprogs, openssh-client, dnsmasq-base, qemu-system-.* made" said
		! grep -q lvm2 "$STAND_IN/apt"
		[ "$(grep -c update "$STAND_IN/apt")" = 1 ]
		[ -e "$STAND_IN/pkg-xfsprogs" ]
		fl-provision undo --dry-run | grep "^package thin-provisioning-tools, xfsprogs, .* (stays)"
		fl-provision undo --dry-run --json | jq -e ".step == \"apt\" and .change == \"keep\" and .kind == \"package\""
		fl-provision undo 2>said
		grep -q "packages stay, as xfsprogs, openssh-client, dnsmasq-base, qemu-system-" said
		[ "$(grep -c " install " "$STAND_IN/apt")" = 2 ]
		[ "$(fl-provision plan --json -s 2>/dev/null | jq -r .step | grep -c apt || true)" = 0 ]
		rm "$BIN/apt-get" "$STAND_IN/pkg-openssh-client"
		cd "$BIN"; for p in $(cd /usr/bin; ls | grep -v "^apt"); do [ -e "$p" ] || ln -s "/usr/bin/$p" .; done
		rc=0; PATH=$BIN fl-provision apt 2>/dev/null || rc=$?
		[ $rc != 0 ]
		rc=0; PATH=$BIN "$FL_BUILD/bin/fl-provision" apt 2>"$STAND_IN/said" || rc=$?
		[ $rc = 13 ]; grep -q "no apt here" "$STAND_IN/said"
		rm "$BIN/dmsetup"
		rc=0; PATH=$BIN "$FL_BUILD/bin/fl-provision" devpool 2>"$STAND_IN/said" || rc=$?
		[ $rc != 0 ]; grep "dmsetup: is not installed; \"fl-provision apt\" installs it" "$STAND_IN/said"'
}

@test "both pools by a kernel that has a device-mapper, in the lab" {
	in_lab pools.sh
}
