#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# A microVM's life, with a stand-in for the VMM.

bats_require_minimum_version 1.5.0
load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	export FL_STATE_DIR=$BATS_FILE_TMPDIR/state FL_RUN_DIR=$BATS_FILE_TMPDIR/run
}

teardown() {
	fl ls --json | jq -r .uid | xargs -r fl down -q >/dev/null
	[ -z "$(what_is_left)" ]
}

field() {
	fl-run status --json "default/$1" | jq -r ".$2"
}

@test "up, stop, start, pause, resume, reboot, down" {
	small_spec vm0 | quick_up
	[ "$(field vm0 vmm_state)" = running ]
	[ "$(field vm0 state)" = CREATED ]
	fl stop vm0
	[ "$(field vm0 vmm_state) $(field vm0 state) $(field vm0 desired)" = "stopped CREATED stopped" ]
	fl start vm0 --qemu "$FL_BUILD/drivers/fake-vmm" --settle 100ms
	fl pause vm0
	[ "$(field vm0 vmm_state)" = paused ]
	fl resume vm0
	[ "$(field vm0 vmm_state)" = running ]
	fl reboot vm0
	[ "$(field vm0 vmm_state) $(field vm0 reboots)" = "running 1" ]
	fl down vm0 >/dev/null
	[ -z "$(what_is_left)" ]
}

@test "a paused one that is rebooted goes on, and powers off" {
	small_spec vm0 | quick_up
	fl pause vm0
	started=$SECONDS
	run --separate-stderr fl reboot vm0
	[ "$status" = 0 ]
	[ -z "$stderr" ]
	[ $((SECONDS - started)) -lt 10 ]
	[ "$(field vm0 vmm_state) $(field vm0 exit.kind)" = "running poweroff" ]
	fl down vm0 >/dev/null
}

@test "what never came up keeps its reason, and nobody waits for it" {
	small_spec vm0 | jq -c '.kernel.filename = "nosuch"' >"$BATS_TEST_TMPDIR/spec"
	fails_with 4 nosuch fl up -q "$BATS_TEST_TMPDIR/spec"
	fails_with 4 'nosuch' fl start vm0
	fails_with 16 'nosuch' fl wait vm0 --timeout 60s
	[[ "$(field vm0 reason)" == *nosuch* ]]
	fails_with 8 'does not run: kernel: ' fl pause vm0
	fails_with 8 'once that is mended, "fl up" with its spec goes on' fl pause vm0
	fails_with 8 'nosuch' fl ssh vm0
	fails_with 5 "exists with another spec (kernel):" fl up -q < <(small_spec vm0)
	fl down vm0 >/dev/null
}

@test "a control group of its own, that goes with it" {
	mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	mkdir "$mount/flintlock-test-$$" 2>/dev/null || skip "no cgroup v2 where groups can be made"
	rmdir "$mount/flintlock-test-$$"
	uid=$(small_spec vm0 | quick_up | jq -r .spec.uid)
	grep -x "$(field vm0 pid)" "$mount/fl.slice/$uid/vmm/cgroup.procs"
	fl down vm0 >/dev/null
	[ ! -e "$mount/fl.slice/$uid" ]
}

@test "places that killed builders and pullers had go with the last microVM" {
	mkdir -p "$FL_RUN_DIR"
	touch "$FL_RUN_DIR/build.0" "$FL_RUN_DIR/pull.11" "$FL_RUN_DIR/pull.2"
	flock "$FL_RUN_DIR/pull.2" sleep 20 3>&- &
	holder=$!
	small_spec vm0 | quick_up >/dev/null
	fl down -q vm0 >/dev/null
	[ "$(ls "$FL_RUN_DIR")" = pull.2 ]
	pkill -P "$holder"
	wait "$holder" || true
	small_spec vm0 | quick_up >/dev/null
	folder=$(stat -c %i "$FL_RUN_DIR")
	fl down -q vm0 >/dev/null
	[ -z "$(ls "$FL_RUN_DIR")" ]
	# A service may have it mounted.
	[ "$(stat -c %i "$FL_RUN_DIR")" = "$folder" ]
}

@test "--all without names is every microVM" {
	{ small_spec vm1; small_spec vm2; } | quick_up >/dev/null
	fl stop --all </dev/null
	[ "$(fl ls --json | jq -r .vmm_state | sort | uniq -c | tr -s " ")" = " 2 stopped" ]
	fl down --all </dev/null >"$BATS_TEST_TMPDIR/gone"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/gone")" = 2 ]
	[ -z "$(fl ls --json)" ]
	fl down --all </dev/null
}

@test "where a user has no inotify instance left, all goes on" {
	cd "$BATS_TEST_TMPDIR"
	cat >hog.py <<-'END'
		import ctypes, sys, time
		libc = ctypes.CDLL(None)
		while libc.inotify_init1(0) >= 0:
		    pass
		print("full", flush=True)
		time.sleep(60)
	END
	python3 hog.py >full 3>&- &
	hog=$!
	for _ in $(seq 100); do grep -q full full && break; sleep 0.05; done
	small_spec vm0 | quick_up >/dev/null
	fl stop vm0
	fl start vm0 --qemu "$FL_BUILD/drivers/fake-vmm" --settle 100ms
	[ "$(field vm0 vmm_state)" = running ]
	fl down vm0 >/dev/null
	kill "$hog"
}

@test "up twice is one microVM" {
	small_spec vm1 >"$BATS_TEST_TMPDIR/spec"
	first=$(quick_up "$BATS_TEST_TMPDIR/spec" | jq -r .spec.uid)
	second=$(quick_up "$BATS_TEST_TMPDIR/spec" | jq -r .spec.uid)
	[ "$first" = "$second" ]
	[ "$(fl ls --json | wc -l)" = 1 ]
}

@test "two at once of one spec are one microVM" {
	small_spec vm1 >"$BATS_TEST_TMPDIR/spec"
	quick_up "$BATS_TEST_TMPDIR/spec" >"$BATS_TEST_TMPDIR/a" &
	quick_up "$BATS_TEST_TMPDIR/spec" >"$BATS_TEST_TMPDIR/b"
	wait $!
	[ "$(jq -r .spec.uid "$BATS_TEST_TMPDIR/a")" = "$(jq -r .spec.uid "$BATS_TEST_TMPDIR/b")" ]
	[ "$(fl ls --json | wc -l)" = 1 ]
}

@test "a guest that panics at once is FAILED, with the line" {
	run quick_up --settle 2s < <(small_spec vm2 --cmdline fake=panic)
	[ "$status" = 16 ]
	[[ "$output" == *"Kernel panic - not syncing: fake"* ]]
	[ "$(field vm2 state)" = FAILED ]
}

@test "down without anybody named is told, but for a pipe" {
	fails_with 2 "name microVMs" fl down </dev/null
	true | fl down
}

@test "a guest without a root is FAILED, and says so" {
	run quick_up --settle 2s < <(small_spec vm2 --cmdline fake=noroot)
	[ "$status" = 16 ]
	[[ "$output" == *"no root found"* ]]
}

@test "a VMM that fails tells its own words" {
	run quick_up --settle 2s < <(small_spec vm2 --cmdline fake=exit3)
	[ "$status" = 16 ]
	[[ "$output" == *"status 3"*"cannot do it"* ]]
}

@test "a guest that powers off later is stopped, and restore leaves it" {
	small_spec vm3 --cmdline fake=poweroff,fake=late | quick_up
	fl-run wait vm3 --for=exit --timeout 10s
	[ "$(field vm3 vmm_state) $(field vm3 state) $(field vm3 desired)" = "stopped CREATED stopped" ]
	[ "$(field vm3 exit.kind)" = poweroff ]
	fl restore
	[ "$(field vm3 vmm_state)" = stopped ]
}

@test "a time to settle that nobody waits for" {
	run -2 quick_up --settle 2h < <(small_spec settle)
	[[ $output == *"--settle: at most 1h"* ]]
	fl down -q --all
}

@test "a restart policy that is none" {
	cd "$BATS_TEST_TMPDIR"
	small_spec policy >spec
	run -2 quick_up --restart sometimes spec
	[[ $output == *"--restart sometimes: must be no, on-failure or always"* ]]
	jq -c '.labels = {"host.flintlock/restart": "sometimes"}' spec >bad
	run -3 fl up --dry-run bad
	[[ $output == *'"sometimes" is not no, on-failure or always'* ]]
	fl down -q --all
}

@test "a panic with restart=always is tried again" {
	small_spec vm4 --cmdline fake=panic,fake=late | quick_up --restart always
	for _ in $(seq 50); do
		[ "$(field vm4 restarts)" -ge 1 ] && break
		sleep 0.1
	done
	[ "$(field vm4 restarts)" -ge 1 ]
	fl stop --force vm4
}

@test "a guest's reboot comes up again" {
	small_spec vm5 --cmdline fake=reboot,fake=late | quick_up
	for _ in $(seq 80); do
		[ "$(field vm5 reboots)" -ge 1 ] && break
		sleep 0.1
	done
	[ "$(field vm5 reboots)" -ge 1 ]
}

@test "a tag that was moved is another image for new microVMs only" {
	cp -r "$IMAGES" "$BATS_TEST_TMPDIR/images"
	small_spec vm | sed "s|$IMAGES|$BATS_TEST_TMPDIR/images|g" | quick_up >"$BATS_TEST_TMPDIR/record"
	mkdir "$BATS_TEST_TMPDIR/tree"
	fl-pack image -q --owner 0:0 --tag root -o "$BATS_TEST_TMPDIR/images/layout" "$BATS_TEST_TMPDIR/tree" >/dev/null
	small_spec new | sed "s|$IMAGES|$BATS_TEST_TMPDIR/images|g" | quick_up >"$BATS_TEST_TMPDIR/new"
	fl stop vm
	quick_up "$BATS_TEST_TMPDIR/record" >"$BATS_TEST_TMPDIR/again"
	root=oci:$BATS_TEST_TMPDIR/images/layout:root
	digest_of() {
		jq -r --arg root "$root" '.host.images[$root].digest' "$BATS_TEST_TMPDIR/$1"
	}
	[ "$(digest_of again)" = "$(digest_of record)" ]
	[ "$(digest_of new)" != "$(digest_of record)" ]
	fl stop vm
	fails_with 8 "made from another image" quick_up --pull always "$BATS_TEST_TMPDIR/record"
}

@test "who waits for a pause is told at once when somebody else resumes" {
	small_spec vm | quick_up >/dev/null
	supervisor=$(pgrep -f "fl-supervise $FL_STATE_DIR default vm ")
	# Not with the record's lock in its hands.
	flock "$FL_STATE_DIR"/vm/default/vm/*/lock kill -STOP "$supervisor"
	SECONDS=0
	fl-run pause vm 2>"$BATS_TEST_TMPDIR/said" 3>&- &
	pausing=$!
	until [ "$(fl inspect --json vm | jq -r .host.desired)" = paused ]; do sleep 0.05; done
	fl-run resume vm 3>&- &
	resuming=$!
	status=0
	wait "$pausing" || status=$?
	[ "$status" = 15 ]
	grep -q "is to be running meanwhile" "$BATS_TEST_TMPDIR/said"
	kill -CONT "$supervisor"
	wait "$resuming"
	[ "$SECONDS" -lt 10 ]
}

@test "several deaf guests are stopped in the time of one; a name that is none is told" {
	for n in 1 2 3 4; do small_spec "vm$n" --cmdline fake=deaf; done | quick_up >/dev/null
	fl stop vm4 --force
	started=$SECONDS
	run fl stop vm1 nosuch vm2 vm3 vm4 --timeout 3s
	[ "$status" = 4 ]
	[ $((SECONDS - started)) -lt 7 ]
	for n in 1 2 3 4; do
		[ "$(field "vm$n" vmm_state) $(field "vm$n" desired)" = "stopped stopped" ]
	done
	fl down -q --all >/dev/null
}

@test "guests settle together; who fails among them is told, and keeps nobody up" {
	{
		small_spec vm1
		small_spec vm2 --cmdline fake=panic
		small_spec vm3
		small_spec vm4
	} >"$BATS_TEST_TMPDIR/specs"
	started=$SECONDS
	run --separate-stderr quick_up --settle 3s "$BATS_TEST_TMPDIR/specs"
	[ $((SECONDS - started)) -lt 8 ]
	[ "$status" = 16 ]
	[[ "$stderr" == *"default/vm2: the guest panicked"* ]]
	[ "$(jq -r '.spec.id + " " + .status.state' <<<"$output" | tr '\n' ,)" = \
		"vm1 CREATED,vm2 FAILED,vm3 CREATED,vm4 CREATED," ]
	fl stop -f --all
	started=$SECONDS
	fails_with 16 "default/vm2: " fl start -q --all --settle 3s
	[ $((SECONDS - started)) -lt 8 ]
	for n in 1 3 4; do [ "$(field "vm$n" vmm_state)" = running ]; done
	fl down -q --all >/dev/null
}

@test "one that has settled goes on while more may come" {
	mkfifo "$BATS_TEST_TMPDIR/in"
	quick_up --settle 200ms "$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" &
	exec 9>"$BATS_TEST_TMPDIR/in"
	small_spec vm1 >&9
	for _ in $(seq 100); do
		[ -s "$BATS_TEST_TMPDIR/out" ] && break
		sleep 0.1
	done
	[ "$(jq -r .status.state "$BATS_TEST_TMPDIR/out")" = CREATED ]
	small_spec vm2 >&9
	exec 9>&-
	wait $!
	[ "$(jq -r .status.state "$BATS_TEST_TMPDIR/out" | tr '\n' ,)" = CREATED,CREATED, ]
	fl down -q --all >/dev/null
}

@test "more in one call than may be waited for, or be open" {
	small_spec vm0 >"$BATS_TEST_TMPDIR/one"
	for n in $(seq 110); do jq -c ".id = \"vm$n\"" "$BATS_TEST_TMPDIR/one"; done >"$BATS_TEST_TMPDIR/specs"
	quick_up --settle 5s "$BATS_TEST_TMPDIR/specs" >"$BATS_TEST_TMPDIR/out"
	[ "$(jq -r '.spec.id + .status.state' "$BATS_TEST_TMPDIR/out" | xargs)" = \
		"$(for n in $(seq 110); do echo "vm${n}CREATED"; done | xargs)" ]
	fl down -q --all >/dev/null
	head -n 30 "$BATS_TEST_TMPDIR/specs" >"$BATS_TEST_TMPDIR/few"
	(ulimit -n 64; quick_up --settle 2s "$BATS_TEST_TMPDIR/few") >"$BATS_TEST_TMPDIR/out"
	[ "$(jq -r .status.state "$BATS_TEST_TMPDIR/out" | sort | uniq -c | xargs)" = "30 CREATED" ]
	fl down -q --all >/dev/null
}

@test "what is told, and the status, have the order of what came in" {
	{
		small_spec vm1 --cmdline fake=panic,fake=late
		small_spec vm2 | jq -c '.kernel.filename = "nosuch"'
		small_spec vm3
	} >"$BATS_TEST_TMPDIR/specs"
	run --separate-stderr quick_up --settle 1s "$BATS_TEST_TMPDIR/specs"
	[ "$status" = 16 ]
	[ "$(jq -r '.spec.id + " " + .status.state' <<<"$output" | tr '\n' ,)" = "vm1 FAILED,vm2 FAILED,vm3 CREATED," ]
	fl down -q --all >/dev/null
}

@test "one that has done its job before anybody looked was created" {
	{
		small_spec vm1 --cmdline fake=poweroff,fake=late
		small_spec vm2
	} >"$BATS_TEST_TMPDIR/specs"
	fl-pull up -q "$BATS_TEST_TMPDIR/specs" >"$BATS_TEST_TMPDIR/records"
	folder=$(dirname "$(find "$FL_STATE_DIR/vm/default/vm2" -name record.json)")
	fl-snap up -q "$BATS_TEST_TMPDIR/specs" >/dev/null
	flock "$folder/step.lock" sleep 2 3>&- &
	fl-run up -q --qemu "$FL_BUILD/drivers/fake-vmm" --accel tcg --settle 100ms "$BATS_TEST_TMPDIR/specs" \
		>"$BATS_TEST_TMPDIR/out"
	wait $!
	[ "$(jq -r '.spec.id + " " + (.host.error.text // "")' "$BATS_TEST_TMPDIR/out" | tr '\n' ,)" = "vm1 ,vm2 ," ]
	[ "$(field vm1 vmm_state)" = stopped ]
	fl down -q --all >/dev/null
}

@test "those that are taken away while they settle are told by name" {
	{ small_spec vm1; small_spec vm2; } | quick_up --settle 20s >/dev/null 2>"$BATS_TEST_TMPDIR/said" &
	pid=$!
	for _ in $(seq 100); do
		[ "$(fl ls --json | jq -r .vmm_state | xargs)" = "starting starting" ] && break
		sleep 0.1
	done
	fl down -q vm2 >/dev/null
	fl down -q vm1 >/dev/null
	wait "$pid" || status=$?
	[ "$status" = 15 ]
	grep "default/vm1: .*deleted" "$BATS_TEST_TMPDIR/said"
	grep "default/vm2: .*deleted" "$BATS_TEST_TMPDIR/said"
}

@test "who no longer waits for a stop does not kill the guest" {
	small_spec vm1 --cmdline fake=deaf | quick_up
	run -130 timeout -s INT --preserve-status 1 fl stop vm1 --timeout 20s
	[ "$(field vm1 vmm_state)" = stopping ]
	is_alive "$(field vm1 pid)"
	fl stop -f vm1
}

@test "what the chain came to is on disk when it is told" {
	small_spec vm1 >"$BATS_TEST_TMPDIR/spec"
	export -f quick_up
	# Who is traced cannot look for leaks, which is done by tracing.
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -qq -y -e trace=fsync,renameat -o "$BATS_TEST_TMPDIR/trace" \
		bash -c 'quick_up "$1"' - "$BATS_TEST_TMPDIR/spec" >/dev/null 3>&- &
	for _ in $(seq 200); do
		[ "$(fl ls --json | jq -r .state)" = CREATED ] && break
		sleep 0.1
	done
	sleep 0.5
	cp "$BATS_TEST_TMPDIR/trace" "$BATS_TEST_TMPDIR/until-then"
	fl down -q vm1 >/dev/null
	wait $!
	# Its last save: the content, the name, the folder that the name is in.
	read -r pid name < <(sed -nE 's/^([0-9]+) .*renameat.*"(.new-[0-9a-f]*-record.json)".*/\1 \2/p' \
		"$BATS_TEST_TMPDIR/until-then" | tail -n 1)
	# A call that another's line came into has two lines.
	[ "$(grep "^$pid " "$BATS_TEST_TMPDIR/until-then" | grep -v resumed | sed -n "/$name/,\$p" |
		grep -oE 'fsync|renameat' | tr '\n' ' ')" = "fsync renameat fsync " ]
}

@test "that the wait for it was interrupted is no reason once it runs" {
	small_spec vm1 >"$BATS_TEST_TMPDIR/spec"
	timeout -s INT 1 fl up -q --qemu "$FL_BUILD/drivers/fake-vmm" --accel tcg --settle 3s \
		"$BATS_TEST_TMPDIR/spec" >/dev/null 2>"$BATS_TEST_TMPDIR/said" || true
	grep "interrupted by SIGINT" "$BATS_TEST_TMPDIR/said"
	[ "$(field vm1 reason)" = "interrupted by SIGINT" ]
	fl wait -q vm1 --for=running --timeout 20s
	for _ in $(seq 60); do [ "$(field vm1 state)" = CREATED ] && break; sleep 0.1; done
	[ "$(field vm1 state) $(field vm1 vmm_state) $(field vm1 reason)" = "CREATED running null" ]
	fl down -q --all >/dev/null
}

@test "who has no folder for sockets is told how to name one" {
	[ "$(id -u)" = 0 ] || skip "not root"
	mkdir "$BATS_TEST_TMPDIR/closed"
	chmod 0555 "$BATS_TEST_TMPDIR/closed"
	small_spec vm0 >"$BATS_TEST_TMPDIR/spec"
	FL_RUN_DIR=$BATS_TEST_TMPDIR/closed/run fails_with 6 "FL_RUN_DIR names another" \
		capsh --drop=cap_dac_override -- -c "fl up -q --accel tcg --qemu $FL_BUILD/drivers/fake-vmm $BATS_TEST_TMPDIR/spec"
}

@test "a timeout longer than is counted kills nobody early" {
	small_spec vm0 --cmdline fake=deaf | quick_up >/dev/null
	run -124 timeout 14 fl stop vm0 --timeout 4294967296ms
	[ "$(field vm0 vmm_state)" = stopping ]
	fl stop --force vm0
}

@test "a deaf guest is killed at the timeout; who looks on is told what is waited for" {
	small_spec vm6 --cmdline fake=deaf | quick_up
	SECONDS=0
	fl stop --timeout 1s vm6
	[ "$SECONDS" -le 5 ]
	[ "$(field vm6 vmm_state)" = stopped ]
	fl start -q vm6
	script -qec "fl stop vm6 --timeout 4s" /dev/null </dev/null >"$BATS_TEST_TMPDIR/said"
	grep 'vm6: its guest has not powered off yet; it has 4 s' "$BATS_TEST_TMPDIR/said"
	[ "$(field vm6 vmm_state)" = stopped ]
}

@test "a killed supervisor takes its VMM along, is told, and up starts it again" {
	small_spec vm7 >"$BATS_TEST_TMPDIR/spec"
	quick_up "$BATS_TEST_TMPDIR/spec" >/dev/null
	pid=$(field vm7 pid)
	pkill -KILL -f "[f]l-supervise $FL_STATE_DIR"
	for _ in $(seq 50); do
		is_alive "$pid" || break
		sleep 0.02
	done
	run ! is_alive "$pid"
	for _ in $(seq 50); do
		[ "$(field vm7 state)" = FAILED ] && break
		sleep 0.02
	done
	[ "$(field vm7 state)" = FAILED ]
	[[ "$(field vm7 reason)" == *"supervisor is gone"* ]]
	quick_up "$BATS_TEST_TMPDIR/spec" >/dev/null
	[ "$(field vm7 state) $(field vm7 vmm_state)" = "CREATED running" ]
}

@test "cloud-init's end is seen, and its silence is unknown" {
	small_spec vm8 --cmdline fake=cloud-init | quick_up
	fl-run wait vm8 --for=cloud-init --timeout 5s
	small_spec vm9 --cmdline fake=cloud-init-degraded | quick_up
	run fl-run wait vm9 --for=cloud-init --timeout 5s
	[ "$status" = 0 ]
	[[ "$output" == *"default/vm9: cloud-init did not do all that it was told: a slip;"* ]]
	fl down -q vm9 >/dev/null
	small_spec vm9 | quick_up
	run fl-run wait vm9 --for=cloud-init --timeout 1s
	[ "$status" = 14 ]
	[[ "$output" == *unknown* ]]
}

@test "host reboot: restore brings back what wants to run" {
	small_spec vm10 | quick_up
	small_spec vm11 | quick_up
	fl stop vm11
	pkill -KILL -f "[f]l-supervise $FL_STATE_DIR"
	sleep 0.2
	rm -rf "$FL_RUN_DIR"
	disk=$(fl inspect vm10 --json | jq -r .host.volumes.root.path)
	echo kept | dd of="$disk" bs=1 seek=15000000 conv=notrunc status=none
	FL_BOOT_ID=another fl restore --help >/dev/null
	export FL_BOOT_ID=another PATH=$BATS_TEST_TMPDIR/bin:$PATH
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	ln -s "$FL_BUILD/drivers/fake-vmm" "$BATS_TEST_TMPDIR/bin/qemu-system-$(uname -m)"
	fl restore -q >/dev/null
	[ "$(field vm10 vmm_state)" = running ]
	[ "$(field vm11 vmm_state)" = stopped ]
	[ "$(dd if="$disk" bs=1 skip=15000000 count=4 status=none)" = kept ]
}

@test "what a start was asked holds for the next ones, and for a restore" {
	small_spec vm20 | quick_up --restart on-failure
	fl stop vm20
	fl start vm20 --settle 100ms
	[ "$(fl inspect vm20 --json | jq -r '.host.vmm.launch | .restart + " " + .argv[0]')" = \
		"on-failure $FL_BUILD/drivers/fake-vmm" ]
	pkill -KILL -f "[f]l-supervise $FL_STATE_DIR"
	sleep 0.2
	FL_BOOT_ID=another fl restore -q >/dev/null
	[ "$(fl inspect vm20 --json | jq -r .host.vmm.launch.restart)" = on-failure ]
	[ "$(field vm20 vmm_state)" = running ]
}

@test "what one that runs is asked is for its next start; a program is kept by its whole path, and has to be there" {
	small_spec vm22 | quick_up
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	ln -s "$FL_BUILD/drivers/fake-vmm" "$BATS_TEST_TMPDIR/bin/mine"
	fails_with 4 "/nonexistent/qemu" fl start vm22 --qemu /nonexistent/qemu
	(cd "$BATS_TEST_TMPDIR" && fl start vm22 --qemu bin/mine --accel tcg)
	[ "$(fl inspect vm22 --json | jq -c '.host.asked | [.qemu, .accel]')" = "[\"$BATS_TEST_TMPDIR/bin/mine\",\"tcg\"]" ]
	fl stop vm22
	fl start vm22 --settle 100ms
	[ "$(fl inspect vm22 --json | jq -r '.host.vmm.launch.argv[0]')" = "$BATS_TEST_TMPDIR/bin/mine" ]
}

@test "the spec's label goes before what was asked earlier, not before what is asked now" {
	small_spec vm23 | quick_up --restart on-failure >"$BATS_TEST_TMPDIR/record"
	fl stop vm23
	jq -c '.spec.labels = {"host.flintlock/restart": "always"}' "$BATS_TEST_TMPDIR/record" | fl up -q --settle 100ms >/dev/null
	[ "$(fl inspect vm23 --json | jq -r .host.vmm.launch.restart)" = always ]
	fl start vm23 --restart no
	[ "$(fl inspect vm23 --json | jq -r .host.vmm.launch.restart)" = no ]
}

@test "who starts one that waits for its next try does not wait" {
	small_spec vm24 --cmdline fake=panic | quick_up --restart always >/dev/null 2>&1 || true
	for _ in $(seq 100); do
		[ "$(field vm24 vmm_state)" != waiting ] || break
		sleep 0.05
	done
	[ "$(field vm24 vmm_state)" = waiting ]
	run fl start vm24 --restart no
	[ "$status" = 16 ]
	[ "$(field vm24 vmm_state)" = failed ]
	sleep 1.5
	[ "$(field vm24 vmm_state)" = failed ]
}

@test "one that waits for its next try: a reboot is that try, and there is nothing to pause" {
	small_spec vm1 --cmdline fake=panic | quick_up --restart always >/dev/null 2>&1 || true
	for _ in $(seq 100); do
		[ "$(field vm1 vmm_state) $(field vm1 restarts)" != "waiting 3" ] || break
		sleep 0.1
	done
	fails_with 8 "does not run: the guest panicked" timeout 10 fl pause vm1
	fails_with 8 "does not run: the guest panicked" timeout 10 fl resume vm1
	[ "$(field vm1 desired)" = running ]
	fails_with 16 "the guest panicked" timeout 10 fl reboot vm1
	[ "$(field vm1 reboots)" = 1 ]
}

@test "a state folder of an odd name: up, down, and a plan that can be pasted" {
	cd "$BATS_TEST_TMPDIR"
	export FL_STATE_DIR="$BATS_TEST_TMPDIR/an odd, state;touch $BATS_TEST_TMPDIR/x" FL_RUN_DIR="$BATS_TEST_TMPDIR/a run"
	small_spec vm0 | quick_up >record
	fl stop vm0
	fl-run up --dry-run <record 2>/dev/null | grep "^mkdir" >plan
	rm -r "$FL_RUN_DIR"
	bash -e plan
	[ -e "$FL_RUN_DIR/$(jq -r .spec.uid record)/record.json" ]
	[ ! -e "$BATS_TEST_TMPDIR/x" ]
	fl down -q vm0 >/dev/null
	[ -z "$(what_is_left)" ]
}

@test "on a full disk all can be stopped and taken down" {
	unshare -m true 2>/dev/null || skip "no right to mount a small file system"
	cd "$BATS_TEST_TMPDIR"
	export FL_STATE_DIR=$PWD/small
	mkdir small
	unshare -m bash -euc '
		. "$FL_TOP/t/lib.bash"
		mount -t tmpfs -o size=64m tmpfs "$FL_STATE_DIR"
		for name in vm0 vm1 vm2 vm3; do
			small_spec "$name" | quick_up >/dev/null
		done
		dd if=/dev/zero of="$FL_STATE_DIR/fill" bs=4k 2>/dev/null || true
		fl stop vm0 vm1
		[ "$(fl status --json vm0 | jq -r .vmm_state)" = stopped ]
		fl down -q vm0 vm2 >/dev/null
		dd if=/dev/zero of="$FL_STATE_DIR/more" bs=4k 2>/dev/null || true
		fl down -q vm1 vm3 >/dev/null
		[ -z "$(what_is_left)" ]
		rm "$FL_STATE_DIR/fill" "$FL_STATE_DIR/more"
		small_spec vm0 | quick_up >/dev/null
		[ -s "$FL_STATE_DIR/spare" ]
		fl down -q vm0 >/dev/null'
}

# Whose disk the host cannot write, for so many tries.
held_up() {
	echo full | fl console "$1" --linger 0 >/dev/null
	for _ in $(seq 100); do
		[ "$(field "$1" vmm_state)" != paused ] || return 0
		sleep 0.05
	done
	return 1
}

@test "a guest that a full disk holds up: told, resumed when asked, or by itself" {
	small_spec vm0 | quick_up >/dev/null
	held_up vm0
	[ "$(field vm0 desired)" = running ]
	[[ "$(field vm0 reason)" == "the host cannot write its disk root: No space left on device"* ]]
	fl ls vm0 | grep -q "paused .* the host cannot write its disk root"
	# It is held up once more, and then not.
	fails_with 10 "the host cannot write its disk root" fl resume vm0
	[ "$(field vm0 vmm_state)" = paused ]
	# Paused by who makes room: what held it up is no answer then.
	fl pause vm0
	[ "$(field vm0 reason)" = null ]
	fl resume vm0
	[ "$(field vm0 vmm_state) $(field vm0 reason)" = "running null" ]
	fl pause vm0
	fl resume vm0
	small_spec vm1 | quick_up >/dev/null
	held_up vm1
	for _ in $(seq 300); do
		[ "$(field vm1 vmm_state)" != running ] || break
		sleep 0.1
	done
	[ "$(field vm1 vmm_state) $(field vm1 reason)" = "running null" ]
	fl stop vm0 vm1
}

@test "who has less patience than whoever stops it already" {
	small_spec vm0 --cmdline fake=deaf | quick_up >/dev/null
	for how in --force "--timeout 100ms"; do
		fl stop vm0 --timeout 60s &
		stopping=$!
		for _ in $(seq 100); do
			[ "$(field vm0 vmm_state)" != stopping ] || break
			sleep 0.02
		done
		# shellcheck disable=SC2086 # words
		timeout 5 fl stop vm0 $how
		wait "$stopping"
		[ "$(field vm0 vmm_state) $(field vm0 state)" = "stopped CREATED" ]
		fl start vm0 --settle 100ms
	done
}

@test "who reboots what somebody else stops is told" {
	small_spec vm0 --cmdline fake=deaf | quick_up >/dev/null
	fl stop vm0 --timeout 60s &
	stopping=$!
	for _ in $(seq 100); do
		[ "$(field vm0 vmm_state)" != stopping ] || break
		sleep 0.02
	done
	timeout 20 fl reboot vm0 2>"$BATS_TEST_TMPDIR/said" &
	rebooting=$!
	sleep 1
	fl stop vm0 --force
	wait "$stopping"
	status=0
	wait "$rebooting" || status=$?
	cat "$BATS_TEST_TMPDIR/said"
	[ "$status" = 15 ]
	grep -q "does not come up again" "$BATS_TEST_TMPDIR/said"
}

@test "one that runs takes another policy" {
	small_spec vm21 | quick_up
	fails_with 2 "no, on-failure or always" fl start vm21 --restart sometimes
	fails_with 2 "not auto, kvm or tcg" fl start vm21 --accel fast
	[ "$(fl inspect vm21 --json | jq .host.error)" = null ]
	fl start vm21 --restart always
	kill -KILL "$(field vm21 pid)"
	for _ in $(seq 200); do
		[ "$(field vm21 restarts) $(field vm21 vmm_state)" != "1 running" ] || break
		sleep 0.05
	done
	[ "$(field vm21 restarts) $(field vm21 vmm_state)" = "1 running" ]
	fl start vm21 --restart no
	kill -KILL "$(field vm21 pid)"
	for _ in $(seq 100); do
		[ "$(field vm21 vmm_state)" != failed ] || break
		sleep 0.05
	done
	[ "$(field vm21 vmm_state)" = failed ]
}

@test "a changed spec: the next version when stopped, refused when running" {
	small_spec vm12 | quick_up >"$BATS_TEST_TMPDIR/record"
	run quick_up < <(jq -c '.spec.vcpu=4' "$BATS_TEST_TMPDIR/record")
	[ "$status" = 8 ]
	[[ "$output" == *vcpu* ]]
	fl stop vm12
	jq -c '.spec.vcpu=4' "$BATS_TEST_TMPDIR/record" | quick_up >"$BATS_TEST_TMPDIR/after"
	[ "$(jq -r '.version, .spec.vcpu' "$BATS_TEST_TMPDIR/after" | xargs)" = "2 4" ]
}

@test "one that never stops talking is kept, and stopped, like any other" {
	# shellcheck disable=SC2016
	printf '#!/bin/sh\nyes "" >&2 &\nyes "" >&2 &\nexec %s/drivers/fake-vmm "$@"\n' "$FL_BUILD" >"$BATS_TEST_TMPDIR/vmm"
	chmod +x "$BATS_TEST_TMPDIR/vmm"
	small_spec vm0 | timeout 8 fl up -q --qemu "$BATS_TEST_TMPDIR/vmm" --accel tcg --settle 100ms >/dev/null
	timeout 8 fl pause vm0
	timeout 8 fl stop vm0
	[ "$(field vm0 vmm_state)" = stopped ]
}

@test "what is not a kernel is said" {
	mkdir -p "$BATS_TEST_TMPDIR/k/boot"
	echo text >"$BATS_TEST_TMPDIR/k/boot/vmlinux"
	fl-pack image -q -t bad -o "$BATS_TEST_TMPDIR/lay" "$BATS_TEST_TMPDIR/k" >/dev/null
	run quick_up < <(small_spec vm13 --kernel "oci:$BATS_TEST_TMPDIR/lay:bad")
	[ "$status" = 3 ]
	[[ "$output" == *"not a kernel"* ]]
}

@test "a missing VMM is said" {
	run fl up -q --qemu /nonexistent/qemu --accel tcg < <(small_spec vm14)
	[ "$status" = 4 ]
	[[ "$output" == *"/nonexistent/qemu"* ]]
}

@test "who is to be kept in does not start before the rules for that are there" {
	small_spec kept --bridge br0 --egress deny | fl-pull up -q | fl-snap up -q | fl-meta up -q \
		>"$BATS_TEST_TMPDIR/record"
	fails_with 8 'what the guest may reach is not denied yet; run "fl-net up" first' \
		fl-run up --qemu "$FL_BUILD/drivers/fake-vmm" --accel tcg "$BATS_TEST_TMPDIR/record"
	fl down -q kept >/dev/null
}
