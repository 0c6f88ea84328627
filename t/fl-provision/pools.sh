#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Run in the lab, whose kernel has a device-mapper: both pools as they are on a host.
set -eux

export FL_STATE_DIR=/var/lib/fl-provision-lab/state
mkdir -p "${FL_STATE_DIR%/*}"
devices() {
	dmsetup ls | LC_ALL=C sort
	losetup --list --noheadings --output NAME,BACK-FILE
	vgs --noheadings
}

# devpool: made, of use, brought back after its devices are gone, taken back.
devices >before
fl-provision devpool -q
dmsetup status flintlock-dev-thinpool | grep 'thin-pool .* rw '
dmsetup message flintlock-dev-thinpool 0 'create_thin 0'
dmsetup create thin0 --table '0 32768 thin /dev/mapper/flintlock-dev-thinpool 0'
mkfs.ext4 -q /dev/mapper/thin0
[ "$(fl-provision plan --json --only devpool --dev | jq -r .change | sort -u)" = "done" ]
if fl-provision undo; then exit 1; fi # thin0 is on it
dmsetup remove thin0
dmsetup remove flintlock-dev-thinpool
losetup --detach-all
fl-provision restore
dmsetup create thin0 --table '0 32768 thin /dev/mapper/flintlock-dev-thinpool 0'
fsck.ext4 -fn /dev/mapper/thin0
dmsetup remove thin0
fl-provision undo -q
devices | diff - before

# direct_lvm, on a disk that is a loop device.
truncate -s 3G disk
disk=$(losetup --find --show disk)
devices >before
fl-provision direct_lvm -q -y -d "$disk" -t labpool
lvs --noheadings --options lv_attr,profile,tags labpool/thinpool | grep -E 't[a-z-]+.* labpool-thinpool +fl-provision'
dmsetup status labpool-thinpool | grep thin-pool
[ "$(fl-provision plan --json --only direct_lvm -d "$disk" -t labpool | jq -r .change | sort -u)" = "done" ]
fl-provision direct_lvm -q -y -d "$disk" -t labpool
if fl-provision direct_lvm -y -d "$disk" -t otherpool 2>said; then exit 1; fi
grep -E 'is in use|something is on it' said
lvcreate --quiet --thin --virtualsize 100M --name user labpool/thinpool
if fl-provision undo 2>said; then exit 1; fi
grep 'volume user' said
lvremove --quiet --yes labpool/user
# Filled to more than four fifths, it grows: a block is taken by a byte in it.
mebibytes() { lvs --noheadings --units m --nosuffix --options lv_size labpool/thinpool | sed 's/ *\([0-9]*\).*/\1/'; }
had=$(mebibytes)
lvcreate --quiet --thin --virtualsize 3G --name filler labpool/thinpool
python3 -c '
import os, sys
to = os.open("/dev/mapper/labpool-filler", os.O_WRONLY)
for block in range(int(sys.argv[1])):
    os.pwrite(to, b"x", block << 19)
os.fsync(to)' $((had * 2 * 82 / 100))
for _ in $(seq 60); do
	[ "$(mebibytes)" = "$had" ] || break
	sleep 1
done
[ "$(mebibytes)" -ge $((had * 118 / 100)) ]
lvextend --quiet --poolmetadatasize +4M labpool/thinpool
lvremove --quiet --yes labpool/filler
fl-provision undo -q
devices | diff - before
[ -z "$(blkid -p "$disk" || true)" ]

# lvcreate is killed where it has left: its metadata under a name of their own, also active; its data
# under the pool's name, also active; the pool, not active, or not watched. Then the pool is made again,
# or taken back at once.
mkdir bin
cat >bin/lvcreate <<-'END'
	#!/bin/bash
	[ -e "$KILL" ] || exec /sbin/lvcreate "$@"
	read -r call number <"$KILL"
	strace -o trace -e "trace=$call" -e "inject=$call:signal=KILL:when=$number" /sbin/lvcreate "$@"
	status=$?
	[ $status != 137 ] || kill -9 $PPID
	exit $status
END
chmod +x bin/lvcreate
export KILL=$PWD/kill
killed() { # CALL NUMBER
	local rc=0
	echo "$1 $2" >"$KILL"
	PATH=$PWD/bin:$PATH fl-provision direct_lvm -q -y -d "$disk" -t labpool >said 2>&1 || rc=$?
	rm "$KILL"
	[ $rc = 0 ] || [ $rc = 137 ]
	lvs --all --noheadings --options lv_name,lv_layout,lv_active labpool
	[ $rc = 137 ]
}
taken_back() {
	fl-provision undo -q
	[ -z "$(blkid -p "$disk" || true)" ]
	# Nobody else makes links here: what the one that was killed had made stays.
	rm -rf /dev/labpool
	devices | diff - before
}
made_again() {
	fl-provision direct_lvm -q -y -d "$disk" -t labpool
	[ "$(lvs --noheadings --separator : --options lv_name,lv_layout,lv_active,seg_monitor labpool)" = "  thinpool:thin,pool:active:monitored" ]
	dmsetup status labpool-thinpool | grep thin-pool
}
points=0
for point in "io_submit 7" "ioctl 28" "io_submit 10" "ioctl 64" "ioctl 82" "ioctl 118"; do
	# shellcheck disable=SC2086 # words are wanted
	if killed $point; then
		points=$((points + 1))
		case $point in ioctl\ 28 | ioctl\ 64) ;; *) made_again ;; esac
	fi
	taken_back
done
[ $points -ge 4 ]

# A member of RAID, an encrypted disk, and one under any other device are in use, whatever is on them.
size=$(blockdev --getsz "$disk")
modprobe -a dm_raid dm_crypt
mib=$((1 << 11))
for table in "0 $((size - mib)) raid raid1 3 0 region_size 1024 1 - $disk" \
	"0 $size crypt aes-xts-plain64 $(printf '%064d' 7) 0 $disk 0" "0 8192 linear $disk 0"; do
	dmsetup create over --table "$table"
	if fl-provision direct_lvm -y -d "$disk" 2>said; then exit 1; fi
	grep 'is in use' said
	dmsetup remove --retry over
done

# A disk of SCSI has its serial in a page of its own. It is taken away while the group is made.
modprobe sd_mod
modprobe scsi_debug dev_size_mb=64 virtual_gb=2
scsi=$(ls -d /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block/*)
scsi=${scsi##*/}
serial=$(tail -c +5 "/sys/block/$scsi/device/vpd_pg80" | tr -d ' \0')
[ "$serial" ]
printf 'LUKS\272\276\0\1' | dd of="/dev/$scsi" conv=fsync status=none
if fl-provision direct_lvm -y -d "/dev/$scsi" 2>said; then exit 1; fi
grep -F "(crypto_LUKS); if that may go, say --wipe \"$scsi:$serial\"" said
printf '#!/bin/bash\necho 1 >/sys/block/%s/device/delete\nexec /sbin/vgcreate "$@"\n' "$scsi" >bin/vgcreate
chmod +x bin/vgcreate
if PATH=$PWD/bin:$PATH fl-provision direct_lvm -y -d "/dev/$scsi" --wipe "$scsi:$serial" 2>said; then exit 1; fi
grep "vgcreate: status .*/dev/$scsi" said
fl-provision undo -q
devices | diff - before
echo all good
