#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
bats_require_minimum_version 1.5.0
# A host that is what a folder of specs says.

load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir specs
}

teardown() {
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
}

apply() {
	fl apply -q --qemu "$FL_BUILD/drivers/fake-vmm" --accel tcg --settle 100ms "$@"
}

# edit FILTER: of the spec of "a".
edit() {
	jq -c "$1" specs/a.json >new
	mv new specs/a.json
}

# What it says it did: ACTION NAME…
actions() {
	apply --json "$@" | jq -r '.action + " " + .name' | xargs
}

runs() {
	fl ls --json | jq -r 'select(.vmm_state == "running") | .name' | sort | xargs
}

@test "create, keep, change, remove" {
	small_spec a >specs/a.json
	{ small_spec b; small_spec c; } >specs/more.jsonl
	echo 'no spec' >specs/README.md
	[ "$(actions --dry-run specs)" = "create a create b create c" ]
	[ -z "$(fl ls --json)" ]
	[ "$(actions specs)" = "create a create b create c" ]
	[ "$(runs)" = "a b c" ]
	uid=$(fl inspect --json a | jq -r .spec.uid)
	disk=$(fl inspect --json a | jq -r .host.volumes.root.path)
	echo of-the-guest | dd of="$disk" conv=notrunc bs=1 seek=100 status=none
	[ "$(actions specs)" = "keep a keep b keep c" ]

	edit '.vcpu = 3 | .labels = {role: "db"}'
	small_spec b >specs/more.jsonl
	[ "$(apply --json --dry-run specs | jq -r 'select(.action == "change").changes')" = "vcpu, labels" ]
	[ "$(fl inspect --json a | jq -r .spec.vcpu)" = 2 ]
	# What the folder has no more stays without --prune.
	[ "$(actions specs)" = "change a keep b" ]
	[ "$(fl inspect --json a | jq -c '[.spec.uid, .spec.vcpu, .spec.labels.role]')" = "[\"$uid\",3,\"db\"]" ]
	grep -qa of-the-guest <(head -c 200 "$disk")
	[ "$(runs)" = "a b c" ]
	[ "$(actions --prune specs)" = "keep a keep b remove c" ]
	[ "$(runs)" = "a b" ]
}

@test "what runs is not stopped for an image that is not to be had" {
	small_spec a >specs/a.json
	apply specs >/dev/null
	jq -c '.root_volume.source.container_source = "oci:'"$IMAGES"'/layout:nosuch"' specs/a.json >new
	small_spec b >specs/b.json
	mv new specs/a.json
	run --separate-stderr apply specs
	[ "$status" = 4 ]
	[ -z "$output" ]
	[[ "$stderr" == *nosuch* ]]
	[ "$(runs)" = a ]
	[ "$(fl inspect --json a | jq -r .spec.root_volume.source.container_source)" = "oci:$IMAGES/layout:root" ]
}

@test "a change that is not about images brings none anew" {
	cp -r "$IMAGES/layout" layout
	small_spec a | sed "s,$IMAGES/layout,$PWD/layout,g" >specs/a.json
	apply specs >/dev/null
	rm -rf layout
	edit '.vcpu = 3'
	[ "$(actions specs)" = "change a" ]
	[ "$(runs)" = a ]
}

@test "what runs is not stopped for what can never be" {
	small_spec a >whole.json
	jq -c '.root_volume.size_in_mb = 32' whole.json >specs/a.json
	apply specs >/dev/null
	jq -c '.root_volume.size_in_mb = 24' whole.json >specs/a.json
	fails_with 3 "default/a: volume root: 24 MiB are asked for, and it has 32" apply specs
	fails_with 3 "never made smaller" apply --dry-run specs
	jq -c '.root_volume.size_in_mb = 32 | .interfaces = [{device_id: "eth0", type: "TAP", overrides: {bridge_name: "no-such0"}}]' \
		whole.json >specs/a.json
	fails_with 4 "no-such0: there is no bridge" apply specs
	sed -i s/no-such0/lo/ specs/a.json
	fails_with 4 "lo: there is no bridge" apply --dry-run specs
	# Another image for a volume that holds data; the same under another name is none.
	mkdir -p other/etc
	fl-pack image -q -t other -o "$IMAGES/layout" other >/dev/null
	jq -c '.root_volume.size_in_mb = 32 | .root_volume.source.container_source |= sub(":root$"; ":other")' \
		whole.json >specs/a.json
	fails_with 8 "default/a: volume root was made from another image" apply specs
	[ "$(runs)" = a ]
	[ "$(fl inspect --json a | jq -r .spec.root_volume.size_in_mb)" = 32 ]
}

@test "a volume grows by the spec's word, and keeps what is in it" {
	small_spec a >whole.json
	jq -c '.root_volume.size_in_mb = 24' whole.json >specs/a.json
	apply specs >/dev/null
	disk=$(fl inspect --json a | jq -r .host.volumes.root.path)
	echo of-the-guest | dd of="$disk" conv=notrunc bs=1 seek=100 status=none
	jq -c '.root_volume.size_in_mb = 40' whole.json >specs/a.json
	[ "$(actions specs)" = "change a" ]
	[ "$(stat -c %s "$disk")" = $((40 << 20)) ]
	grep -qa of-the-guest <(head -c 200 "$disk")
	# What grew further by hand is no fault, nor what is left open again.
	fl stop a
	fl-snap grow a root 48M
	[ "$(actions specs)" = "start a" ]
	[ "$(stat -c %s "$disk")" = $((48 << 20)) ]
	jq -c 'del(.root_volume.size_in_mb)' whole.json >specs/a.json
	[ "$(actions specs)" = "change a" ]
	[ "$(stat -c %s "$disk")" = $((48 << 20)) ]
	[ "$(runs)" = a ]
}

@test "a volume out of a file grows by the spec's word, too; what is only read does not" {
	truncate -s 8M raw
	small_spec a | jq -c '.additional_volumes = [{id: "data", size_in_mb: 8, source: {container_source: "file:'"$PWD"'/raw"}},
		{id: "one", is_read_only: true, size_in_mb: 20, source: .root_volume.source},
		{id: "two", is_read_only: true, size_in_mb: 20, source: .root_volume.source}]' >whole.json
	cp whole.json specs/a.json
	apply specs >/dev/null
	disk=$(fl inspect --json a | jq -r .host.volumes.data.path)
	jq -c '.additional_volumes[0].size_in_mb = 16' whole.json >specs/a.json
	[ "$(actions specs)" = "change a" ]
	[ "$(stat -c %s "$disk")" = $((16 << 20)) ]
	jq -c '.additional_volumes[0].size_in_mb = 12' whole.json >specs/a.json
	fails_with 3 "never made smaller" apply specs
	[ "$(runs)" = a ]
	jq -c '.additional_volumes |= map(.size_in_mb = 28)' whole.json >specs/a.json
	run --separate-stderr apply specs
	[ "$status" = 8 ]
	[[ "$stderr" == *"volume two: it is read-only, and stays as large as it was made, 20 MiB"* ]]
}

@test "a volume that a kill left unnoted becomes as large as the spec says" {
	small_spec a >whole.json
	jq -c '.root_volume.size_in_mb = 24' whole.json | fl-pull up -q | fl-snap up -q >record
	file=$(echo "$FL_STATE_DIR"/vm/default/a/*/record.json)
	jq 'del(.host.volumes)' "$file" >new
	cp new "$file"
	jq -c '.spec.root_volume.size_in_mb = 40' record | fl-snap up -q >/dev/null
	[ "$(stat -c %s "$(jq -r .host.volumes.root.path record)")" = $((40 << 20)) ]
	# As the spec had it before is smaller now.
	fails_with 3 "32 MiB are asked for, and it has 40" fl-snap up -q < <(jq -c '.spec.root_volume.size_in_mb = 32' record)
}

@test "a change that fails is told as one" {
	small_spec a >specs/a.json
	apply specs >/dev/null
	edit '.vcpu = 3'
	run --separate-stderr apply specs --qemu /nowhere/qemu
	echo "$stderr"
	[ "$status" = 4 ]
	[[ "$output" == *FAILURE*nowhere* ]]
	[[ "$stderr" == *"default/a: "*nowhere* ]]
}

@test "nothing is stopped for a kernel or an initrd that is not in its image" {
	small_spec a >specs/a.json
	cp specs/a.json whole.json
	apply specs >/dev/null
	edit '.kernel.filename = "nosuch"'
	fails_with 4 'nosuch" is not in the image' apply specs
	[ "$(runs)" = a ]
	jq -c '.initrd.filename = "nosuch"' whole.json >specs/a.json
	fails_with 4 'nosuch' apply specs
	[ "$(runs)" = a ]
	jq -c '.vcpu = 3' whole.json >specs/a.json
	[ "$(actions specs)" = "change a" ]
}

@test "what is unknown in a changed spec is told" {
	small_spec a >specs/a.json
	apply specs >/dev/null
	edit '.memory = 3'
	run --separate-stderr apply specs
	[ "$status" = 0 ]
	[[ "$stderr" == *'"memory" is unknown'*"did you mean memory_in_mb"* ]]
	edit '.kernel.filname = "boot/vmlinux"'
	run --separate-stderr apply --dry-run specs
	[[ "$stderr" == *'"kernel.filname" is unknown'*"did you mean filename"* ]]
	run --separate-stderr fl up --dry-run specs/a.json
	[ "$(grep -c '"kernel.filname" is unknown' <<<"$stderr")" = 1 ]
}

@test "prune takes only what this folder brought" {
	small_spec a >specs/a.json
	small_spec by-hand | quick_up >/dev/null
	mkdir other
	small_spec b >other/b.json
	apply specs >/dev/null
	apply other >/dev/null
	small_spec last >specs/z.json
	rm specs/a.json
	[ "$(actions --prune specs)" = "create last remove a" ]
	[ "$(runs)" = "b by-hand last" ]
	# What was there already is the folder's from then on.
	small_spec by-hand >specs/it.json
	[ "$(actions specs)" = "keep by-hand keep last" ]
	rm specs/it.json
	[ "$(actions --prune --dry-run specs)" = "keep last remove by-hand" ]
}

@test "prune takes nothing for a folder that has no spec any more, nor for a file that was cut short" {
	small_spec a >specs/a.json
	small_spec b >specs/b.json
	apply specs >/dev/null
	: >specs/a.json
	fails_with 3 "a.json: no spec is in it" apply --prune specs
	rm specs/*
	fails_with 8 "no spec is in it, and --prune would take away all" apply --prune specs
	[ "$(actions specs)" = "" ]
	[ "$(runs)" = "a b" ]
}

@test "specs as YAML, and one file alone" {
	small_spec a | jq '.vcpu = 1' | python3 -c '
import json, sys
def show(value, indent):
    pad = "  " * indent
    for key, one in value.items():
        if isinstance(one, dict):
            print(f"{pad}{key}:"); show(one, indent + 1)
        else:
            print(f"{pad}{key}: {json.dumps(one)}")
show(json.load(sys.stdin), 0)' >specs/a.yaml
	{ echo "# two of them"; sed 's/^id: "a"/id: b/' specs/a.yaml; echo ---; sed 's/^id: "a"/id: c/' specs/a.yaml; } >specs/more.yml
	[ "$(actions specs)" = "create a create b create c" ]
	[ "$(actions specs)" = "keep a keep b keep c" ]
	# What came from a file is that file's.
	sed -i 's/^vcpu: 1/vcpu: 2/' specs/a.yaml
	[ "$(actions --prune specs/a.yaml)" = "change a" ]
	[ "$(runs)" = "a b c" ]
	sed -i 's/^vcpu: 2/vcpu: [2/' specs/a.yaml
	fails_with 3 "a.yaml: not YAML: line " apply specs
	fl down -q a >/dev/null
	sed -i 's/^vcpu: \[2/vcpu: 2/' specs/a.yaml
	quick_up specs/a.yaml >/dev/null
	fl up --dry-run specs/a.yaml >/dev/null
	[ "$(fl inspect --json a | jq .spec.vcpu)" = 2 ]
}

@test "what was stopped or lost its VMM comes up" {
	small_spec a >specs/a.json
	apply specs >/dev/null
	fl stop --force a
	[ "$(runs)" = "" ]
	[ "$(actions --dry-run specs)" = "start a" ]
	[ "$(actions specs)" = "start a" ]
	[ "$(runs)" = a ]
}

@test "what is unknown changes nothing" {
	small_spec a >specs/a.json
	apply specs >/dev/null
	edit '.memory_in_mib = 3 | .kernel.filname = "x"'
	run --separate-stderr apply --json specs
	[ "$(jq -r .action <<<"$output")" = keep ]
	[[ "$stderr" == *'"memory_in_mib" is unknown'* && "$stderr" == *'"kernel.filname" is unknown'* ]]
	fl up -q specs/a.json >/dev/null
}

@test "nothing is done when one of the files is wrong" {
	small_spec a >specs/a.json
	small_spec a >specs/b.json
	fails_with 3 "a.json and b.json both are about default/a" apply specs
	small_spec a --bridge br0 --publish 8080:80,9000:1/udp >specs/a.json
	small_spec b --bridge br0 --publish 9000:1,10.0.0.1:8080:80 >specs/b.json
	fails_with 3 "a.json (default/a) and b.json (default/b) both publish port 8080/tcp" apply --dry-run specs
	echo '{"id": "b", "vcpu": 0}' >specs/b.json
	fails_with 3 "b.json: " apply specs
	echo '{' >specs/b.json
	fails_with 3 "b.json" apply specs
	fails_with 4 "missing: cannot be opened" apply missing
	fails_with 2 "apply" fl apply
	[ -z "$(fl ls --json)" ]
}

@test "one that fails is told, the others come up, and the folder answers for all" {
	small_spec a >specs/a.json
	small_spec bad --cmdline fake=exit3 >specs/bad.json
	small_spec c >specs/c.json
	fails_with 16 "cannot do it" apply specs
	[ "$(runs)" = "a c" ]
	rm specs/bad.json
	[ "$(actions --prune specs)" = "keep a keep c remove bad" ]
}

@test "several of one name: which is meant cannot be known" {
	small_spec a | quick_up >/dev/null
	small_spec a | quick_up --new >/dev/null
	small_spec a >specs/a.json
	fails_with 8 "there are 2 microVMs of that name" apply specs
}

@test "what is being deleted is not the one of that name" {
	small_spec a | quick_up >/dev/null
	small_spec a >specs/a.json
	record=$(echo "$FL_STATE_DIR"/vm/default/a/*/record.json)
	jq '.host.desired = "deleted"' "$record" >leaving && cp leaving "$record"
	[ "$(actions --dry-run specs)" = "create a" ]
	apply specs >/dev/null
	[ "$(actions --dry-run specs)" = "keep a" ]
	fl down -q --all >/dev/null
}

@test "killed anywhere: done again, it is as the folder says" {
	command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null || skip "no strace"
	small_spec other >specs/other.json
	for n in 1 4 9 15 22 30 40; do
		small_spec a >specs/a.json
		timeout -s KILL "0.$((n * 2 + 10))" fl apply -q --qemu "$FL_BUILD/drivers/fake-vmm" --accel tcg \
			--settle 100ms specs >/dev/null 2>&1 || true
		apply specs >/dev/null
		[ "$(runs)" = "a other" ]
		rm specs/a.json
		[ "$(actions --prune specs)" = "keep other remove a" ]
		[ "$(runs)" = other ]
	done
}
