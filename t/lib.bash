# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# What bats files share: where the programs are, a state folder of their own, small images.

: "${FL_BUILD:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/build}"
FL_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export FL_BUILD FL_TOP
export PATH=$FL_BUILD/bin:$PATH
# Of a tester's own settings only the lab takes note.
export LAB_JAILER=${LAB_JAILER:-${FL_JAILER:-jailer}}
unset FL_JAILER FL_QEMU_SANDBOX FL_VIRTIOFS_ROOTS
# shellcheck source=t/port.sh
. "$FL_TOP/t/port.sh"

# A state folder for one test, or for a file's setup.
own_state() {
	export FL_STATE_DIR=$1/state FL_RUN_DIR=$1/run
	mkdir -p "$1"
}

is_sanitized() {
	case $FL_BUILD in *-san*) return 0 ;; esac
	return 1
}

# A layout with tags "kernel" (boot/vmlinux, boot/initrd.img) and "root" (two layers).
small_images() {
	local folder=$1
	[ -e "$folder/layout/index.json" ] && return
	mkdir -p "$folder/k/boot" "$folder/a/etc" "$folder/b/etc"
	printf '\177ELF%060d' 0 >"$folder/k/boot/vmlinux"
	head -c 4096 /dev/zero >>"$folder/k/boot/vmlinux"
	echo initrd >"$folder/k/boot/initrd.img"
	echo one >"$folder/a/etc/one"
	echo old >"$folder/a/etc/both"
	echo gone >"$folder/a/etc/gone"
	echo new >"$folder/b/etc/both"
	: >"$folder/b/etc/.wh.gone"
	fl-pack image -q --owner 0:0 --created 2020-01-01T00:00:00Z --tag kernel -o "$folder/layout" "$folder/k" >/dev/null
	fl-pack image -q --owner 0:0 --created 2020-01-01T00:00:00Z --tag root -o "$folder/layout" "$folder/a" "$folder/b" >/dev/null
}

# small_spec NAME [fl spec options…]: of the small images in $IMAGES.
small_spec() {
	local name=$1
	shift
	fl spec --name "$name" --kernel "oci:$IMAGES/layout:kernel" --initrd "oci:$IMAGES/layout:kernel" \
		--root "oci:$IMAGES/layout:root" --root-size 16M --memory 64 "$@"
}

# Up with the stand-in for a VMM.
quick_up() {
	fl up -q --qemu "$FL_BUILD/drivers/fake-vmm" --accel tcg --settle 100ms "$@"
}

# A zombie that nobody has collected yet is dead.
is_alive() {
	grep -q '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status" 2>/dev/null
}

# Waits until what is written in the background is on the disk.
settled() {
	local try
	for try in $(seq 200); do
		[ -n "$(find "$1" -path '*/.pending/*' 2>/dev/null)" ] || return 0
		sleep 0.05
	done
	echo "not settled after $try tries"
	return 1
}

# Processes, links and folders that a test would leave behind.
what_is_left() {
	pgrep -a -f "[f]l-supervise $FL_STATE_DIR|fake-vmm.*$FL_STATE_DIR" || true
	find "$FL_STATE_DIR/vm" "$FL_RUN_DIR" -mindepth 1 2>/dev/null || true
	# Others may run microVMs of their own: ours are in our journal.
	jq -r .uid "$FL_STATE_DIR"/events.jsonl* 2>/dev/null | sort -u | while read -r uid; do
		find /sys/fs/cgroup -path "*/fl.slice/$uid" -prune 2>/dev/null
	done
}

# fails_with STATUS WORDS COMMAND…
fails_with() {
	local want=$1 words=$2
	shift 2
	run "$@"
	# shellcheck disable=SC2154 # of run
	[ "$status" = "$want" ] && [[ "$output" == *"$words"* ]] && return 0
	echo "status $status, not $want, or other words than \"$words\":"
	echo "$output"
	return 1
}
