#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Bad specs and records: each a clear error with its exit status, and nothing made.

load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
}

# refused STATUS WORDS: of "fl-pull up" with standard input
refused() {
	local wanted=$1 words=$2
	run --separate-stderr fl-pull up -q
	echo "status $status: $stderr"
	[ "$status" = "$wanted" ]
	[[ "$stderr" == *"$words"* ]]
	[ -z "$(find "$FL_STATE_DIR/vm" -name record.json 2>/dev/null)" ]
}

changed() {
	small_spec vm | jq -c "$1"
}

bats_require_minimum_version 1.5.0

@test "on a terminal it is said that a spec is waited for" {
	for command in "fl up" "fl-snap up"; do
		run script -qec "timeout 1 $command" /dev/null </dev/null
		[[ "$output" == *"read from this terminal"* ]]
	done
	for command in fl fl-net; do
		run script -qec "timeout 1 $command" /dev/null </dev/null
		[[ "$output" == "usage: $command"* ]]
	done
	run script -qec "timeout 1 fl-snap up -q" /dev/null </dev/null
	[[ "$output" != *"read from this terminal"* ]]
}

@test "not JSON, empty, of wrong types" {
	refused 3 "not JSON" <<<"nonsense"
	refused 3 "empty" </dev/null
	refused 3 "not JSON" <<<'{"id":'
	refused 3 "a list" <<<'[1]'
	refused 3 "id: must be text" < <(changed '.id = 5')
	refused 3 "vcpu: must be a whole number" < <(changed '.vcpu = 1.5')
	refused 3 "interfaces: must be a list" < <(changed '.interfaces = {}')
	refused 3 "given twice" < <(changed '.rootVolume = .root_volume')
}

@test "what cannot be read is told once by the whole chain" {
	echo '{"id":' >bad.json
	run --separate-stderr env FL_STATE_DIR=/proc/nosuch fl up -q bad.json
	[ "$(wc -l <<<"$stderr")" = 1 ]
	for file in bad.json nosuch.json /dev/null; do
		run --separate-stderr fl up -q "$file"
		[ "$status" != 0 ]
		[ "$(wc -l <<<"$stderr")" = 1 ]
		[[ "$stderr" == *"$file"* ]]
	done
	run --separate-stderr bash -c 'fl-pull up -q bad.json | fl-snap up -q'
	[ "$status" = 3 ]
	[ "$(wc -l <<<"$stderr")" = 1 ]
}

@test "metadata is shown to who asks for it, by up, dry run and down" {
	echo '#cloud-config' >user-data
	small_spec vm --user-data user-data >spec.json
	fl up --dry-run spec.json >plan
	grep -q '^# user-data: 14 bytes' plan
	run ! grep -q '^#cloud-config' plan
	fl up --dry-run --with-metadata spec.json | grep -qx '#cloud-config'
	[ "$(quick_up <spec.json | jq -r '.spec.metadata."user-data".size')" = 20 ]
	[ "$(quick_up --with-metadata <spec.json | jq -r '.spec.metadata."user-data"' | base64 -d)" = '#cloud-config' ]
	[ "$(fl down --with-metadata vm | jq -r '.spec.metadata."user-data"' | base64 -d)" = '#cloud-config' ]
}

@test "what failed is FAILED until it is tried again, and then is not" {
	small_spec vm | jq -c '.kernel.filename = "nosuch"' >spec.json
	fails_with 4 nosuch fl up -q spec.json
	[ "$(fl ls --json vm | jq -r .state)" = FAILED ]
	[ "$(fl-pull up -q spec.json | jq -r '.status.state, .host.error')" = $'PENDING\nnull' ]
	fl down -q vm >/dev/null
}

@test "what went meanwhile comes out of down without its metadata" {
	echo 'secret' >user-data
	small_spec vm --user-data user-data | fl-pull up -q --with-metadata >record
	fl down vm >/dev/null
	[ "$(fl-run down -q <record | jq -r '.spec.id')" = vm ]
	[ -z "$(fl-run down -q <record | jq -r '.spec.metadata | values')" ]
	[ "$(jq -c .spec record | fl-run down -q | jq -c '.spec | [.id, .metadata]')" = '["vm",null]' ]
}

@test "a dry run refuses what up would refuse" {
	small_spec vm | quick_up >record
	fails_with 8 "runs with another vcpu" fl up --dry-run < <(jq -c '.spec.vcpu = 5' record)
	fails_with 4 "default/other" fl up --dry-run < <(jq -c '.spec.id = "other"' record)
	fl up --dry-run <record | grep -q -- '-smp 2 '
	fl stop vm
	fl up --dry-run < <(jq -c '.spec.vcpu = 5' record) | grep -q -- '-smp 5 '
	fl down -q vm >/dev/null
}

@test "of a name that several have all are listed" {
	small_spec vm | fl-pull up -q >/dev/null
	small_spec vm | fl-pull up -q --new >/dev/null
	[ "$(fl ls --json vm | wc -l)" = 2 ]
	run --separate-stderr fl ls nosuch vm
	[ "$status" = 4 ]
	[ "$(grep -c "^default *vm " <<<"$output")" = 2 ]
	fails_with 2 "$(fl ls --json | jq -r .uid | head -n 1)" fl ssh vm
	fl down -q --all >/dev/null
}

@test "an error names its microVM" {
	small_spec vm | jq -c '.kernel.filename = "nosuch"' >spec.json
	run --separate-stderr fl up -q spec.json
	[ "$status" = 4 ]
	[[ "$stderr" == "fl-snap: default/vm: "*nosuch* ]]
	[[ "$(fl inspect --json vm | jq -r .host.error.text)" != *default/vm* ]]
	fl inspect --json vm >record
	run --separate-stderr fl-run up -q record
	[[ "$stderr" == "fl-run: default/vm: "*nosuch* ]]
	fails_with 2 "no, on-failure or always" fl-run up --restart bogus record
	[[ "$(fl inspect --json vm | jq -r .host.error.text)" == *nosuch* ]]
	run --separate-stderr fl start vm
	[[ "$stderr" == *default/vm* ]]
	fl down -q vm >/dev/null
}

@test "a slip of the pen is told what was meant" {
	fails_with 2 '"statr" is neither a command nor a program fl-statr; did you mean start?' fl statr vm
	fails_with 2 'did you mean down?' fl delete vm
	fails_with 2 'did you mean ssh?' fl exec vm
	fails_with 2 '"gte" is no command of this program; did you mean get?' fl-pull gte
	fails_with 4 "get.json: cannot be opened" fl-pull get.json
	for pair in images:ls list:ls pull:get remove:rm delete:rm rmi:rm prune:gc save:export; do
		fails_with 2 "did you mean ${pair#*:}?" fl-pull "${pair%:*}" alpine
	done
	for pair in list:ls remove:rm delete:rm prune:gc resize:grow; do
		fails_with 2 "did you mean ${pair#*:}?" fl-snap "${pair%:*}"
	done
	fails_with 2 'did you mean --root-size?' fl spec --root-sze 5G
	fails_with 2 'unknown option "--frobnicate"; see' fl spec --frobnicate
	[[ "$(fl help)" == "usage: fl "* ]]
	fl help | cmp - <(fl --help)
	fl help up | cmp - <(fl up --help)
	fl help stop | cmp - <(fl-run stop --help)
	fl-pull help get | cmp - <(fl-pull get --help)
}

@test "a first word that is neither a command nor a file is told so, and nothing goes down the pipe" {
	for image in alpine alpine:3.19 ghcr.io/a/b:1; do
		run --separate-stderr fl-pull "$image"
		[ "$status" = 2 ]
		[[ "$stderr" == *"\"$image\" is neither a command nor a file; did you mean \"fl-pull get $image\"? \"fl-pull --help\""* ]]
		[ -z "$output" ]
	done
	run --separate-stderr fl-net alpine
	[ "$status" = 2 ]
	[ -z "$output" ]
	[[ "$stderr" == *"\"alpine\" is neither a command nor a file; \"fl-net --help\""* ]]
	[ ! -e "$FL_STATE_DIR" ]
	small_spec vm >alpine
	fl-pull alpine | jq -e '.host.images | length == 2'
}

@test "who is not there is told so, and that is no failure of down" {
	mkdir -p "$FL_STATE_DIR"
	run --separate-stderr fl down nosuch
	[ "$status" = 0 ]
	[ "$stderr" = "fl-run: nosuch: there is no such microVM" ]
	run --separate-stderr fl down -q nosuch
	[ -z "$stderr" ]
	fails_with 4 "microvm not found" fl ls nosuch
}

@test "down tells of all, whatever had been made of them" {
	small_spec whole | fl-pull up -q | fl-snap up -q >/dev/null
	small_spec begun | jq -c '.kernel.image = "oci:/nosuch:x"' >spec.json
	run fl up -q spec.json
	[ "$status" = 4 ]
	[ "$(fl down -q begun whole | jq -r .spec.id | xargs)" = "begun whole" ]
	[ -z "$(fl ls --json)" ]
}

@test "unknown enum, numbers out of range" {
	refused 3 'interfaces[0].type: "tap" is unknown; known are MACVTAP, TAP' < <(changed '.interfaces = [{"device_id":"eth0","type":"tap"}]')
	refused 3 "vcpu: 0 is not between 1 and 64" < <(changed '.vcpu = 0')
	refused 3 "vcpu: 65 is not between" < <(changed '.vcpu = 65')
	refused 3 "memory_in_mb: -1" < <(changed '.memory_in_mb = -1')
	refused 3 "out of range" < <(changed '.vcpu = 99999999999')
}

@test "a spec that is larger in its record than what is read of one" {
	refused 3 "spec: is of" < <(changed '.mystery = [range(5000000) | 1]')
	[ "$(changed '.mystery = [range(1000000) | 1]' | fl-pull up -q | jq '.spec.mystery | length')" = 1000000 ]
	fl down -q vm >/dev/null
}

@test "names with slashes, dots, too long" {
	for id in a/b .. . "" "a b" "$(printf 'x%.0s' $(seq 64))"; do
		refused 3 "id:" < <(changed ".id = \"$id\"")
		refused 3 "namespace:" < <(changed ".namespace = \"$id/\"")
	done
}

@test "bad MAC, CIDR, gateway, device names, twins" {
	interface() {
		changed ".interfaces = [{\"device_id\":\"eth0\",\"type\":\"TAP\"} + $1]"
	}
	refused 3 "guest_mac" < <(interface '{"guest_mac":"1:2:3"}')
	refused 3 "multicast" < <(interface '{"guest_mac":"01:00:00:00:00:01"}')
	refused 3 "address.address" < <(interface '{"address":{"address":"10.0.0.300/24"}}')
	for address in 10.0.0.0/24 10.0.0.255/24 127.0.0.1/8 0.0.0.0/0 224.0.0.5/24; do
		refused 3 "no address that a guest can have" < <(interface "{\"address\":{\"address\":\"$address\"}}")
	done
	refused 3 "no device's address" < <(interface '{"guest_mac":"00:00:00:00:00:00"}')
	refused 3 "guest_mac 02:AA:00:00:00:01 is used twice" < <(changed '.interfaces = [
		{"device_id":"e","type":"TAP","guest_mac":"02:aa:00:00:00:01"},
		{"device_id":"f","type":"TAP","guest_mac":"02:AA:00:00:00:01"}]')
	refused 3 "address.gateway" < <(interface '{"address":{"address":"10.0.0.3/24","gateway":"x"}}')
	refused 3 "device_id" < <(interface '{"device_id":"Eth/1"}')
	refused 3 "used twice" < <(changed '.interfaces = [{"device_id":"e","type":"TAP"},{"device_id":"e","type":"TAP"}]')
	refused 3 "used twice" < <(changed '.additional_volumes = [.root_volume]')
	refused 3 "macvtap network interfaces not supported" \
		< <(interface '{"type":0}' | jq -c '.provider = "firecracker"')
}

@test "images, files, command lines, providers" {
	refused 3 "kernel.image" < <(changed '.kernel.image = "::"')
	refused 3 "leaves the image" < <(changed '.kernel.filename = "../../etc/shadow"')
	refused 3 "kernel.image" < <(changed 'del(.kernel)')
	refused 3 "root volume or an initrd" < <(changed 'del(.root_volume, .initrd)')
	refused 3 "not one argument" < <(changed '.kernel.cmdline = {"a":"b init=/bin/sh"}')
	refused 3 "provider" < <(changed '.provider = "vmware"')
	refused 3 "virtiofs" < <(changed '.root_volume.source = {"virtiofs_source":"/etc"}')
}

@test "forgiving: camelCase, numbers as text, enum numbers, wrapping, unknown members kept" {
	small_spec vm | jq -c '{microvm: (. + {memoryInMb: "128", mystery: {"x": [1]}} | del(.memory_in_mb) |
		.interfaces = [{"deviceId":"eth0","type":1,"guestMac":"02:00:00:00:00:09"}])}' | fl-pull up -q >record
	[ "$(jq -r '.spec | .memory_in_mb, .interfaces[0].type, .interfaces[0].guest_mac, .mystery.x[0]' record | xargs)" = "128 TAP 02:00:00:00:00:09 1" ]
}

@test "what is unknown in a spec is told once, with what may have been meant" {
	local doc
	changed '.memory = 3 | .interfaces = [{"device_id": "eth1", "type": "TAP", "mac": "x"}]' >spec.json
	run --separate-stderr fl-pull up <spec.json
	[ "$status" = 0 ]
	[[ "$stderr" == *'spec: "memory" is unknown, and does nothing; did you mean memory_in_mb?'* ]]
	[[ "$stderr" == *'spec: "interfaces[0].mac" is unknown'* ]]
	doc=$output
	run --separate-stderr fl-snap up <<<"$doc"
	[ "$status" = 0 ]
	[[ "$stderr" != *unknown* ]]
	fl down -q vm
	# Also where something is missed for it.
	run --separate-stderr fl-pull up < <(changed '.kernle = .kernel | del(.kernel)')
	[ "$status" = 3 ]
	[[ "$stderr" == *'"kernle" is unknown, and does nothing; did you mean kernel?'*"kernel.image: an image is required"* ]]
}

@test "a file that the image does not hold: its folder's names help" {
	small_spec vm --kernel-file boot/vmlinuz | fl-pull up -q >record
	run --separate-stderr fl-snap up <record
	[ "$status" = 4 ]
	[[ "$stderr" == *"boot/vmlinuz"*"vmlinux"* ]]
}

@test "errors flow: the end of a pipe tells the truth, and a good record beside passes" {
	{ small_spec good; small_spec bad --kernel-file nosuch; } >specs
	run --separate-stderr bash -c 'fl-pull up -q <specs | fl-snap up 2>/dev/null | fl-meta up 2>/dev/null'
	echo "$output" "$stderr"
	[ "$status" = 4 ]
	[ "${#lines[@]}" = 2 ]
	[ "$(jq -r 'select(.spec.id == "bad") | .host.error.step, .host.error.kind' <<<"$output" | xargs)" = "snap not_found" ]
	[ "$(jq -r 'select(.spec.id == "good") | .host.seed.path' <<<"$output")" != null ]
	# What has no record travels with its error, too.
	run --separate-stderr bash -c 'echo "{\"id\":\"x/y\"}" | fl-pull up -q 2>/dev/null | fl-snap up 2>/dev/null | fl-meta up'
	[ "$status" = 3 ]
	[ "$(jq -r .host.error.step <<<"$output")" = pull ]
}

@test "a record never brings back what was deleted" {
	small_spec vm | fl-pull up -q >record
	fl down -q default/vm >/dev/null
	run --separate-stderr fl-pull up -q <record
	[ "$status" = 4 ]
	[[ "$stderr" == *"not found"* ]]
	[ -z "$(ls -A "$FL_STATE_DIR/vm")" ]
}

@test "another spec of the same name, --new, and several" {
	small_spec vm | fl-pull up -q >one
	run --separate-stderr fl-pull up -q < <(small_spec vm --cpus 1)
	[ "$status" = 5 ]
	[[ "$stderr" == *"$(jq -r .spec.uid one)"* ]]
	fl-pull up -q --new < <(small_spec vm) >two
	[ "$(jq -r .spec.uid one)" != "$(jq -r .spec.uid two)" ]
	run --separate-stderr fl down default/vm
	[ "$status" = 2 ]
	[[ "$stderr" == *"--all"* ]]
	fl down -q --all default/vm >/dev/null
	[ -z "$(ls -A "$FL_STATE_DIR/vm")" ]
}

@test "a name means the microVM that stays, not one that is on its way out" {
	small_spec vm | quick_up >first
	# Its end is hindered: it is wanted deleted, and still there.
	record=$(echo "$FL_STATE_DIR"/vm/default/vm/*/record.json)
	jq '.host.desired = "deleted"' "$record" >changed
	cp changed "$record"
	small_spec vm | quick_up >second
	[ "$(jq -r .spec.uid first)" != "$(jq -r .spec.uid second)" ]
	[ "$(fl-run status --json vm | jq -r .uid)" = "$(jq -r .spec.uid second)" ]
	fl down -q vm >/dev/null
	fails_with 4 "not found" fl inspect "$(jq -r .spec.uid second)"
	fl down -q vm >/dev/null
	[ -z "$(fl ls --json)" ]
}

@test "a newer record format is refused with words" {
	small_spec vm | fl-pull up -q >one
	record=$(find "$FL_STATE_DIR/vm" -name record.json)
	jq '.host.format = 99' "$record" >new && cp new "$record"
	run --separate-stderr fl-snap up <one
	[ "$status" = 13 ]
	[[ "$stderr" == *"format 99"* ]]
	# Nor is a second one made beside it, or beside one that is damaged.
	fails_with 13 "format 99" fl up -q < <(small_spec vm)
	fails_with 13 "format 99" fl up --dry-run < <(small_spec vm)
	run --separate-stderr fl ls
	[[ "$stderr" == *"format 99"*"left out"* ]]
	jq '.host.format = "1"' "$record" >new && cp new "$record"
	fails_with 12 "no number" fl up -q < <(small_spec vm)
	: >"$record"
	fails_with 12 "not JSON" fl up -q < <(small_spec vm)
	[ "$(ls "$FL_STATE_DIR/vm/default/vm" | wc -l)" = 1 ]
	[ "$(fl-pull up -q --new < <(small_spec vm) | jq -r .status.state)" = PENDING ]
}

@test "wrong options and words" {
	run --separate-stderr fl-pull get
	[ "$status" = 2 ]
	run --separate-stderr fl-pull --nosuch
	[ "$status" = 2 ]
	run --separate-stderr fl nosuchcommand
	[ "$status" = 2 ]
	run --separate-stderr fl-run stop nosuch
	[ "$status" = 4 ]
	run --separate-stderr fl-run wait x --for=nonsense
	[ "$status" = 2 ]
	run --separate-stderr fl-snap export --size 10Q a b
	[ "$status" = 2 ]
	fl down nosuch
}

@test "fl down while up downloads: it stops within a second, and nothing comes back" {
	python3 "$FL_TOP/t/fl-pull/bad_registry.py" "$IMAGES/layout" port 3>&- &
	server=$!
	for _ in $(seq 100); do [ -s port ] && break; sleep 0.05; done
	small_spec vm --root "127.0.0.1:$(cat port)/slow:root" >spec
	fl-pull up -q spec >record 2>err 3>&- &
	up=$!
	for _ in $(seq 100); do fl-run ls --json 2>/dev/null | grep -q . && break; sleep 0.05; done
	sleep 0.3
	start=$(date +%s%N)
	fl down -q default/vm >/dev/null
	status=0
	wait $up || status=$?
	took=$((($(date +%s%N) - start) / 1000000))
	kill "$server"
	echo "status $status, $took ms"; cat err
	[ "$took" -lt 1500 ]
	[ "$status" = 4 ] || [ "$status" = 15 ]
	[ -z "$(ls -A "$FL_STATE_DIR/vm")" ]
}

@test "the journal has a line for every save, and seq only grows" {
	small_spec vm | fl-pull up -q | fl-snap up >/dev/null
	fl down -q default/vm >/dev/null
	journal=$FL_STATE_DIR/events.jsonl
	[ "$(jq -s 'map(.seq) | . == sort and (unique | length) == length' "$journal")" = true ]
	[ "$(jq -r .what "$journal" | sed -n '1p;$p' | xargs)" = "created deleted" ]
	# A torn last line does not stop it.
	printf '{"seq":' >>"$journal"
	small_spec vm | fl-pull up -q >/dev/null
	[ "$(tail -n 1 "$journal" | jq .seq)" -gt 1 ]
	# Nor do zeros, as a loss of power leaves them, or a request's name that is none.
	last=$(tail -n 1 "$journal" | jq .seq)
	head -c 20000 /dev/zero >>"$journal"
	FL_REQUEST_ID=$(head -c 20000 /dev/zero | tr '\0' x) fl down -q default/vm >/dev/null
	[ "$(tail -n 1 "$journal" | wc -c)" -lt 1024 ]
	[ "$(tail -n 1 "$journal" | jq .seq)" -gt "$last" ]
}

@test "no space for a record: the old one stays, and it works again" {
	unshare -m true 2>/dev/null || skip "no right to mount a small file system"
	unshare -m bash -euc '
		mkdir -p "$FL_STATE_DIR"
		mount -t tmpfs -o size=1m tmpfs "$FL_STATE_DIR"
		fl-pull up -q >record
		dd if=/dev/zero of="$FL_STATE_DIR/fill" bs=4k 2>/dev/null || true
		status=0; fl-meta up <record >out 2>err || status=$?
		[ "$status" = 11 ]; grep -qi "no space" err
		jq -e .spec.uid "$FL_STATE_DIR"/vm/default/vm/*/record.json >/dev/null
		[ -z "$(find "$FL_STATE_DIR" -name ".new-*")" ]
		rm "$FL_STATE_DIR/fill"
		fl-meta up <record >/dev/null' < <(small_spec vm)
}

@test "SIGTERM and SIGINT end programs that wait" {
	small_spec vm | fl-pull up -q >/dev/null
	# A second signal, which fl passes on, hangs the leak check at a program's exit.
	export ASAN_OPTIONS=detect_leaks=0
	for program in "fl-run wait default/vm --timeout 60s" "fl-snap up" "fl-meta up" "fl up"; do
		status=0
		# A pipe that says nothing: the program waits for its input.
		sleep 2 3>&- | timeout -k 5 -s TERM --preserve-status 0.5 $program 3>&- || status=$?
		echo "$program: $status"
		[ "$status" = 143 ]
	done
}

@test "SIGPIPE: whoever's reader is gone ends, and what was made stays whole" {
	local specification statuses
	specification=$(small_spec vm)
	for command in "fl-pull up -q" "fl-snap up" "fl-net up" "fl-meta up" "fl up -q --qemu $FL_BUILD/drivers/fake-vmm --accel tcg --settle 100ms" \
		"fl down -q"; do
		# shellcheck disable=SC2086 # words
		statuses=$(set +o pipefail
			fl inspect --json default/vm >records 2>/dev/null || echo "$specification" >records
			{ $command <records; } 2>err | :
			echo "${PIPESTATUS[0]}")
		echo "$command: $statuses $(cat err)"
		[ "$statuses" = 141 ]
	done
	[ "$(what_is_left)" = "" ]
	for program in fl fl-pull fl-snap fl-net fl-meta fl-run fl-pack; do
		statuses=$(set +o pipefail; { sleep 0.2; $program --help; } 2>err | :; echo "${PIPESTATUS[0]}")
		echo "$program --help: $statuses $(cat err)"
		[ "$statuses" = 141 ]
		[ ! -s err ]
	done
}

@test "dry-run of a spec and of a record: the whole plan, nothing made" {
	echo '#cloud-config' >user
	fl up --dry-run --accel tcg < <(small_spec vm --user-data user) >plan
	# All steps are about one microVM, whose uid nothing is ever born with.
	[ "$(grep -oE '0{10}[0-9A-Z]{16}' plan | sort -u | wc -l)" = 1 ]
	[ "$(grep -oE '0{10}[0-9A-Z]{16}' plan | wc -l)" -gt 4 ]
	grep -q "fl-pull get" plan
	grep -q -- " -append " plan
	[ ! -e "$FL_STATE_DIR" ]
	small_spec vm --user-data user | fl-pull up -q | fl-snap up | fl-meta up >record
	fl up --dry-run --accel tcg record | grep -q "$(jq -r .host.kernel.path record)"
	# What would be refused is refused, and what is another is planned as another.
	fails_with 5 "exists with another spec (vcpu)" fl up --dry-run < <(small_spec vm --user-data user --cpus 3)
	fl up --dry-run --new --accel tcg < <(small_spec vm --user-data user) >other
	[ "$(grep -oE '0{10}[0-9A-Z]{16}' other | sort -u | wc -l)" = 1 ]
	# What fl prints keeps the digests of metadata, and means the same microVM.
	[ "$(fl inspect --json default/vm | jq -r '.spec.metadata["user-data"].size')" = 20 ]
}

@test "down of a microVM that failed is a success" {
	run fl up -q --qemu /nonexistent --accel tcg < <(small_spec vm)
	[ "$status" = 4 ]
	fl down -q default/vm >/dev/null
	[ -z "$(ls -A "$FL_STATE_DIR/vm")" ]
}

@test "wrong options are told before anything is done" {
	small_spec vm >spec
	fails_with 2 "\"soon\" is not a number" quick_up --settle soon spec
	fails_with 2 "\"soon\" is not a number" quick_up --wait running --wait-timeout soon spec
	fails_with 2 'option --wait: "bot" is not running, boot,' quick_up --wait boot --wait bot spec
	fails_with 2 "option --wait: port:0: no port" quick_up --wait port:0 spec
	fails_with 2 "no, on-failure or always" quick_up --restart sometimes spec
	[ -z "$(fl ls --json)" ]
}

@test "a failure is told once, by who met it; a later step alone tells it, too" {
	run --separate-stderr fl up -q < <(small_spec vm --root oci:/nowhere:root)
	[ "$status" = 4 ]
	echo "$stderr"
	[ "$(grep -c 'nowhere' <<<"$stderr")" = 1 ]
	[ "$(wc -l <<<"$stderr")" = 1 ]
	jq -e '.host.error.text | test("nowhere")' <<<"$output"
	echo "$output" >record
	fails_with 4 nowhere fl-snap up record
	fails_with 4 nowhere fl-snap up <record
	run fl up -v < <(small_spec vm2 --root oci:/nowhere:root)
	[ "$(grep -c 'vm2: left out, as step pull failed' <<<"$output")" = 4 ]
}

@test "a later step alone tells what has no name as well as what has one" {
	fails_with 3 "vcpu" fl-pull up -q < <(echo '{"vcpu": "x"}')
	printf '%s\n' "$output" | grep -o '{.*' >failed
	fails_with 3 "vcpu" fl-snap up -q failed
	[[ "$stderr$output" != *"null"* ]]
}

@test "what fl-serve answers is a document to every command" {
	small_spec w | fl up -q --qemu "$FL_BUILD/drivers/fake-vmm" --accel tcg --settle 100ms |
		jq -c '{microvm: {spec: .spec, status: .status}}' >answer
	fl-net up -q --dry-run <answer
	fl down -q <answer
	[ -z "$(fl ls --json)" ]
}

@test "on a terminal, what did not come up is said to have failed" {
	cd "$BATS_TEST_TMPDIR"
	small_spec vm >spec
	run -4 script -qec "fl up --accel tcg --qemu /nowhere/qemu spec" /dev/null
	[[ $output == *"default/vm "*"failed at step run"* ]]
	fl down -q vm >/dev/null
}

@test "a size that lacks its unit is not taken for bytes" {
	run -3 fl-snap grow vm root 13
	[[ "$output" == *"size 13 is less than 1.0 MiB"*"K, M, G"* ]]
	fails_with 2 "write such as 10G" small_spec vm --root-size 10
	[ "$(small_spec vm --root-size 1M | jq .root_volume.size_in_mb)" = 1 ]
}

# told TEXT: what is said of a microVM with that user-data, which is made all the same.
told() {
	printf '%b' "$1" >user-data
	run --separate-stderr fl up --dry-run < <(small_spec vm0 --user-data user-data)
	[ "$status" = 0 ]
	grep -F user-data <<<"$stderr" || true
}

@test "user-data that cloud-init would pass over is told; what it says is not" {
	[[ "$(told '#cloud-config\nruncmd:\n  - a\n - b: [\n')" == *"metadata.user-data: cloud-init will not do what stands there: #cloud-config: not YAML: line 4"* ]]
	[[ "$(told 'password: sesame\n')" == *'its first line names no format'*'"#cloud-config"'* ]]
	[[ "$(told '#cloud-config\n- sesame\n')" == *'"KEY: VALUE" belongs below that line'* ]]
	[[ "$(told 'password: sesame\n')" != *sesame* ]]
	for right in '#cloud-config\nruncmd: []\n' '#!/bin/sh\ntrue\n' '## template: jinja\n#cloud-config\n{% x %}\n' \
		'Content-Type: multipart/mixed; boundary="b"\n' '#cloud-config\n' '\037\213\010' ''; do
		[ -z "$(told "$right")" ] || { echo "$right"; return 1; }
	done
}
