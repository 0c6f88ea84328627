#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The examples of the man pages, run as they stand.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
}

examples() {
	awk '/^# EXAMPLES/ { on = 1; next } /^# / { on = 0 } on && /^```/ { code = !code; next } on && code' \
		"$FL_TOP/man/$1.8.scd" >script
	[ -s script ]
	bash -eux script
}

@test "fl" {
	examples fl
}

# With a registry of ours, which asks for a login, for the pages' "registry.example".
with_registry() { # PAGE
	# shellcheck source=t/registry.sh
	. "$FL_TOP/t/registry.sh"
	small_images "$PWD"
	mkdir man
	echo "open sesame" >password
	registry_start "$PWD/registry" basic
	# Not before: the registry takes such variables for its own settings.
	export REGISTRY_AUTH_FILE=$PWD/auth.json
	fl-pull login -q "$REGISTRY" -u user --password-stdin <password
	for image in root kernel; do
		skopeo copy -q --dest-tls-verify=false "oci:layout:$image" "docker://$REGISTRY/$image:1"
	done
	sed "s,registry\.example,$REGISTRY,g; s,/var/lib/flintlock,$FL_STATE_DIR,g" "$FL_TOP/man/$1.8.scd" >"man/$1.8.scd"
	FL_TOP=$PWD examples "$1" || { registry_stop; return 1; }
	registry_stop
}

@test "fl-pull" {
	with_registry fl-pull
}

@test "fl-snap" {
	with_registry fl-snap
}

@test "fl-meta" {
	examples fl-meta
	fsck.vfat -n seed.img
}

@test "fl-run" {
	examples fl-run
}

@test "fl-pack" {
	examples fl-pack
	skopeo inspect oci:layout:1 >/dev/null
}

@test "fl-net" {
	unshare -n true 2>/dev/null || skip "no right to make a network namespace"
	export -f examples
	unshare -n bash -c 'examples fl-net'
}

@test "every page is shown as it was written: no escape is left over" {
	make -s -C "$FL_TOP" B="$BATS_TEST_TMPDIR" man
	for page in man/*; do
		MANWIDTH=100 man -l "$page" >shown
		[ "$(wc -l <shown)" -gt 20 ]
		! grep -nE '&\.|\\[&(]' shown || { echo "$page"; return 1; }
	done
	MANWIDTH=100 man -l man/fl.8 | grep -qF 'up [FILE...]'
}

@test "every page and program can be searched for: its line names microVMs, and a page begins as its program's help" {
	for page in "$FL_TOP"/man/*.scd; do
		sed -n '/^# NAME/,/^# /s/^fl.* - //p' "$page" | grep microVM || { echo "$page"; return 1; }
	done
	for program in "$FL_BUILD"/bin/*; do
		line=$("$program" --help | sed -n 3p)
		[[ $line == *microVM* ]]
		grep -F "${program##*/} - ${line%%:*}" "$FL_TOP/man/${program##*/}.8.scd" || { echo "$program"; return 1; }
	done
}

@test "what fl hands through is in its help and completion, and is fl-run's" {
	verbs=$(fl --help | sed -n '/^Commands of fl-run/,/^$/p' | sed 1d)
	[ "$(wc -w <<<"$verbs")" -gt 10 ]
	for verb in $verbs; do
		fl-run --help | grep -q "^  $verb "
		fl "$verb" --help | grep -q "^usage: fl-run $verb "
		fl --completion bash | grep -q "words=.* $verb[ \"]"
		fl --completion fish | grep -q -- "-a $verb\$"
	done
}

@test "help, version and completion of every program" {
	for program in "$FL_BUILD"/bin/*; do
		name=${program##*/}
		"$program" --help | grep -q "usage: $name"
		"$program" --version | grep -q "^$name [0-9]"
		"$program" --completion bash | bash -n
		"$program" --completion fish | grep -q "complete -c $name"
		"$program" --completion zsh | grep -q "^#compdef $name\$"
		[ "$("$program" --help | awk 'length > 100' | wc -l)" = 0 ]
	done
}

# What bash offers for the last word of a line.
completed() { # WORD…
	# shellcheck disable=SC2016 # expanded there
	bash -c 'source <("$1" --completion bash)
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		"_${1//-/_}" "$1" "${*: -1}" "${*: -2:1}"
		printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}

@test "bash is offered microVMs, second words, the options of what is handed on, and the words there are" {
	completed fl ssh "" | cmp - <(echo)
	IMAGES=$BATS_TEST_TMPDIR small_images "$BATS_TEST_TMPDIR"
	IMAGES=$BATS_TEST_TMPDIR small_spec mvm0 --namespace blue | fl-pull up -q >/dev/null
	for command in "fl ssh" "fl stop" "fl console" "fl down" "fl-run wait"; do
		# shellcheck disable=SC2086 # two words
		[ "$(completed $command b)" = blue/mvm0 ]
	done
	[ "$(completed fl ss)" = ssh ]
	[ "$(completed fl-net bridge "" | xargs)" = "create rm ls" ]
	completed fl-net bridge --na | grep -x -- --nat
	completed fl console --sc | grep -x -- --scrollback
	completed fl stop --fo | grep -x -- --force
	completed fl-serve --grpc | grep -x -- --grpc-endpoint
	[ "$(completed fl wait --for "" | xargs)" = "running boot cloud-init exit" ]
	[ "$(completed fl up --restart on)" = on-failure ]
	[ "$(completed fl wait --for = cl)" = cloud-init ]
	[ "$(completed fl spec --provider f)" = firecracker ]
	[ "$(completed fl-serve run --log-format "" | xargs)" = "text json journald" ]
	completed fl apply "" | cmp - <(echo)
	[ "$(fl-run providers --json | jq -r .name | sort)" = "$(completed fl spec --provider "" | sort)" ]
}

# What zsh is asked to offer, said by stand-ins for its own functions.
offered() { # PROGRAM WORD…
	# shellcheck disable=SC2016 # zsh expands it
	zsh -f -c 'compdef() { : }; _describe() { print -l ${(P)2} }; _arguments() { print -l -- "$@" }
		source <("$1" --completion zsh); words=("${@[@]:1}"); CURRENT=$#words
		_${1:t}' zsh "$@"
}

@test "zsh is offered commands, then options with their words" {
	offered fl-snap "" | grep -x 'file:take one file, such as a kernel, out of an image'
	offered fl-snap file "" | grep -F -- '--platform=[the platform to take'
	offered fl-snap ls "" | grep -F -- '--json[print results'
	offered fl-net bridge "" | grep -Fx '*:operand:(create rm ls)'
	offered fl-run stop "" | grep -Fx '*:operand:_fl-run_vms'
	offered fl stop "" | grep -F -- '--force['
	offered fl spec "" | grep -F -- ':qemu|firecracker|cloudhypervisor:(qemu firecracker cloudhypervisor)'
	for program in "$FL_BUILD"/bin/*; do
		offered "${program##*/}" "" | grep -q ':'
	done
}

# What fish offers for the end of a line.
shown() { # LINE
	# shellcheck disable=SC2016 # fish expands it
	fish --no-config -c 'for program in $argv[2..]; $program --completion fish | source; end
		complete -C $argv[1]' "$1" "$FL_BUILD"/bin/* | cut -f 1
}

@test "fish is offered commands, then microVMs, options, words, or files" {
	cd "$BATS_TEST_TMPDIR"
	touch some-file
	shown "fl " | grep -x apply
	shown "fl " | grep -x ssh
	shown "fl " >words
	run ! grep some-file words
	IMAGES=$BATS_TEST_TMPDIR/i small_images "$BATS_TEST_TMPDIR/i"
	IMAGES=$BATS_TEST_TMPDIR/i small_spec mvm0 --namespace blue | fl-pull up -q >/dev/null
	for command in "fl ssh" "fl stop" "fl down" "fl-run wait"; do
		[ "$(shown "$command ")" = blue/mvm0 ]
	done
	[ "$(shown "fl stop --fo")" = --force ]
	[ "$(shown "fl start --accel " | xargs)" = "auto kvm tcg" ]
	[ "$(shown "fl up --backend q")" = qcow2 ]
	[ "$(shown "fl-net bridge " | xargs)" = "create ls rm" ]
	[ "$(shown "fl apply some")" = some-file ]
	[ "$(shown "fl up some")" = some-file ]
	[ "$(shown "fl-run --vers")" = --version ]
}

@test "fl-serve" {
	examples fl-serve
	[ ! -e serve.sock ]
}

@test "fl-provision" {
	unshare -n true 2>/dev/null || skip "no right to make a network namespace"
	export -f examples
	unshare -n bash -c 'examples fl-provision'
}
