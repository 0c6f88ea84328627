# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# Starting and stopping fl-serve for bats files, and the clients' checks.

# The images of tests are in folders.
export FLINTLOCKD_IMAGE_ROOTS=${BATS_RUN_TMPDIR:-}

# serve_start [OPTIONS…]: on a free port of loopback, with the stand-in for a VMM.
serve_start() {
	local port try
	for try in $(seq 20); do
		port=$(free_port)
		fl-serve run --grpc-endpoint "127.0.0.1:$port" --accel tcg \
			--qemu "$FL_BUILD/drivers/fake-vmm" "$@" >"$BATS_FILE_TMPDIR/serve.log" 2>&1 3>&- &
		SERVE_PID=$!
		export SERVE_PID SERVE=127.0.0.1:$port
		serve_wait && return 0
	done
	echo "fl-serve did not start, $try times"
	cat "$BATS_FILE_TMPDIR/serve.log"
	return 1
}

# Waits until it listens; fails when it has ended.
serve_wait() {
	local try
	for try in $(seq 200); do
		is_alive "$SERVE_PID" || return 1
		(exec 9<>"/dev/tcp/${SERVE%:*}/${SERVE##*:}") 2>/dev/null && return 0
		sleep 0.05
	done
	return 1
}

serve_stop() {
	local try
	[ -n "${SERVE_PID:-}" ] || return 0
	kill "$SERVE_PID" 2>/dev/null || return 0
	for try in $(seq 200); do
		is_alive "$SERVE_PID" || return 0
		sleep 0.05
	done
	echo "fl-serve does not end" >&2
	kill -9 "$SERVE_PID"
	return 1
}

# For teardown_file: the server ends, said nothing bad, and left nothing.
serve_teardown() {
	local left try
	# What it was told to delete last may still be on its way out.
	for try in $(seq 200); do
		is_alive "${SERVE_PID:-0}" || break
		[ -n "$(fl ls --json | jq -r 'select(.state == "DELETING").uid')" ] || break
		sleep 0.05
	done
	serve_stop
	left=$(what_is_left)
	fl down -q --all >/dev/null
	! grep -sE 'Sanitizer|runtime error' "$BATS_FILE_TMPDIR/serve.log"
	[ -z "$left" ] || {
		echo "left: $left"
		return 1
	}
}

# The system's Python has grpcio from Debian's package.
# checks FILE CHECK…: a function of t/fl-serve/FILE.py.
checks() {
	PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python PYTHONDONTWRITEBYTECODE=1 \
		/usr/bin/python3 "$FL_TOP/t/fl-serve/$1.py" "${@:2}" || {
		tail -n 30 "$BATS_FILE_TMPDIR/serve.log"
		return 1
	}
}
