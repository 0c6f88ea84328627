#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Folders of the host and the guest's agent: what is refused before anything starts, and how a
# VMM is told.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	export IMAGES=$BATS_TEST_TMPDIR/images
	small_images "$IMAGES"
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p shared/folder
	ln -s /etc shared/link
	unset FL_VIRTIOFS_ROOTS FL_VIRTIOFSD
}

teardown() {
	fl down -q --all >/dev/null
}

refused() {
	local status_wanted=$1 words=$2
	shift 2
	run "-$status_wanted" quick_up "$@" < <(small_spec refused "${options[@]}")
	echo "$output"
	[[ $output == *"$words"* ]]
	refused_by=$(fl inspect refused | jq -r .host.error.step)
	disks=$(find "$FL_STATE_DIR/vm" -name "*.img")
	fl down -q --all
}

@test "a folder that may not be shared, is none, or leads out" {
	options=(--volume "data=$PWD/shared/folder")
	refused 8 "may not be shared with guests; name it or a folder above it in FL_VIRTIOFS_ROOTS"
	export FL_VIRTIOFS_ROOTS=/nowhere:$PWD/shared
	options=(--volume "data=$PWD/shared/link")
	refused 8 "shared/link: may not be shared"
	# What there is elsewhere is not told.
	options=(--volume "data=/etc/nothing")
	refused 8 "/etc/nothing: may not be shared"
	options=(--volume "data=$PWD/shared/nothing")
	refused 4 "shared/nothing: cannot be shared"
	echo file >shared/file
	options=(--volume "data=$PWD/shared/file")
	refused 3 "only a folder can be shared"
	[ "$refused_by $disks" = "snap " ]
	# The name of another folder begins alike.
	mkdir shared-too
	options=(--volume "data=$PWD/shared-too")
	refused 8 "may not be shared"
	export FL_VIRTIOFSD=/nowhere/virtiofsd
	options=(--volume "data=$PWD/shared/folder")
	refused 8 "/nowhere/virtiofsd: is not on this machine"
}

@test "one that runs with a folder is left in peace by those who may not share it" {
	[ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || skip "there is no virtiofsd"
	small_spec shared --volume "data=$PWD/shared/folder" >spec
	FL_VIRTIOFS_ROOTS=$PWD/shared quick_up spec >/dev/null
	quick_up spec | jq -e '.status.state == "CREATED" and (.host | has("error") | not)'
	fl down -q shared >/dev/null
}

@test "what a provider cannot do is said" {
	small_spec fc --volume "data=$PWD/shared/folder" | jq -c '.provider = "firecracker"' >spec
	run -3 fl up --dry-run spec
	[[ $output == *"virtiofs not supported by the microvm provider"* ]]
	small_spec ro --volume "data=$PWD/shared/folder" | jq -c '.additional_volumes[0].is_read_only = true' >spec
	run -3 fl up --dry-run spec
	[[ $output == *"cannot be kept from being written"* ]]
}

@test "tags that virtio cannot carry, or that are taken; too many folders" {
	small_spec tags --volume "data=$PWD/shared/folder" --volume "more=$PWD/shared/folder" >spec
	jq -c '.additional_volumes[1].id = "user"' spec >bad
	run -3 fl up --dry-run bad
	[[ $output == *'the id "user" is the first folder'* ]]
	jq -c '.additional_volumes[1].id = ("x" * 37)' spec >bad
	run -3 fl up --dry-run bad
	[[ $output == *"more than 36 characters"* ]]
	jq -c '.additional_volumes = [range(9) as $i | {id: "v\($i)", source: .additional_volumes[0].source}]' spec >bad
	run -3 fl up --dry-run bad
	[[ $output == *"more than 8 folders"* ]]
}

@test "without a root, the first volume is mounted as well, by the right tag" {
	export FL_VIRTIOFS_ROOTS=$PWD/shared FL_VIRTIOFSD=/bin/false
	mkdir shared/other
	small_spec rootless --volume "a=$PWD/shared/folder:/a" --volume "b=$PWD/shared/other:/b" |
		jq -c 'del(.root_volume)' | fl-pull up -q | fl-snap up -q | fl-net up -q | fl-meta up -q >record
	seed=$(jq -r .host.seed.path record)
	mcopy -i "$seed" ::vendor-data - | tr -d '\n' >text
	mcopy -n -i "$seed" ::vendor-data vendor
	awk '/^$/ { on = 1; next } /^--/ { on = 0 } on' vendor | base64 -di 2>/dev/null >plain || true
	grep -q '\["user", "/a", virtiofs' plain
	grep -q '\["b", "/b", virtiofs' plain
}

@test "the plan names the daemon, the memory and the tags" {
	export FL_VIRTIOFS_ROOTS=$PWD/shared
	small_spec plan --guest-agent --volume "data=$PWD/shared/folder:/mnt" --volume "more=$PWD/shared/folder" >spec
	run -0 fl-run up --dry-run spec
	[[ $output == *"virtiofsd --socket-path="*"virtiofs-0.sock -o source=$PWD/shared/folder,cache=auto,sandbox=chroot -f &"* ]]
	[[ $output == *"memory-backend-memfd,id=memory,size="*"share=on"* ]]
	[[ $output == *"chardev=share-0,tag=user"* && $output == *"chardev=share-1,tag=more"* ]]
	[[ $output == *"vhost-vsock-device,guest-cid="* ]]
	jq -c '.provider = "cloudhypervisor"' spec >other
	run -0 fl-run up --dry-run other
	[[ $output == *"tag=user,socket="*"tag=more,socket="* && $output == *"shared=on"* && $output == *"cid=3,socket="*"/guest-agent.vsock"* ]]
}
