#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Forms of tars and packings: what is odd and sound is taken as umoci takes it, what is not is
# refused by name and leaves nothing.

load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
}

# tar_of PYTHON…: 1.tar of what the lines add to "tar", by "add(name, data, **attributes)".
tar_of() {
	python3 - "$@" <<-'PYTHON'
		import io, sys, tarfile
		kind = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}[sys.argv[1]]
		tar = tarfile.open("1.tar", "w", format=kind)
		def add(name, data=b"", **attributes):
		    info = tarfile.TarInfo(name)
		    info.size = len(data)
		    for key, value in attributes.items():
		        setattr(info, key, value)
		    tar.addfile(info, io.BytesIO(data))
		exec("\n".join(sys.argv[2:]))
		tar.close()
	PYTHON
}

# blob_layer FILE: a layout whose one layer is the file as it is, with the diff_id of $DIFF.
blob_layer() {
	local layer config manifest
	settled "$FL_STATE_DIR"
	rm -rf layout state
	mkdir -p layout/blobs/sha256
	put() {
		local digest
		digest=$(sha256sum <"$1" | cut -d' ' -f1)
		cp "$1" "layout/blobs/sha256/$digest"
		echo "$digest"
	}
	layer=$(put "$1")
	jq -n --arg d "sha256:$DIFF" '{os: "linux", architecture: "amd64", rootfs: {type: "layers", diff_ids: [$d]}}' >config
	config=$(put config)
	jq -n --arg c "sha256:$config" --arg l "sha256:$layer" --argjson cs "$(stat -c %s config)" \
		--argjson ls "$(stat -c %s "$1")" '{schemaVersion: 2,
		config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $c, size: $cs},
		layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: $l, size: $ls}]}' >manifest
	manifest=$(put manifest)
	echo '{"imageLayoutVersion": "1.0.0"}' >layout/oci-layout
	jq -n --arg m "sha256:$manifest" --argjson s "$(stat -c %s manifest)" '{schemaVersion: 2, manifests: [{
		mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $m, size: $s,
		platform: {os: "linux", architecture: "amd64"},
		annotations: {"org.opencontainers.image.ref.name": "x"}}]}' >layout/index.json
	fl-pull get -q -p linux/amd64 oci:layout:x >/dev/null
}

builds() {
	fl-snap export -p linux/amd64 --size 32M oci:layout:x img
	e2fsck -fn img
}

refused() {
	rm -f img
	run fl-snap export -p linux/amd64 --size 32M oci:layout:x img
	echo "$output"
	[ "$status" = "$1" ]
	[[ "$output" == *"$2"* ]]
	[ ! -e img ]
}

content() {
	debugfs -R "cat $1" img 2>/dev/null
}

plain_tar() {
	mkdir -p tree && head -c 100000 /dev/urandom | base64 >tree/data && echo x >tree/x
	tar -C tree -cf 1.tar .
	DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
}

@test "gzip: members one behind the other, padding of zeros, every optional field of the header" {
	plain_tar
	size=$(stat -c %s 1.tar)
	{ head -c 70000 1.tar | gzip -1; tail -c +70001 1.tar | gzip -9; } >two.gz
	{ gzip <1.tar; head -c 1000 /dev/zero; } >padded.gz
	{ gzip </dev/null; gzip <1.tar; } >empty-first.gz
	python3 - "$size" <<-'PYTHON'
		import zlib
		data = open("1.tar", "rb").read()
		c = zlib.compressobj(9, zlib.DEFLATED, -15)
		head = b"\x1f\x8b\x08\x1e" + b"\0" * 4 + b"\0\x03" + b"\4\0abcd" + b"name\0" + b"comment\0"
		head += (zlib.crc32(head) & 0xffff).to_bytes(2, "little")
		open("fields.gz", "wb").write(head + c.compress(data) + c.flush() + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little"))
	PYTHON
	for file in two padded empty-first fields; do
		blob_layer "$file.gz"
		builds
		content /data | cmp - tree/data
	done
}

@test "packed in many pieces, of which the first or the last says little: a disk as large as its content" {
	mkdir tree && head -c 10M /dev/urandom >tree/data
	tar -C tree -cf 1.tar .
	DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
	{ gzip -c 1.tar; gzip -c </dev/null; } >many.gz
	blob_layer many.gz
	fl-snap export -p linux/amd64 oci:layout:x img
	e2fsck -fn img
	[ "$(stat -c %s img)" -lt 300000000 ]

	yes | head -c 650M >tree/data
	tar -C tree -cf 1.tar .
	DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
	head -c 1024 1.tar >head
	{ zstd -qc head; tail -c +1025 1.tar | zstd -qc; } >many.zst
	blob_layer many.zst
	fl-snap export -p linux/amd64 oci:layout:x img
	e2fsck -fn img
}

@test "gzip and zstd: cut off at any place, garbage behind, a wrong sum, a wrong length" {
	plain_tar
	gzip -k 1.tar
	zstd -q --check -k 1.tar
	for kind in gz zst; do
		size=$(stat -c %s "1.tar.$kind")
		for cut in 5 12 1000 $((size / 2)) $((size - 5)) $((size - 1)); do
			head -c "$cut" "1.tar.$kind" >cut
			blob_layer cut
			refused 12 "layer"
		done
		{ cat "1.tar.$kind"; head -c 600 /dev/urandom; } >garbage
		blob_layer garbage
		refused 12 "layer"
	done
	for at in 8 7 4 1; do
		cp 1.tar.gz sum
		python3 -c "
f = open('sum', 'r+b'); f.seek(-$at, 2); b = f.read(1); f.seek(-$at, 2); f.write(bytes([b[0] ^ 1]))"
		blob_layer sum
		refused 12 "layer"
	done
}

@test "a tar that is cut off, and one that is none" {
	plain_tar
	for cut in 100 700 5000; do
		head -c "$cut" 1.tar >cut
		DIFF=$(sha256sum <cut | cut -d' ' -f1)
		gzip -k -f cut
		blob_layer cut.gz
		refused 12 "layer"
	done
	head -c 5000 /dev/urandom >cut
	DIFF=$(sha256sum <cut | cut -d' ' -f1)
	gzip -k -f cut
	blob_layer cut.gz
	refused 12 "not a good tar"
}

@test "another diff_id than the config says" {
	plain_tar
	gzip -k 1.tar
	DIFF=$(echo other | sha256sum | cut -d' ' -f1)
	blob_layer 1.tar.gz
	refused 12 "has the digest"
}

@test "GNU's long names and links, pax's, and ustar's prefix" {
	long=$(printf 'a%.0s' {1..90})/$(printf 'b%.0s' {1..90})/$(printf 'c%.0s' {1..80})
	for kind in gnu pax; do
		tar_of "$kind" "add('$long', b'long')" "add('s', type=tarfile.SYMTYPE, linkname='$long')" \
			"add('h', type=tarfile.LNKTYPE, linkname='$long')"
		DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
		blob_layer 1.tar
		builds
		[ "$(content "/$long")" = long ]
		[ "$(content /h)" = long ]
		debugfs -R 'stat s' img 2>/dev/null | grep -q "Size: ${#long}"
	done
	long=$(printf 'a%.0s' {1..90})/$(printf 'b%.0s' {1..90})
	tar_of ustar "add('$long', b'prefix')"
	DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
	blob_layer 1.tar
	builds
	[ "$(content "/$long")" = prefix ]
}

@test "sparse files in GNU's old form and pax's 0.0, 0.1 and 1.0" {
	truncate -s 2M sparse
	printf end | dd of=sparse bs=1 seek=1500000 conv=notrunc status=none
	for form in --format=gnu --sparse-version=0.0 --sparse-version=0.1 --sparse-version=1.0; do
		tar --format=pax --sparse "$form" -cf 1.tar sparse 2>/dev/null || tar --sparse "$form" -cf 1.tar sparse
		[ "$(stat -c %s 1.tar)" -lt 1000000 ]
		DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
		blob_layer 1.tar
		builds
		content /sparse | cmp - sparse
		[ "$(debugfs -R 'stat /sparse' img 2>/dev/null | sed -n 's/.*Blockcount: \([0-9]*\).*/\1/p')" -lt 200 ]
	done
}

@test "times before 1970 and after 2038, owners beyond 16 bits" {
	tar_of pax "add('early', mtime=-1.5)" "add('late', mtime=2**33)" "add('owned', uid=2000000000, gid=1500000000)" \
		"add('last', mtime=2**62)" "add('first', mtime=-2**62)" "add('past', mtime=2**34 - 2**31)"
	DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
	blob_layer 1.tar
	builds
	debugfs -R 'stat /late' img 2>/dev/null | grep -q 'mtime.*2242'
	debugfs -R 'stat /early' img 2>/dev/null | grep -q 'mtime.*1969'
	# As Linux does with what has no room: the first and the last second that have.
	for name in last past; do debugfs -R "stat /$name" img 2>/dev/null | grep -q 'mtime: 0x7fffffff:00000003'; done
	debugfs -R 'stat /first' img 2>/dev/null | grep -q 'mtime: 0x80000000:00000000'
	debugfs -R 'stat /owned' img 2>/dev/null | grep -q 'User: 2000000000 *Group: 1500000000'
}

@test "sizes that cannot be: more than the tar holds, than a file may have, than fits" {
	for size in '"8589934591"' '"9223372036854775807"' '"99999999999999999999"'; do
		python3 - "$size" <<-'PYTHON'
			import io, sys, tarfile
			info = tarfile.TarInfo("x")
			info.pax_headers = {"size": sys.argv[1].strip('"')}
			open("1.tar", "wb").write(info.tobuf(tarfile.PAX_FORMAT) + b"x" * 512 + b"\0" * 1024)
		PYTHON
		DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
		blob_layer 1.tar
		refused 12 "layer"
	done
	python3 - <<-'PYTHON'
		import tarfile
		info = tarfile.TarInfo("GNUSparseFile.0/huge")
		info.size = 512
		info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "huge",
		                    "GNU.sparse.realsize": str(2 ** 45)}
		open("1.tar", "wb").write(info.tobuf(tarfile.PAX_FORMAT) + b"0\n".ljust(512, b"\0") + b"\0" * 1024)
	PYTHON
	DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
	blob_layer 1.tar
	refused 12 "larger than 16 TiB"
}

@test "as many names of one file as ext4 can keep, and one more" {
	python3 - <<-'PYTHON'
		import tarfile
		entries = [tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT)]
		for i in range(65000):
		    info = tarfile.TarInfo(f"d/{i}")
		    info.type, info.linkname = tarfile.LNKTYPE, "x"
		    entries.append(info.tobuf(tarfile.USTAR_FORMAT))
		open("1.tar", "wb").write(b"".join(entries[:-1]) + b"\0" * 1024)
		open("2.tar", "wb").write(b"".join(entries) + b"\0" * 1024)
	PYTHON
	DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
	blob_layer 1.tar
	builds
	debugfs -R 'stat /x' img 2>/dev/null | grep -q 'Links: 65000 '
	DIFF=$(sha256sum <2.tar | cut -d' ' -f1)
	blob_layer 2.tar
	refused 12 "more than 65,000 names"
}

@test "devices and symbolic links keep what they are, whatever else their entries say" {
	tar_of gnu "add('c', type=tarfile.CHRTYPE, devmajor=10, devminor=300)" \
		"add('s', type=tarfile.SYMTYPE, linkname='c', devmajor=7, devminor=7)" \
		"add('l', type=tarfile.SYMTYPE, linkname='/c' * 60, devmajor=7)" \
		"add('p', type=tarfile.FIFOTYPE, devmajor=3)" "add('f', b'text', devmajor=3)"
	DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
	blob_layer 1.tar
	builds
	debugfs -R 'stat /c' img 2>/dev/null | grep -q '10:300 '
	debugfs -R 'stat /s' img 2>/dev/null | grep -q 'Fast link dest: "c"'
	debugfs -R 'stat /l' img 2>/dev/null | grep -q 'Size: 120'
	[ "$(content /f)" = text ]
}

@test "an entry twice in a layer: the last one counts" {
	tar_of pax "add('x', b'first' * 2000)" "add('f', type=tarfile.DIRTYPE, mode=0o700)" "add('f/y', b'y')" \
		"add('x', b'last')" "add('f', type=tarfile.DIRTYPE, mode=0o755)" "add('z', b'z')" "add('z', type=tarfile.SYMTYPE, linkname='x')"
	DIFF=$(sha256sum <1.tar | cut -d' ' -f1)
	blob_layer 1.tar
	builds
	[ "$(content /x)" = last ]
	[ "$(content /f/y)" = y ]
	debugfs -R 'stat /f' img 2>/dev/null | grep -q 'Mode: *0755'
	debugfs -R 'stat /z' img 2>/dev/null | grep -q 'Type: symlink'
}
