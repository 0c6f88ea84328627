#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# What an image may cost: layers without end, builds at once, and how far one is.

load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
}

# pack COMPRESSION TAR…: the layers as image "x".
pack() {
	fl-pack image -q --compression "$1" -t x -o layout "${@:2}" >/dev/null
	fl-pull get -q oci:layout:x >/dev/null
}

# refused WORDS COMMAND…: as too much, and nothing is left of it.
refused() {
	run "${@:2}"
	echo "$output"
	[ "$status" = 11 ]
	[[ "$output" == *"$1"* ]]
	[ ! -e img ]
	[ -z "$(find "$FL_STATE_DIR" img* -name '.new-*' 2>/dev/null)" ]
}

@test "a small blob that unpacks without end (gzip, zstd): refused within the limit, in little memory" {
	mkdir tree && truncate -s 3G tree/zeros
	tar -C tree -cf 1.tar zeros
	for compression in gzip zstd; do
		settled "$FL_STATE_DIR"
		rm -rf state layout
		pack "$compression" 1.tar
		[ "$(du -m layout | tail -1 | cut -f1)" -lt 5 ]
		refused "--max-size" fl-snap export --max-size 1G oci:layout:x img
		refused "--max-size" fl-snap create --max-size 1G oci:layout:x img
	done
	fl-snap export oci:layout:x img
	[ "$(du -m img | cut -f1)" -lt 100 ]
}

@test "zeros without end behind the end of a tar count, too" {
	mkdir tree && echo x >tree/x
	tar -C tree -cf 1.tar x
	truncate -s 2G 1.tar
	pack gzip 1.tar
	refused "--max-size" fl-snap export --max-size 1G oci:layout:x img
}

@test "the limit is for all layers together" {
	for i in 1 2 3; do
		mkdir "$i" && truncate -s 100M "$i/zeros$i"
	done
	pack gzip 1 2 3
	refused "--max-size" fl-snap export --max-size 250M oci:layout:x img
	fl-snap export --max-size 350M oci:layout:x img
	e2fsck -fn img
}

@test "more entries than allowed, in one layer or in all" {
	python3 "$FL_TOP/t/fl-snap/make_layers.py" . folder100k
	mkdir more && touch more/{1..20}
	pack zstd 1.tar more
	refused "--max-entries" fl-snap export --max-entries 100000 oci:layout:x img
	refused "--max-entries" fl-snap export --max-entries 100010 oci:layout:x img
	fl-snap export --max-entries 100100 oci:layout:x img
}

@test "names and attributes have a limit of their own" {
	python3 - <<-'PYTHON'
		import io, tarfile
		tar = tarfile.open("1.tar", "w", format=tarfile.PAX_FORMAT)
		for i in range(20000):
		    info = tarfile.TarInfo(f"f{i}")
		    info.pax_headers = {"SCHILY.xattr.user.big": "v" * 60000}
		    tar.addfile(info)
		tar.close()
	PYTHON
	pack zstd 1.tar
	refused "of memory" fl-snap export oci:layout:x img
}

@test "one file out of an image obeys, too; the chain knows the options" {
	mkdir -p tree/boot && truncate -s 600M tree/boot/vmlinux
	fl-pack image -q -t x -o layout tree >/dev/null
	fl spec --name m --kernel oci:layout:x --root oci:layout:x --root-size 64M --memory 64 >spec
	run bash -c 'fl-pull up -q <spec | fl-snap up -q --max-size 500M >/dev/null'
	echo "$output"
	[[ "$output" == *"--max-size"* ]]
	run fl up -q --max-size 500M --qemu "$FL_BUILD/drivers/fake-vmm" spec
	[ "$status" = 11 ]
	[[ "$output" == *"--max-size"* ]]
	fl down -q --all
}

@test "limits that are none" {
	for bad in --max-size=x --max-entries=0 --max-builds=0 --progress=loud; do
		run fl-snap export "$bad" oci:layout:x img
		echo "$bad: $output"
		[ "$status" = 2 ] || [ "$status" = 3 ]
		[[ "$output" != *unknown* ]]
		[[ "$output" == *"${bad%=*}"* || "$output" == *"${bad#--}"* ]]
	done
}

@test "builds at once: the others wait, a killed one leaves its place, nothing is left" {
	mkdir tree && head -c 20000000 /dev/urandom >tree/random
	pack none tree
	mkdir -p "$FL_RUN_DIR"
	# Another's build, that is killed.
	flock "$FL_RUN_DIR/build.0" sleep 60 3>&- &
	holder=$!
	sleep 0.3
	fl-snap export --max-builds 1 -v oci:layout:x img 2>log &
	waiting=$!
	sleep 1
	[ ! -e img ]
	kill -0 "$waiting"
	grep -q "waiting for one" log
	timeout 20 fl-snap export --max-builds 2 oci:layout:x other
	pkill -9 -P "$holder"
	wait "$waiting"
	cmp img other
	rm -f "$FL_RUN_DIR/build.0"
	[ -z "$(ls -A "$FL_RUN_DIR" 2>/dev/null)" ]
}

@test "what cannot be packed has its true size: two such layers fill a disk that just holds them" {
	mkdir a b && head -c 30000000 /dev/urandom >a/one && head -c 9000000 /dev/urandom >b/two
	pack gzip a b
	fl-snap export --size 64M oci:layout:x img
	e2fsck -fn img
}

@test "a signal ends the wait for a place" {
	mkdir tree && echo x >tree/x
	pack none tree
	mkdir -p "$FL_RUN_DIR"
	flock "$FL_RUN_DIR/build.0" sleep 60 3>&- &
	holder=$!
	sleep 0.3
	fl-snap export --max-builds 1 oci:layout:x img &
	pid=$!
	sleep 0.5
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	pkill -9 -P "$holder"
	[ "$status" = 143 ]
	[ ! -e img ]
}

@test "--progress=json while a base is built, up to the whole; none in a pipe" {
	mkdir a b && head -c 30000000 /dev/urandom >a/random && head -c 9000000 /dev/urandom >b/random
	pack gzip a b
	fl-snap create --size 1G --progress=json oci:layout:x img 2>lines
	jq -es 'length >= 1 and all(.name == "img" and .done <= .total) and
		(map(.done) == (map(.done) | sort)) and (last | .done == .total and .total > 39000000)' lines
	[ -z "$(fl-snap export oci:layout:x img 2>&1)" ]
}

@test "ls: nominal and real sizes" {
	mkdir tree && head -c 5000000 /dev/urandom >tree/random
	pack gzip tree
	fl-snap create --size 1G oci:layout:x img
	fl-snap ls --json | jq -es 'length == 1 and .[0].kind == "bases" and .[0].size == 1073741824 and
		.[0].used > 5000000 and .[0].used < 80000000'
}

@test "rm: of several, one that is not there does not keep the others" {
	mkdir tree && echo x >tree/x
	pack gzip tree
	fl-snap create --size 1G oci:layout:x img
	fl-snap create --size 2G oci:layout:x img2
	mapfile -t bases < <(fl-snap ls --json | jq -r .name)
	[ "${#bases[@]}" = 2 ]
	run fl-snap rm "${bases[0]}" none ../x "${bases[1]}"
	echo "$output"
	[ "$status" = 4 ]
	[[ "$output" == *"none: cannot be removed"* ]]
	[[ "$output" == *"../x: not the name of a base"* ]]
	[ -z "$(fl-snap ls --json)" ]
}
