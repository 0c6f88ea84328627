#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# What docs/ says, done as it stands.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
}

# The shell blocks of a document, in their order.
blocks() {
	awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$FL_TOP/docs/$1"
}

@test "debugging: every block, one after another" {
	unshare -n true 2>/dev/null || skip "no right to make a network namespace"
	export IMAGES=$BATS_TEST_TMPDIR/images
	small_images "$IMAGES"
	mkdir bin
	ln -s "$FL_BUILD/drivers/fake-vmm" "bin/qemu-system-$(uname -m)"
	export PATH=$PWD/bin:$PATH
	small_spec mvm0 --bridge flbr0 --user-data /dev/null >mvm0.json
	{ echo 'fl-net bridge create flbr0 --address 10.77.0.1/24'; blocks debugging.md; } >script
	[ "$(wc -l <script)" -gt 25 ]
	# Here they are installed, under these names.
	apt() { dpkg -s "${@:2}" >/dev/null; }
	export -f apt
	unshare -n bash -eux script
	[ -z "$(find "$FL_STATE_DIR/vm" -name record.json)" ]
}

@test "debugging: a step that fails says why, where the document says" {
	fl spec --name bad --kernel "oci:$PWD/nowhere:1" --root "oci:$PWD/nowhere:1" >bad.json
	run -4 bash -c 'fl-pull up bad.json >1 && fl-snap up <1'
	run ! bash -c 'fl-snap up <1'
	[ "$(jq -r .host.error.step 1)" = pull ]
	fl down default/bad
}

@test "moving: every flag of flintlockd that fl-serve takes is told, and none that it does not take" {
	fl-serve run --help | grep -oE -- '^ +(-., )?--[A-Za-z-]+' | grep -oE -- '--[A-Za-z-]+' | sort >takes
	grep -E '^\| `--' "$FL_TOP/docs/moving-from-flintlock.md" | cut -d'|' -f2 | grep -oE -- '--[A-Za-z-]+' | sort >told
	[ "$(comm -13 takes told)" = "" ]
	# Our own, which flintlockd has not.
	printf -- '--%s\n' accel qemu backend pool jobs max-connections max-connections-per-peer max-streams max-requests keepalive idle-timeout virtiofs-roots image-roots jailer-bin token-file config \
		check-config state-dir json quiet verbose help version completion | sort >ours
	[ "$(comm -23 takes told | comm -23 - ours)" = "" ]
}

@test "moving: provision.sh's commands and flags are taken" {
	for command in all apt firecracker cloudhypervisor containerd flintlock direct_lvm devpool; do
		fl-provision "$command" --help >/dev/null
		fl-provision --help | grep -q "^  $command "
	done
	help=$(fl-provision all --help)
	for flag in -y -s -t -d -a -p -i -b -k -f; do
		grep -qE "^  $flag, " <<<"$help"
	done
	for flag in unattended skip-apt thinpool disk grpc-address grpc-port parent-iface bridge insecure dev flintlock-config-file; do
		grep -q -- "--$flag" <<<"$help"
	done
	fl-provision flintlock --help | grep -q -- '-f, --config-file'
	for command in firecracker cloudhypervisor containerd flintlock; do
		fl-provision "$command" --help | grep -q -- '-v, --version'
	done
}

@test "every program, command and option that documents name is there" {
	grep -ohE '^ +fl(-[a-z]+)? [a-z]+( .*)?$' "$FL_TOP"/docs/*.md | sed 's/^ *//; s/ *#.*//' | sort -u >commands
	[ "$(wc -l <commands)" -gt 5 ]
	while read -r program command rest; do
		help=$("$program" "$command" --help)
		for option in $(grep -oE -- '--[a-z-]+' <<<"$rest"); do
			grep -q -- "$option" <<<"$help" || { echo "$program $command $option"; return 1; }
		done
	done <commands
}

@test "the releases that are installed are named beside those that were measured" {
	for version in $(jq -r '.[].version' "$FL_TOP/contrib/share/releases.json"); do
		grep -qwF "$version" "$FL_TOP/docs/tested.md"
	done
	grep -qwF "$(jq -r .cloudhypervisor.version "$FL_TOP/contrib/share/releases.json")" "$FL_TOP/docs/sizing.md"
}

@test "images: the tools that a recipe lacks are named at once, and are those of the document" {
	mkdir bin
	for tool in sh dirname basename dpkg id grep sort tr cut sed; do ln -s "$(command -v $tool)" bin; done
	ln -s "$FL_BUILD/bin/fl-pack" bin
	run -8 env PATH="$PWD/bin" "$FL_TOP/images/pack.sh" layout
	[[ $output == "pack.sh: tools are missing: apt install "*cpio*lz4\ mmdebstrap*xz-utils\ zstd ]]
	told=$(sed -n 's/^    apt install \([^#]*[^ #]\) *#.*/\1/p' "$FL_TOP/docs/images.md")
	for package in ${output#*install }; do
		[[ " $told uidmap " == *" $package "* ]]
	done
	run -8 env PATH="$PWD/bin" "$FL_TOP/images/pack.sh" layout kernel
	[[ $output != *mmdebstrap* ]]
	[ ! -e layout ]
	[ ! -e build ]
}

@test "examples: specs that are taken without a remark, as fl spec prints them" {
	for spec in "$FL_TOP"/examples/*.json; do
		fl up --dry-run "$spec" >plan 2>said
		grep "^# fl-run up" plan
		[ ! -s said ]
		jq . "$spec" | cmp - "$spec"
	done
	images=registry.example/microvm
	fl spec --name vm1 --kernel $images/kernel:6.1 --initrd $images/kernel:6.1 --root $images/root:bookworm --root-size 4G \
		--bridge flbr0 | jq . | cmp - "$FL_TOP/examples/vm1.json"
	[ -z "$(find "$FL_STATE_DIR" -type f)" ]
}

@test "links between documents lead somewhere" {
	for document in $(grep -ohE 'docs/[a-z-]+\.md' "$FL_TOP"/docs/*.md "$FL_TOP/README.md" | sort -u); do
		[ -s "$FL_TOP/$document" ] || { echo "$document"; return 1; }
	done
}
