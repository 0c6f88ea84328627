#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Standard input, annotations, single files, several platforms.

load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	unset SOURCE_DATE_EPOCH
	mkdir -p tree/etc
	echo hello >tree/etc/motd
	head -c 300000 /dev/urandom >tree/data
	tar -C tree -cf plain.tar .
}

blob() {
	echo "layout/blobs/sha256/${1#sha256:}"
}

# manifest TAG: its document in the layout.
manifest() {
	blob "$(jq -r --arg tag "$1" '.manifests[] |
		select(.annotations["org.opencontainers.image.ref.name"] == $tag) | .digest' layout/index.json)"
}

# refused STATUS WORDS COMMAND…
refused() {
	run "${@:3}"
	echo "$output"
	[ "$status" = "$1" ]
	[[ "$output" == *"$2"* ]]
}

@test "standard input: plain or packed, from a pipe or a file, the same as the file itself" {
	gzip -k plain.tar
	zstd -q -k plain.tar
	for file in plain.tar plain.tar.gz plain.tar.zst; do
		for how in '' --compression=none --compression=zstd; do
			# shellcheck disable=SC2086 # none or one word
			one=$(fl-pack image $how -o layout -t "file" "$file")
			# shellcheck disable=SC2086
			[ "$(cat "$file" | fl-pack image $how -o layout -t pipe -)" = "$one" ]
			# shellcheck disable=SC2086
			[ "$(fl-pack image $how -o layout -t file - <"$file")" = "$one" ]
		done
	done
	# Among others, at its place.
	mkdir low && echo low >low/x
	one=$(fl-pack image -o layout low plain.tar tree)
	[ "$(fl-pack image -o layout low - tree <plain.tar)" = "$one" ]
	[ -z "$(find . -name '.new-*')" ]
}

@test "standard input that is no good" {
	refused 3 "not a tar" fl-pack image -o layout - <<<"no tar at all"
	refused 3 "standard input" fl-pack image -o layout - </dev/null
	refused 3 "one layer only" fl-pack image -o layout - - <plain.tar
	gzip -k plain.tar
	head -c 5000 plain.tar.gz >cut
	refused 12 "standard input" fl-pack image -o layout - <cut
	[ "$(jq '.manifests | length' layout/index.json)" = 0 ]
	[ -z "$(find . -name '.new-*')" ]
}

@test "a signal ends the wait for standard input, and nothing is left" {
	mkfifo fifo
	sleep 30 >fifo 3>&- &
	writer=$!
	status=0
	timeout -s INT --preserve-status 1 fl-pack image -o layout - <fifo || status=$?
	kill "$writer"
	[ "$status" = 130 ]
	[ -z "$(find . -name '.new-*')" ]
}

@test "annotations go into the manifest, labels into the config; skopeo sees both" {
	fl-pack image -o layout -t x --annotation a.b=c --annotation "d=e=f g" --label l=m tree
	jq -e '.annotations == {"a.b": "c", "d": "e=f g"}' "$(manifest x)"
	[ "$(skopeo inspect --raw oci:layout:x | jq -c .annotations)" = '{"a.b":"c","d":"e=f g"}' ]
	[ "$(skopeo inspect --config oci:layout:x | jq -c .config.Labels)" = '{"l":"m"}' ]
	fl-pack image -o layout -t plain tree
	jq -e 'has("annotations") | not' "$(manifest plain)"
	refused 3 "not of the form key=value" fl-pack image -o layout --annotation x tree
	refused 3 "not of the form key=value" fl-pack image -o layout --annotation =x tree
}

@test "every compression: the layer is what it is called, and gives the same tree" {
	for how in gzip zstd none; do
		fl-pack image -o layout -t "$how" --compression "$how" tree
		layer=$(jq -r '.layers[0].digest' "$(manifest "$how")")
		case $how in
		gzip) gzip -dc ;;
		zstd) zstd -dc ;;
		none) cat ;;
		esac <"$(blob "$layer")" >"$how.tar"
		cmp gzip.tar "$how.tar"
		jq -e --arg how "$how" '.layers[0].mediaType ==
			"application/vnd.oci.image.layer.v1.tar" + {gzip: "+gzip", zstd: "+zstd", none: ""}[$how]' "$(manifest "$how")"
	done
}

@test "files: a kernel image without an entrypoint, straight from its files" {
	printf '\177ELF%060d' 0 >vmlinux-6.1
	echo initrd >initrd
	ln -s vmlinux-6.1 vmlinux
	chmod 600 initrd
	one=$(fl-pack files -t k -o layout boot/vmlinux=vmlinux /boot/initrd.img=initrd lib/modules/6.1/x=initrd)
	[ "$(fl-pack files -t k -o layout boot/vmlinux=vmlinux /boot/initrd.img=initrd lib/modules/6.1/x=initrd)" = "$one" ]
	skopeo inspect --config oci:layout:k | jq -e '.config | has("Entrypoint") or has("Cmd") | not'
	umoci unpack --rootless --image layout:k bundle
	cmp vmlinux-6.1 bundle/rootfs/boot/vmlinux
	cmp initrd bundle/rootfs/boot/initrd.img
	[ "$(cd bundle/rootfs && find . | sort | xargs)" = ". ./boot ./boot/initrd.img ./boot/vmlinux ./lib ./lib/modules ./lib/modules/6.1 ./lib/modules/6.1/x" ]
	layer=$(jq -r '.layers[0].digest' "$(manifest k)")
	[ "$(tar -tvzf "$(blob "$layer")" --numeric-owner | awk '{ print $2 }' | sort -u)" = 0/0 ]
	[ "$(tar -tvzf "$(blob "$layer")" | awk '$1 ~ /^l/' | wc -l)" = 0 ]
	mkdir root && echo x >root/x
	fl-pack image -t r -o layout root
	fl spec --name m --kernel oci:layout:k --root oci:layout:r --root-size 16M --memory 64 |
		fl-pull up | fl-snap up | jq -e '.status.kernel_mount.source'
	fl down -q --all
}

@test "files that are no good" {
	echo x >x
	refused 3 "not of the form" fl-pack files -o layout x
	refused 3 "not of the form" fl-pack files -o layout a/../b=x
	refused 3 "not of the form" fl-pack files -o layout =x
	refused 3 "not of the form" fl-pack files -o layout a=
	refused 4 "nosuch" fl-pack files -o layout a=nosuch
	refused 3 "not a file" fl-pack files -o layout a=tree
	[ ! -e layout ]
}

# Two platforms in layouts of their own.
two_platforms() {
	mkdir arm && echo arm >arm/x
	fl-pack image -o one -t a --platform linux/amd64 tree
	fl-pack image -o two -t b --platform linux/arm64/v8 --compression zstd arm
}

@test "index: several platforms under one name, in a folder and in an archive" {
	two_platforms
	first=$(fl-pack index -o layout -t all --annotation a=b oci:one:a oci:two:b)
	[ "$(fl-pack index -o layout -t all --annotation a=b oci:one oci:two)" = "$first" ]
	[ "$(fl-pack index -o all.tar -t all --annotation a=b oci:one:a oci:two:b)" = "$first" ]
	[ "$(sha256sum <"$(manifest all)" | cut -d' ' -f1)" = "${first#sha256:}" ]
	jq -e '.annotations.a == "b" and (.manifests | map(.platform.architecture) == ["amd64", "arm64"]) and
		.manifests[1].platform.variant == "v8"' "$(manifest all)"
	for arch in amd64 arm64; do
		skopeo copy -q --override-arch "$arch" oci:layout:all "oci:by-skopeo:$arch"
		skopeo copy -q --override-arch "$arch" oci-archive:all.tar:all "oci:by-skopeo:$arch-archive"
	done
	jq -e '.manifests | length == 4' by-skopeo/index.json
	[ "$(fl-pull get -p linux/amd64 oci:layout:all)" = "$(jq -r '.manifests[0].digest' one/index.json)" ]
	[ "$(fl-pull get -p linux/arm64 oci-archive:all.tar:all)" = "$(jq -r '.manifests[0].digest' two/index.json)" ]
	# An index among the sources gives its images.
	[ "$(fl-pack index --json -o again -t x oci:layout:all | jq .images)" = 2 ]
}

@test "index: refusals leave no name" {
	two_platforms
	refused 3 "two images are for linux/amd64" fl-pack index -o layout -t x oci:one:a oci:one:a
	refused 4 "no image of that name" fl-pack index -o layout -t x oci:one:nosuch
	refused 4 "not an OCI image layout" fl-pack index -o layout -t x oci:nosuch
	refused 3 "oci:FOLDER" fl-pack index -o layout -t x host.test/a:1
	refused 2 "side by side" fl-pack index -t x oci:one:a
	layer=$(jq -r '.layers[0].digest' "two/blobs/sha256/$(jq -r '.manifests[0].digest' two/index.json | cut -d: -f2)")
	chmod u+w "two/blobs/sha256/${layer#sha256:}"
	echo more >>"two/blobs/sha256/${layer#sha256:}"
	refused 12 "another digest" fl-pack index -o layout -t x oci:two:b
	[ "$(jq '.manifests | length' layout/index.json)" = 0 ]
	[ -z "$(find . -name '.new-*')" ]
}
