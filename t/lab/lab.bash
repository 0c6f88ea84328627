# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# What the lab's bats files share: guests that are up in seconds, and the VMMs that are here.

# What Debian's initrd lacks: some modules, and a program that listens.
lab_extras() {
	local tree=$FL_TOP/build/images/kernel/modules module
	mkdir "$1"
	for module in fuse virtiofs vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport \
		qemu_fw_cfg fat vfat nls_cp437 nls_ascii; do
		find "$tree" -name "$module.ko" -exec cp {} "$1/" \;
	done
	cc -static -O2 -o "$1/echo" "$FL_TOP/t/lab/guest/echo.c"
}

# A layout with the tag "kernel": Debian's kernel, and its initrd with a life of our own.
lab_images() {
	local folder=$1
	[ ! -e "$folder/layout/index.json" ] || return 0
	mkdir -p "$folder/k/boot" "$folder/init" "$folder/disk"
	cp "$FL_TOP/build/images/kernel/tree/boot/vmlinux" "$folder/k/boot/"
	cp "$FL_TOP/t/lab/guest/init" "$folder/init/init"
	lab_extras "$folder/init/lab"
	(cd "$folder/init" && find init lab | cpio --quiet -o -H newc) |
		cat "$FL_TOP/build/images/kernel/tree/boot/initrd.img" - >"$folder/k/boot/initrd.img"
	echo disk >"$folder/disk/what"
	fl-pack image -q --compression none --tag kernel -o "$folder/layout" "$folder/k" >/dev/null
	fl-pack image -q --tag disk -o "$folder/layout" "$folder/disk" >/dev/null
}

# lab_spec PROVIDER NAME [fl spec options…]
lab_spec() {
	local provider=$1 name=$2
	shift 2
	fl spec --provider "$provider" --name "$name" --kernel "oci:$IMAGES/layout:kernel" \
		--initrd "oci:$IMAGES/layout:kernel" --root "oci:$IMAGES/layout:disk" \
		--root-size 16M --memory 192 --cpus 1 --cmdline quiet "$@"
}

# The VMMs to try: qemu always, the others where their programs are.
providers() {
	echo qemu
	command -v "${FL_FIRECRACKER:-firecracker}" >/dev/null && echo firecracker
	command -v "${FL_CLOUDHYPERVISOR:-cloud-hypervisor}" >/dev/null && echo cloudhypervisor
	return 0
}

need() {
	providers | grep -qx "$1" || skip "no $1 on this machine"
}

# Up under KVM: the probe finds nested virtualisation too slow to be worth it.
lab_up() {
	fl up -q --accel kvm --settle 3s "$@"
}

# said NAME TEXT [SECONDS]: the guest says it on its console, within that time.
said() {
	local try
	for try in $(seq $((${3:-40} * 5))); do
		fl console "$1" --print 2>/dev/null | grep -qa "$2" && return 0
		sleep 0.2
	done
	echo "$1 did not say \"$2\" in $try tries:"
	fl console "$1" --print | tail -n 20
	fl-run logs "$1" 2>/dev/null | tail -n 10
	return 1
}

# comes_back NAME [SECONDS]: once more up than before; the console has what it said in both lives.
comes_back() {
	local try
	for try in $(seq $((${2:-40} * 5))); do
		[ "$(fl console "$1" --print | grep -ca 'lab-guest: ready')" -lt 2 ] || return 0
		sleep 0.2
	done
	echo "$1 is not back after $try tries"
	fl console "$1" --print | tail -n 20
	return 1
}

# type_at NAME LINE: as somebody at its console would.
type_at() {
	printf '%s\n' "$2" | timeout 20 fl console "$1" --detach none >/dev/null || true
}

# The guest's agent answers on that socket, at the latest then.
answers() {
	for _ in $(seq 20); do
		[ "$(ask "$1" 1024 some-words 2>/dev/null)" != True ] || return 0
		sleep 0.5
	done
	ask "$1" 1024 some-words
	return 1
}

# by_hand_is_ready FOLDER TRIES RECORD: what FOLDER/plan started, as the process $hand, has a guest in
# time; and it is ended.
by_hand_is_ready() {
	local try
	for try in $(seq "$2"); do
		grep -qa 'lab-guest: ready' "$1/out" && break
		sleep 0.5
	done
	grep -a 'lab-guest: ready' "$1/out" || {
		echo "not ready after $try tries"
		cat "$1/plan" "$1/out"
		return 1
	}
	# shellcheck disable=SC2154 # set by the test
	kill "$hand" 2>/dev/null || true
	pkill -f "$(jq -r .spec.uid <<<"$3")" || true
	wait "$hand" || true
	fl down -q "$(jq -r .spec.id <<<"$3")"
}

field() {
	fl-run status --json "default/$1" | jq -r ".$2"
}

# becomes NAME FIELD VALUE [SECONDS]
becomes() {
	local try
	for try in $(seq $((${4:-40} * 5))); do
		[ "$(field "$1" "$2")" = "$3" ] && return 0
		sleep 0.2
	done
	echo "$1: $2 is $(field "$1" "$2"), not $3, after $try tries"
	fl console "$1" --print | tail -n 20
	return 1
}

# greeted ADDRESS [IN…]: who serves there says hello; IN: a command to ask from, such as
# "ip netns exec NAME".
greeted() {
	local address=$1
	shift
	"$@" timeout 30 python3 -c '
import socket, sys
print(socket.create_connection((sys.argv[1], 7), 25).makefile().readline())' "$address" |
		grep hello-from-guest
}

# ask SOCKET PORT WORDS: says them to the guest, prints what comes back.
ask() {
	timeout 60 python3 - "$@" <<-'END'
		import socket, sys
		path, port, words = sys.argv[1:]
		to = socket.socket(socket.AF_UNIX)
		to.settimeout(40)
		to.connect(path)
		to.sendall(f"CONNECT {port}\n".encode())
		file = to.makefile("rb")
		line = file.readline()
		if not line.startswith(b"OK "):
		    sys.exit("no answer")
		to.sendall(words.encode() * 1000)
		back = file.read(len(words) * 1000)
		to.shutdown(socket.SHUT_WR)
		print(back == words.encode() * 1000 and not file.read())
	END
}
