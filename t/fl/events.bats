#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# What changed, from the journal; and what changes.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	own_state "$BATS_TEST_TMPDIR"
}

teardown() {
	fl ls --json | jq -r .uid | xargs -r fl down -q >/dev/null
	[ -z "$(what_is_left)" ]
}

# make NAME [LABEL]: a record, without a VMM.
make_one() {
	fl-pull up -q < <(small_spec "$1" ${2:+--label "$2"}) >/dev/null
}

# Waits until a file holds what is looked for.
holds() {
	for _ in $(seq 100); do
		grep -q "$2" "$1" && return
		sleep 0.05
	done
	return 1
}

@test "history, its times, and going on from a cursor" {
	make_one one
	cursor=$(fl events --json | tail -n1 | jq .seq)
	make_one two
	fl down one >/dev/null
	[ "$(fl events --json | jq -r 'select(.what == "created").name' | xargs)" = "one two" ]
	[ "$(fl events --json --since "$cursor" | jq -r 'select(.what == "created" or .what == "deleted") | .what + .name' | xargs)" = \
		"createdtwo deletedone" ]
	[ "$(fl events --json --since "$cursor" | head -n1 | jq .seq)" = $((cursor + 1)) ]
	[ -z "$(fl events --since "$(fl events --json | tail -n1 | jq .seq)")" ]
	[ -n "$(fl events --since 1h)" ]
	[ -z "$(fl events --since "$(date -ud '+1 hour' +%FT%TZ)")" ]
	fl events --since 2026-01-01 | grep -q '  created  default/two  '
	run -2 fl events --since yesterday
	run -4 fl events --since 99999
	[[ "$output" == *"the journal holds"* ]]
}

@test "following by label tells the state, and the end too" {
	make_one web tier=web
	fl events --follow --json -l tier=web >"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	sleep 0.3
	make_one db tier=db
	make_one front tier=web
	fl down web >/dev/null
	fl down front >/dev/null
	holds "$BATS_TEST_TMPDIR/out" '"deleted".*\|"front".*"deleted"'
	kill "$pid"
	wait "$pid" || [ $? = 143 ]
	[ -z "$(jq -r 'select(.name == "db")' "$BATS_TEST_TMPDIR/out")" ]
	[ "$(jq -r 'select(.name == "front" and .what == "created").state' "$BATS_TEST_TMPDIR/out")" = PENDING ]
	[ "$(jq -r 'select(.what == "deleted").name' "$BATS_TEST_TMPDIR/out" | xargs)" = "web front" ]
}

@test "following goes through rotation, and an old cursor is told" {
	make_one one
	fl events --follow --json >"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	sleep 0.3
	last=$(fl events --json | tail -n1 | jq .seq)
	# As large as rotation wants it, by lines that others wrote.
	(
		flock 9
		yes "{\"seq\":$((last + 1)),\"time\":\"2026-01-01T00:00:00.000000Z\",\"uid\":\"x\",\"what\":\"changed\"}" |
			head -c 4300000 >>"$FL_STATE_DIR/events.jsonl"
		echo >>"$FL_STATE_DIR/events.jsonl"
	) 9>"$FL_STATE_DIR/events.lock"
	make_one two
	holds "$BATS_TEST_TMPDIR/out" '"two".*created'
	[ -e "$FL_STATE_DIR/events.1.jsonl" ]
	kill "$pid"
	wait "$pid" || [ $? = 143 ]
	[ "$(jq -s 'map(.seq) | . == (sort | unique)' "$BATS_TEST_TMPDIR/out")" = true ]
	rm "$FL_STATE_DIR/events.1.jsonl"
	run -4 fl events --since 1
}

@test "garbage in the journal is passed over" {
	make_one one
	printf '{"seq":"x"}\n\0\0\n[]\n{"seq":0}\nnull\n{' >>"$FL_STATE_DIR/events.jsonl"
	make_one two
	[ "$(fl events --json | jq -r 'select(.what == "created").name' | xargs)" = "one two" ]
}

@test "people are told what happened, and why; programs of every save" {
	cd "$BATS_TEST_TMPDIR"
	small_spec vm | quick_up >/dev/null
	fl pause vm
	fl resume vm
	kill -KILL "$(fl status --json vm | jq .pid)"
	fl wait vm --for=exit --timeout 10s
	fl events >out
	[ "$(awk '{ print $6, $7 }' out | xargs)" = \
		"PENDING PENDING starting CREATED running CREATED paused CREATED running FAILED failed" ]
	grep -q 'FAILED  failed  .*signal 9' out
	# At once, and once, of one that cannot be started.
	small_spec never | fl up -q --accel tcg --qemu "$FL_BUILD/drivers/nosuch" >/dev/null || true
	fl events --json | jq -s '[.[] | select(.name == "never" and .state == "FAILED")] |
		length == 1 and (.[0].reason | test("nosuch"))' | grep true
	[ "$(fl events --all | wc -l)" = "$(fl events --json | wc -l)" ]
	[ "$(fl events --all | wc -l)" -gt "$(wc -l <out)" ]
	small_spec bad | jq -c '.kernel.filename = "no\u001b[31msuch"' | fl up -q >/dev/null 2>&1 || true
	fl events >out
	grep -q 'default/bad .*FAILED .*no?\[31msuch' out
}

@test "whose request it was is told" {
	quick_up < <(small_spec requested) >/dev/null
	FL_REQUEST_ID=asked-by-me fl stop --force requested
	fl events | grep -E 'default/requested .* request=asked-by-me$'
	fl down -q requested >/dev/null
}
