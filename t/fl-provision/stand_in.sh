#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# What needs a device-mapper in the kernel, as far as fl-provision runs it: lvs, lvcreate and
# dmsetup by their names, with their state in the folder $STAND_IN. Groups are LVM's own.
set -eu
name=${0##*/}
last=${*: -1}
groups=$STAND_IN/groups devices=$STAND_IN/devices
mkdir -p "$groups" "$devices"
echo "$name $*" >>"$STAND_IN/calls"

value() { # OPTION, its value among the arguments that follow
	local option=$1
	shift
	while [ $# -gt 0 ]; do
		[ "$1" = "$option" ] && { printf '%s\n' "$2"; return; }
		shift
	done
}

case $name in
lvs) # a file for each volume holds its fields but for the name
	for volume in "$groups/$last"/*; do
		[ ! -e "$volume" ] || echo "  ${volume##*/}:$(cat "$volume")"
	done
	;;
lvcreate)
	mkdir -p "$groups/$last"
	if [ -e "$STAND_IN/die-in-lvcreate" ]; then # as it may be, between the parts of a pool
		rm "$STAND_IN/die-in-lvcreate"
		echo "linear:$(value --metadataprofile "$@")::" >"$groups/$last/lvol0"
		kill -9 $PPID
		exit 1
	fi
	echo "thin,pool:$(value --metadataprofile "$@"):active:monitored" >"$groups/$last/$(value --name "$@")"
	;;
lvremove) rm "$groups/$last" ;;
lvchange) sed -i 's/:[^:]*:[^:]*$/:active:monitored/' "$groups/$last" ;;
vgcreate) # killed when the disk has its label
	if [ -e "$STAND_IN/die-in-vgcreate" ]; then
		rm "$STAND_IN/die-in-vgcreate"
		kill -9 $PPID
		exit 1
	fi
	if [ -e "$STAND_IN/gone-in-vgcreate" ]; then
		rm "$STAND_IN/gone-in-vgcreate"
		losetup --detach "$last"
	fi
	exec /sbin/vgcreate "$@"
	;;
vgremove) rm -rf "${groups:?}/$last" && exec /sbin/vgremove "$@" ;;
dmsetup)
	case $1 in
	version) [ ! -e "$STAND_IN/no-device-mapper" ] ;;
	info) cat "$devices/$last" ;;
	create) [ ! -e "$devices/$2" ] && value --uuid "$@" >"$devices/$2" ;;
	remove) rm "$devices/$last" ;;
	esac
	;;
esac
