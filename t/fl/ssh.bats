#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# What ssh and scp are told, with stand-ins for both.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	own_state "$BATS_TEST_TMPDIR"
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	for tool in ssh scp; do
		printf '#!/bin/sh\nprintf "%%s\\n" "${0##*/}" "$@"\n' >"$BATS_TEST_TMPDIR/bin/$tool"
		chmod +x "$BATS_TEST_TMPDIR/bin/$tool"
	done
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
	cd "$BATS_TEST_TMPDIR" || return 1
	: >key
	quick_up < <(small_spec a) >/dev/null
	record=$(echo "$FL_STATE_DIR"/vm/default/a/*/record.json)
	uid=$(jq -r .spec.uid "$record")
	address 10.1.2.3/24
}

teardown() {
	fl down -q a >/dev/null
	[ -z "$(what_is_left)" ]
}

address() {
	jq --arg a "$1" '.host.network.eth0.address = $a' "$record" >"$record.tmp"
	mv "$record.tmp" "$record"
}

# What stands behind "--".
told() {
	sed -n '/^--$/,$p' <<<"$output" | tail -n +2 | xargs
}

@test "ssh and cp know the same host key" {
	run -0 fl ssh -i key -l me a ls -l
	[ "$(told)" = "10.1.2.3 ls -l" ]
	options=$(sed '1d;/^--$/,$d' <<<"$output")
	run -0 fl ssh a -- ls -- -l
	[ "$(told)" = "10.1.2.3 ls -- -l" ]
	[[ "$options" == *"-oHostKeyAlias=$uid"*"-oUser=me"*"key"* ]]
	run -0 fl cp -i key -l me f "$uid:/tmp"
	[ "$(sed '1d;/^--$/,$d' <<<"$output")" = "$options" ]
}

@test "host keys are kept in a state folder of any name" {
	mv "$FL_STATE_DIR" "$PWD/an \"odd\" %d state"
	FL_STATE_DIR="$PWD/an \"odd\" %d state" run -0 fl ssh a
	mv "$PWD/an \"odd\" %d state" "$FL_STATE_DIR"
	option=$(grep UserKnownHostsFile <<<"$output")
	# As ssh itself reads it.
	[[ "$(command -p ssh -F none -G "$option" host)" == *"userknownhostsfile $PWD/an \"odd\" %d state/vm/default/a/$uid/known_hosts"* ]]
}

@test "one that is held or stopped is told, and options behind the name" {
	fails_with 2 "-i: options stand before the microVM's name" fl ssh a -i key ls
	fl pause a
	fails_with 8 'default/a: is paused; "fl resume' fl ssh a
	fails_with 8 'is paused' fl cp f a:
	fl stop --force a
	fails_with 8 "does not run: the VMM was killed, as was asked" fl ssh a
}

@test "a key that cannot be read is told, and nobody is asked to log in" {
	run -4 fl ssh -i nosuch a
	[[ "$output" == *"nosuch: the private key cannot be read: No such file"* ]]
	run -4 fl cp -i nosuch f a:
	[[ "$output" != *scp* ]]
	: >half.pub
	run -0 fl ssh -i half a
	run -0 fl ssh --identity='~/nosuch' a
	chmod 0 key
	[ "$(id -u)" = 0 ] || run -6 fl ssh -i key a
}

@test "cp in, out, of several files" {
	run -0 fl cp -rp one /two ./x:y default/a:
	[ "$(told)" = "./one /two ./x:y 10.1.2.3:" ]
	[[ "$output" == *$'\n-r\n-p\n'* ]]
	run -0 fl cp a:/etc/one "default/a:with space:and" .
	[ "$(told)" = "10.1.2.3:/etc/one 10.1.2.3:with space:and ." ] || false
	address fd00::5/64
	run -0 fl cp a:x -- -y
	[ "$(told)" = "[fd00::5]:x ./-y" ]
}

@test "cp between two guests or none is refused" {
	run -2 fl cp a b
	run -2 fl cp a:x a:y
	run -2 fl cp a:x b:y .
	run -2 fl cp x a:y .
	run -2 fl cp ../a:x .
	run -4 fl cp other:x .
	run -4 env PATH=/nonexistent "$FL_BUILD/bin/fl" cp a:x .
	[[ "$output" == *"scp: cannot be executed; install openssh-client"* ]]
	run -2 fl cp a:x
}
