#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
bats_require_minimum_version 1.5.0
# Guests of one architecture and the other: which images, which machine, what the kernel is told.

load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	cd "$IMAGES" || return 1
	# The header of an arm64 Image (Documentation/arch/arm64/booting.rst), and of ELF for each.
	mkdir -p arm/boot elf-arm/boot elf-amd/boot r
	{ head -c 56 /dev/zero; printf 'ARM\x64'; head -c 4036 /dev/zero; } >arm/boot/vmlinux
	{ printf '\177ELF\2\1\1'; head -c 11 /dev/zero; printf '\267\0'; head -c 4076 /dev/zero; } >elf-arm/boot/vmlinux
	{ printf '\177ELF\2\1\1'; head -c 11 /dev/zero; printf '\076\0'; head -c 4076 /dev/zero; } >elf-amd/boot/vmlinux
	echo of arm >r/which
	local arch=linux/arm64
	fl-pack image -q --platform $arch -t k-arm -o both arm >/dev/null
	fl-pack image -q --platform linux/amd64 -t k-amd -o both elf-amd >/dev/null
	fl-pack image -q --platform $arch -t k-elf -o both elf-arm >/dev/null
	fl-pack image -q --platform $arch -t r-arm -o both r >/dev/null
	fl-pack image -q --platform linux/amd64 -t r-amd -o both r >/dev/null
	fl-pack index -o both -t kernel oci:both:k-arm oci:both:k-amd >/dev/null
	fl-pack index -o both -t root oci:both:r-arm oci:both:r-amd >/dev/null
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	HOST=$(fl-run up --dry-run < <(spec) | grep -q "qemu-system-aarch64" && echo arm64 || echo amd64)
}

teardown() {
	fl down -q --all >/dev/null 2>&1 || true
}

spec() {
	fl spec --name vm --kernel "oci:$IMAGES/both:kernel" --root "oci:$IMAGES/both:root" \
		--root-size 16M --memory 64 "$@"
}

argv_of() {
	jq -r '.host.vmm.launch.argv | join(" ")' "$1"
}

# What each VMM tells a kernel of this machine's architecture.
told() {
	spec --provider "$1" | fl-run up --dry-run
}

@test "qemu is started in its sandbox, unless it has none" {
	spec | fl-run up --dry-run | grep -q -- "'*-sandbox'* '*on,.*elevateprivileges=deny,spawn=deny"
	spec | FL_QEMU_SANDBOX=on fl-run up --dry-run | grep -q -- -sandbox
	spec | FL_QEMU_SANDBOX=off fl-run up --dry-run >without
	grep -q qemu-system without
	run ! grep -q -- -sandbox without
}

@test "a volume is not taken for the root where there is none" {
	spec --platform linux/amd64 --initrd "oci:$IMAGES/both:kernel" --volume "data=oci:$IMAGES/both:root" |
		jq -c 'del(.root_volume) | .additional_volumes[0].is_read_only = true' >rootless
	fl-run up --dry-run rootless >plan
	grep -q "drive=disk-data" plan
	run ! grep -E -q " root=| 'ro " plan
	grep -q -- "-append 'rw " plan
}

@test "more devices than qemu's machine has room for are told" {
	local more=()
	for i in {1..21}; do more+=(--volume "v$i=oci:$IMAGES/layout:root"); done
	spec --platform linux/amd64 "${more[@]}" | fl-run up --dry-run >/dev/null
	more+=(--volume "w=oci:$IMAGES/layout:root")
	spec --platform linux/amd64 "${more[@]}" >many
	fails_with 13 "room for 24 devices, and 25 are asked for" fl-run up --dry-run many
}

@test "a spec for the other architecture takes its images and runs on its machine, emulated" {
	for arch in arm64 amd64; do
		spec --name "$arch" --platform "linux/$arch" | quick_up >"$arch"
		[ "$(jq -r '.host.images | map(.platform) | unique | join(" ")' "$arch")" = "linux/$arch" ]
	done
	argv_of arm64 | grep -q -- '-machine virt,gic-version=max,accel=tcg -cpu max,pauth-impdef=on '
	argv_of arm64 | grep -q -- '-append rw console=ttyAMA0 root=/dev/vda panic=1 '
	argv_of arm64 | grep -q -- '-device pvpanic-pci '
	argv_of amd64 | grep -q -- '-machine microvm,'
	argv_of amd64 | grep -q -- 'console=ttyS0 .*reboot=t '
	run ! grep -q 'reboot=\|tsc' <<<"$(argv_of arm64)"
}

@test "the kernel decides when the spec does not say, and the images stay of that platform" {
	spec | fl-pull up -q --platform linux/arm64 | fl-snap up | fl-net up | fl-meta up >record
	fl-run up --dry-run record | grep -q "^qemu-system-aarch64 "
	uid=$(jq -r .spec.uid record)
	fl-pull up -q record >again
	[ "$(jq -c '.host.images | map_values(.digest)' again)" = "$(jq -c '.host.images | map_values(.digest)' record)" ]
	fl-pull up --dry-run record | grep -c -- '--platform linux/arm64 ' | grep -qx 2
}

@test "a kernel that is not what the spec says is refused" {
	spec --platform linux/amd64 | jq -c --arg k "oci:$IMAGES/both:k-arm" '.kernel.image = $k' |
		fl-pull up -q --platform linux/arm64 | fl-snap up | fl-net up | fl-meta up >record || true
	fails_with 3 "a kernel for arm64, but label host.flintlock/platform says linux/amd64" fl-run up --accel tcg record
}

@test "KVM runs no other architecture: told before anything is made" {
	local other=arm64
	[ "$HOST" = amd64 ] || other=amd64
	for provider in firecracker cloudhypervisor; do
		fails_with 3 "this machine's architecture only, $HOST" spec --platform "linux/$other" --provider "$provider"
		spec --platform "linux/$other" | jq -c --arg p "$provider" '.provider = $p' >spec
		fails_with 3 "this machine's architecture only, $HOST" fl up -q spec
	done
	[ -z "$(ls -A "$FL_STATE_DIR/vm" 2>/dev/null)" ]
	spec --platform "linux/$other" >spec
	fails_with 13 "KVM runs this machine's $HOST only" fl-run up --dry-run --accel kvm spec
	# Who names no provider gets the one that can.
	fl-run up --dry-run spec | grep -q "^qemu-system-"
}

@test "platforms that are none, or of no guest" {
	for platform in linux/mips linux/arm64/ linux/arm64/v8/x linux/arm64/x86 windows/amd64 mips linux/arm/v7 linux/; do
		fails_with 3 "is not linux/amd64 or linux/arm64" spec --platform "$platform"
	done
	for platform in linux/arm64/v8 arm64 linux/aarch64; do
		spec --platform "$platform" | fl-run up --dry-run | grep -q qemu-system-aarch64
	done
}

@test "what the VMMs that run on KVM only tell the kernel" {
	case $HOST in
	arm64)
		told firecracker | grep -q '"boot_args": "rw console=ttyS0 root=/dev/vda panic=1"'
		told cloudhypervisor | grep -q "'rw console=ttyAMA0 root=/dev/vda panic=1'"
		;;
	*)
		told firecracker | grep -q '"boot_args": "rw console=ttyS0 8250.nr_uarts=1 i8042.* root=/dev/vda panic=1 reboot=k"'
		told cloudhypervisor | grep -q "'rw console=ttyS0 root=/dev/vda panic=1 reboot=k'"
		;;
	esac
}
