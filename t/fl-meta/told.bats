#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
bats_require_minimum_version 1.5.0
# What else than cloud-init's seed a guest is told by: Ignition, the metadata service; and the
# labels that ask for it.

load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	printf '{"ignition":{"version":"3.4.0"},\n "storage":{}}' >"$BATS_FILE_TMPDIR/config.ign"
	export CONFIG=$BATS_FILE_TMPDIR/config.ign
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
}

# made [fl spec options…]: the record of a microVM with its seeds.
made() {
	small_spec vm "$@" | fl-pull up -q | fl-snap up -q | fl-meta up >record
}

seed() {
	jq -r ".host.seed.$1" record
}

@test "ignition for qemu: the bytes as they are, by fw_cfg" {
	made --provider qemu --ignition "$CONFIG"
	cmp "$(seed ignition)" "$CONFIG"
	[ "$(stat -c %a "$(seed ignition)")" = 600 ]
	fl-run up --dry-run record >plan
	grep -qF -- "-fw_cfg name=opt/com.coreos/config,file=$(seed ignition) " plan
	grep -q 'ignition.platform.id=qemu ' plan
	fl-meta down vm
	[ ! -e "$(seed ignition)" ]
}

@test "ignition elsewhere: a config drive, sound to fsck" {
	made --provider cloudhypervisor --ignition "$CONFIG"
	fsck.vfat -n "$(seed ignition)"
	[ "$(blkid -o value -s LABEL "$(seed ignition)")" = CONFIG-2 ]
	mtype -i "$(seed ignition)" ::/openstack/latest/user_data | cmp - "$CONFIG"
	fl-run up --dry-run record >plan
	grep -qF "path=\"$(seed ignition)\",readonly=on" plan
	grep -q 'ignition.platform.id=openstack ' plan
	small_spec own --ignition "$CONFIG" --cmdline ignition.platform.id=metal | fl-run up -n >plan
	grep -q 'ignition.platform.id=metal' plan
	run ! grep -q 'ignition.platform.id=qemu' plan
}

@test "a config drive with the largest configuration" {
	python3 -c 'print("{\"ignition\":{\"version\":\"3.4.0\"},\"x\":\"" + "y" * 3000000 + "\"}")' >large
	made --provider firecracker --ignition large
	fsck.vfat -n "$(seed ignition)"
	mtype -i "$(seed ignition)" ::/openstack/latest/user_data | cmp - large
}

@test "what is not Ignition's is refused, and says what makes it" {
	printf 'variant: fcos\nversion: 1.5.0\n' >butane.yaml
	small_spec vm --ignition butane.yaml >spec
	fails_with 3 'the program butane makes it' fl-meta up spec
	printf '{"version": "3.4.0"}' >lacking
	small_spec vm2 --ignition lacking >spec
	fails_with 3 'lacks ignition.version' fl-meta up spec
}

@test "a metadata service has an interface of its own, as flintlock's" {
	printf '#cloud-config\n' >user
	made --metadata-service v1 --user-data user --ignition "$CONFIG"
	[ "$(jq -c '.spec.interfaces' record)" = '[{"device_id":"eth0","type":"TAP","guest_mac":"AA:FF:00:00:00:01","address":{"address":"169.254.0.1/16"}}]' ]
	[ "$(stat -c %a "$(seed service)")" = 600 ]
	[ "$(jq -r '.latest["user-data"]' "$(seed service)")" = '#cloud-config' ]
	jq -r '.latest["meta-data"]' "$(seed service)" | grep -q "instance-id: $(jq -r .spec.uid record)"
	jq -j '.openstack.latest.user_data' "$(seed service)" | cmp - "$CONFIG"
	fl-run up --dry-run record >plan
	grep -qF -- "--metadata $(seed service)" plan
	sed -n '/^{/,/^}/p' plan | jq -e '."mmds-config" == {version: "V1", network_interfaces: ["n0"]}'
	# Where it stands already, nothing is added.
	[ "$(jq -c .spec record | fl-run up --dry-run | sed -n '/^{/,/^}/p' | jq '."network-interfaces" | length')" = 1 ]
}

@test "a metadata service on the user's own eth0" {
	small_spec vm --metadata-service v2 |
		jq -c '.interfaces = [{"device_id":"eth1","type":"TAP"},{"device_id":"eth0","type":"TAP","guest_mac":"02:00:00:00:00:07","address":{"address":"10.0.0.2/24"}}]' >spec
	fl-pull up -q spec | fl-snap up -q | fl-meta up >record
	[ "$(jq '.spec.interfaces | length' record)" = 2 ]
	jq -r '.latest["network-config"]' "$(seed service)" |
		grep -F 'addresses: ["10.0.0.2/24", "169.254.0.1/16"]'
	fl-run up --dry-run record | sed -n '/^{/,/^}/p' |
		jq -e '."mmds-config" == {version: "V2", network_interfaces: ["n1"]}'
}

@test "a large user-data raises the service's limit" {
	head -c 100000 /dev/zero | tr '\0' '#' >user
	made --metadata-service v1 --user-data user
	fl-run up --dry-run record | grep -qF -- "--mmds-size-limit $(stat -c %s "$(seed service)")"
}

@test "what a metadata service cannot serve is refused by name" {
	printf '\x1f\x8b\xff' >user
	small_spec vm --metadata-service v1 --user-data user >spec
	fails_with 3 'metadata.user-data: is not text in UTF-8' fl-meta up spec
}

@test "labels that are none, and values that are none" {
	fails_with 3 'host.flintlock/restrat: is unknown' small_spec vm --label host.flintlock/restrat=no
	fails_with 3 '"v3" is not v1 or v2' small_spec vm --metadata-service v3
	fails_with 3 '"ten" is not a number of bytes' small_spec vm --disk-bandwidth ten
	fails_with 3 '"0" is not a number of operations' small_spec vm --disk-operations 0
	fails_with 3 'has no metadata service' small_spec vm --provider qemu --metadata-service v1
	fails_with 3 'fewer than 10 operations a second' small_spec vm --provider cloudhypervisor \
		--disk-operations 9
	small_spec vm --provider cloudhypervisor --disk-operations 10 >/dev/null
	fails_with 3 'cannot limit a network interface' small_spec vm --provider qemu --network-bandwidth 1M
	# Other people's labels are their own.
	small_spec vm --label example.org/host.flintlock=1
}

@test "limits under each VMM" {
	small_spec vm --provider qemu --disk-bandwidth 10M --disk-operations 50 | fl-run up -n |
		grep -q 'throttling.bps-total=10485760,throttling.iops-total=50'
	small_spec vm --provider cloudhypervisor --disk-bandwidth 10M --network-bandwidth 1M --bridge br0 |
		fl-run up -n >plan
	grep -q 'id=d0,image_type=raw,bw_size=10485760,bw_refill_time=1000' plan
	grep -q 'id=n0,bw_size=1048576,bw_refill_time=1000' plan
	small_spec vm --provider firecracker --disk-operations 50 --network-bandwidth 1M --bridge br0 |
		fl-run up -n | sed -n '/^{/,/^}/p' >config
	jq -e '.drives[0].rate_limiter == {ops: {size: 50, refill_time: 1000}}' config
	jq -e '."network-interfaces"[0] | .rx_rate_limiter == {bandwidth: {size: 1048576, refill_time: 1000}} and .tx_rate_limiter == .rx_rate_limiter' config
}

@test "mmds and user-data from files" {
	printf '#cloud-config\n' >user
	[ "$(fl-meta mmds --user-data user | jq -c .)" = '{"latest":{"user-data":"#cloud-config\n"}}' ]
	printf '#!/bin/sh\necho "a"\n' >'a "b.sh'
	fl-meta user-data user 'a "b.sh' >joined
	python3 - <<-'END'
		import email
		parts = email.message_from_file(open("joined")).get_payload()
		assert [p.get_filename() for p in parts] == ["user", "a__b.sh"], parts
		assert parts[1].get_payload(decode=True) == b'#!/bin/sh\necho "a"\n'
	END
	fails_with 4 'missing' fl-meta user-data missing
}
