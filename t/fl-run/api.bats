#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Firecracker's and Cloud Hypervisor's APIs by a stand-in (api.py), which holds all that it is told
# against what they document, and can go wrong in every way.

bats_require_minimum_version 1.5.0
load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images BIN=$BATS_FILE_TMPDIR/bin
	export FL_STATE_DIR=$BATS_FILE_TMPDIR/state FL_RUN_DIR=$BATS_FILE_TMPDIR/run
	small_images "$IMAGES"
	mkdir "$BIN"
	ln -s "$FL_TOP/t/fl-run/api.py" "$BIN/firecracker"
	ln -s "$FL_TOP/t/fl-run/api.py" "$BIN/cloud-hypervisor"
	export FL_FIRECRACKER=$BIN/firecracker FL_CLOUDHYPERVISOR=$BIN/cloud-hypervisor
	make_kvm
}

teardown_file() {
	[ -z "${HOLDER:-}" ] || kill "$HOLDER"
}

# The stand-ins need no /dev/kvm, but fl-run wants to see one: where there is none, a /dev of our
# own has what looks like it.
make_kvm() {
	[ ! -r /dev/kvm ] || [ ! -w /dev/kvm ] || return 0
	unshare -m true 2>/dev/null || skip "no /dev/kvm, and no right to make one up"
	mkdir "$BATS_FILE_TMPDIR/dev"
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare -m bash -c '
		mount -t tmpfs dev "$0"
		cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/fd "$0"
		cp -a /dev/null "$0/kvm"
		mount --move "$0" /dev
		touch /dev/ready
		exec sleep 1800' "$BATS_FILE_TMPDIR/dev" 3>&- &
	export HOLDER=$!
	for _ in $(seq 100); do
		[ ! -e "/proc/$HOLDER/root/dev/ready" ] || break
		sleep 0.05
	done
}

setup() {
	export FL_API_WRONG=$BATS_TEST_TMPDIR/wrong FL_API_HEARD=$BATS_TEST_TMPDIR/heard
	touch "$FL_API_HEARD"
}

teardown() {
	inside fl down -q --all >/dev/null
	cat "$FL_API_WRONG" 2>/dev/null || true
	[ ! -e "$FL_API_WRONG" ]
	[ -z "$(what_is_left)" ]
	run ! pgrep -a -f "($FL_FIRECRACKER|$FL_CLOUDHYPERVISOR) .*$FL_STATE_DIR"
}

inside() {
	if [ -n "${HOLDER:-}" ]; then
		nsenter -t "$HOLDER" -m "$@"
	else
		"$@"
	fi
}

field() {
	fl-run status --json "default/$1" | jq -r ".$2"
}

becomes() { # NAME FIELD VALUE
	local try
	for try in $(seq 100); do
		[ "$(field "$1" "$2")" != "$3" ] || return 0
		sleep 0.1
	done
	echo "$1: $2 is $(field "$1" "$2"), not $3, after $try tries"
	return 1
}

# api_up PROVIDER [FAULTS [fl up's options…]]: a microVM called vm.
api_up() {
	local provider=$1 faults=${2:-none}
	shift $(($# < 2 ? $# : 2))
	small_spec vm --cmdline "fake=$faults" --guest-agent | jq -c ".provider = \"$provider\"" |
		inside fl up -q --accel kvm --settle 300ms "$@" >/dev/null
}

# Within so many seconds.
within() {
	local limit=$1 start=$SECONDS
	shift
	"$@" || return
	[ $((SECONDS - start)) -le "$limit" ] || {
		echo "$*: took $((SECONDS - start)) s"
		return 1
	}
}

supervised() {
	pgrep -f "[f]l-supervise $FL_STATE_DIR" >/dev/null
}

# Whatever happened to the API, the microVM is kept, and ends when it must.
survives() {
	supervised
	[ "$(field vm vmm_state)" = running ]
	within 5 fl stop --timeout 1s vm
	[ "$(field vm vmm_state) $(field vm state)" = "stopped CREATED" ]
	inside fl start vm --accel kvm --settle 300ms
	[ "$(field vm vmm_state)" = running ]
}

both() {
	for provider in firecracker cloudhypervisor; do
		echo "# $provider"
		"$@" "$provider"
		inside fl down -q --all >/dev/null
	done
}

well() {
	api_up "$1"
	fl console vm --print | grep -q 'stand-in: guest is up'
	fl pause vm
	[ "$(field vm vmm_state)" = paused ]
	fl resume vm
	[ "$(field vm vmm_state)" = running ]
	for _ in 1 2; do
		fl metrics vm --json >"$BATS_TEST_TMPDIR/metrics"
		jq -e .answered "$BATS_TEST_TMPDIR/metrics"
	done
	[ "$(jq -c '.disks[] | select(.id == "root") | [.read_bytes, .writes]' "$BATS_TEST_TMPDIR/metrics")" = "$2" ]
	fl-snap grow vm root 24M >"$BATS_TEST_TMPDIR/grown" 2>&1
	[ ! -s "$BATS_TEST_TMPDIR/grown" ]
	within 5 fl stop vm
	[ "$(field vm exit.kind)" = poweroff ]
}

@test "firecracker: what it is told is in its API; pause, resume, metrics, stop" {
	# Its counters are differences, and add up.
	well firecracker '[1024,8]'
	[ "$(sed 's/"path.*/…/' "$FL_API_HEARD")" = 'PATCH /vm {"state":"Paused"}
PATCH /vm {"state":"Resumed"}
PUT /actions {"action_type":"FlushMetrics"}
PUT /actions {"action_type":"FlushMetrics"}
PATCH /drives/d0 {"drive_id":"d0",…
PUT /actions {"action_type":"SendCtrlAltDel"}' ]
}

@test "cloudhypervisor: what it is told is in its API; pause, resume, metrics, stop" {
	well cloudhypervisor '[512,4]'
	[ "$(sed 's|^[A-Z]* /api/v1/||' "$FL_API_HEARD" | xargs)" = \
		"vm.pause vm.resume vm.counters vm.counters vm.resize-disk {id:d0,desired_size:25165824} vm.power-button" ]
}

dies() {
	fails_with 16 "it was told to die" within 5 api_up "$1" die
	[ "$(field vm state)" = FAILED ]
	[[ "$(field vm reason)" == *"status 1"*"it was told to die"* ]]
	run ! supervised
}

@test "a VMM that dies at start: its words, FAILED" {
	both dies
}

@test "a VMM that never listens is ended, and said" {
	small_spec other --cmdline fake=unbound | jq -c '.provider = "firecracker"' |
		inside fl up -q --accel kvm >"$BATS_TEST_TMPDIR/other" 2>&1 3>&- &
	other=$!
	fails_with 16 "does not listen on" within 25 api_up cloudhypervisor unbound
	[[ "$output" == *"cloudhypervisor.sock"* ]]
	[ "$(field vm state)" = FAILED ]
	status=0
	wait "$other" || status=$?
	cat "$BATS_TEST_TMPDIR/other"
	[ "$status" = 16 ]
	grep -q 'firecracker.sock' "$BATS_TEST_TMPDIR/other"
}

refuses() {
	api_up "$1" refuse
	fails_with 10 "told to refuse" within 3 fl pause vm
	[[ "$output" == *"vm: "*"HTTP status"* ]]
	[ "$(field vm vmm_state)" = running ]
	# Asked again, it is refused again.
	fails_with 10 "told to refuse" within 3 fl pause vm
	fl resume vm
	[ "$(fl metrics vm --json | jq .answered)" = false ]
	run -0 within 3 fl-snap grow vm root 24M
	[[ "$output" == *"told to refuse"* ]]
	within 3 fl stop --timeout 30s vm
	[[ "$(field vm reason)" == *"could not be asked to power off"*"told to refuse"* ]]
}

@test "a VMM that refuses: its words, and no waiting for what does not come" {
	both refuses
}

hangs() {
	api_up "$1" hang
	[ "$(within 2 fl metrics vm --json | jq .answered)" = false ]
	fails_with 10 "does not answer" within 14 fl pause vm
	survives
}

@test "a VMM whose API hangs: told within seconds, and stopped when it must" {
	both hangs
}

breaks() {
	api_up "$2" "$1"
	fails_with 10 "$3" within 3 fl pause vm
	[ "$(within 2 fl metrics vm --json | jq .answered)" = false ]
	survives
}

@test "an API that closes in the middle of an answer" {
	breaks cut firecracker "closed the connection"
	inside fl down -q vm
	breaks cut cloudhypervisor "closed the connection"
}

@test "an API that answers what is not HTTP" {
	breaks garbage firecracker "is not HTTP"
	inside fl down -q vm
	breaks garbage cloudhypervisor "is not HTTP"
}

@test "an API whose answer never ends" {
	breaks endless firecracker "larger than"
	inside fl down -q vm
	breaks endless cloudhypervisor "larger than"
}

recovers() {
	for fault in refuse cut garbage; do
		api_up "$1" "$fault,once"
		run -10 within 3 fl pause vm
		fl pause vm
		[ "$(field vm vmm_state)" = paused ]
		fl resume vm
		[ "$(field vm vmm_state)" = running ]
		[ "$(fl metrics vm --json | jq .answered)" = true ]
		inside fl down -q vm
		api_up "$1" "$fault,once"
		# Metrics that were not answered once are so the next time.
		fl metrics vm --json | grep -q '"answered": *false'
		[ "$(fl metrics vm --json | jq .answered)" = true ]
		inside fl down -q vm
	done
}

@test "an API that fails once serves the next time" {
	both recovers
}

@test "a VMM that is stopped by a signal and goes on is what it was asked to be" {
	api_up firecracker
	kill -STOP "$(field vm pid)"
	fails_with 10 "does not answer" fl pause vm
	kill -CONT "$(field vm pid)"
	fl resume vm
	[ "$(field vm vmm_state)" = running ]
	grep -q Resumed "$FL_API_HEARD"
}

@test "counters at the end of what a number can hold" {
	api_up firecracker huge
	for _ in 1 2 3; do
		fl metrics vm --json >"$BATS_TEST_TMPDIR/metrics"
		jq -e .answered "$BATS_TEST_TMPDIR/metrics"
		grep -qE '"read_bytes": *9223372036854775807\b' "$BATS_TEST_TMPDIR/metrics"
	done
	supervised
}

# On arm64 a reset and a power-off both end it, with status 0.
@test "a guest that switches off with the VMM has not rebooted" {
	api_up firecracker off
	becomes vm exit.kind poweroff
	[ "$(field vm reboots)" = 0 ]
	run ! supervised
}

@test "a power-off that was only talked of is none" {
	api_up firecracker reset
	for _ in $(seq 100); do
		[ "$(field vm reboots)" = 0 ] || break
		sleep 0.1
	done
	[ "$(field vm reboots)" -ge 1 ]
}

@test "a guest that does not hear: killed at the timeout" {
	api_up firecracker deaf
	within 4 fl stop --timeout 1s vm
	[[ "$(field vm reason)" == *"did not power off within 1 s"* ]]
}

@test "a program that does not tell its version is not waited for" {
	printf '#!/bin/sh\nexec sleep 100\n' >"$BIN/silent"
	printf '#!/bin/sh\necho half; exec sleep 100\n' >"$BIN/half"
	printf '#!/bin/sh\nyes\n' >"$BIN/endless"
	printf '#!/bin/sh\nexit 3\n' >"$BIN/nothing"
	chmod +x "$BIN"/*
	for program in silent half; do
		fails_with 14 "does not tell its version within" within 9 api_up firecracker "" \
			--firecracker "$BIN/$program"
		run ! pgrep -f 'sleep 100'
	done
	fails_with 13 "does not tell its version" within 5 api_up firecracker "" --firecracker "$BIN/endless"
	fails_with 13 "does not tell its version" within 5 api_up firecracker "" --firecracker "$BIN/nothing"
}
