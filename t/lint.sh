#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Rules of the code that no compiler knows, in TAP: one line each.
set -u

cd "$(dirname "$(dirname "$(realpath "$0")")")" || exit 1
failures=0

# report NAME TEXT: a rule is kept when there is nothing to say about it.
report() {
	if [ -z "$2" ]; then
		echo "ok - lint: $1"
	else
		printf '%s\n' "$2" | head -n 20 | sed 's/^/# /'
		echo "not ok - lint: $1"
		failures=$((failures + 1))
	fi
}

sources=$(git ls-files 'common/*.[ch]' 'cmd/*.[ch]')
scripts=$(git ls-files '*.sh' '*.bash' '*.bats' '*.py' .ci/run t/lab/ images/ ':!images/*/files/*' ':!images/*/packages')

floor_of() {
	case $1 in
	macro | cleanup | handed) echo 0 ;;
	alloc | err | clock | arch | alike) echo 1 ;;
	str | vec | log | num | cancel) echo 2 ;;
	io | path | colour | sha256 | inet | ulid | base64 | uuid | boot | shell | manager | spare) echo 3 ;;
	digest | atomic | lock | proc | cgroup | durable | since | tail | accel | ecdsa) echo 4 ;;
	hasher | json | http | unixhttp | yaml | documents | slot | publish | egress | places | share) echo 5 ;;
	reference | schema | mask | selector | label | condition | ssh_key | userdata) echo 6 ;;
	spec | image | provider) echo 6 ;;
	journal | record | state | control | metrics | jail) echo 7 ;;
	cli | help | completion | table | step | dryrun | progress) echo 8 ;;
	*) echo "?" ;;
	esac
}

floors() {
	local file module mine other theirs
	for file in common/*.[ch]; do
		module=$(basename "${file%.*}")
		# Implementation files of a module whose header has another name.
		case $module in
		store) module=image ;;
		validate) module=spec ;;
		httptext) module=http ;;
		adopt | watch) module=state ;;
		up | down | choose) module=step ;;
		esac
		mine=$(floor_of "$module")
		[ "$mine" = "?" ] && echo "$file: on no floor; give it one in t/lint.sh"
		# shellcheck disable=SC2013 # words, one per line
		for other in $(sed -n 's/^#include "common\/\(.*\)\.h"/\1/p' "$file"); do
			theirs=$(floor_of "$other")
			[ "$theirs" = "?" ] && continue
			[ "$theirs" -gt "$mine" ] && echo "$file (floor $mine) includes $other.h (floor $theirs)"
		done
	done
}
report "a module includes only its own and lower floors" "$(floors)"

rooms() {
	local file program
	grep -n '#include "cmd/' common/*.[ch]
	for file in $(git ls-files 'cmd/*.[ch]'); do
		program=${file#cmd/}
		program=${program%%/*}
		grep -n '#include "cmd/' "$file" | grep -v "\"cmd/$program/" | sed "s|^|$file:|"
	done
}
report "a program includes common/ and its own folder only" "$(rooms)"

# header pattern, the only files that may include it
facades() {
	local pattern owners file
	while read -r pattern owners; do
		for file in $sources; do
			grep -q "#include <$pattern" "$file" || continue
			case " $owners " in *" $file "*) continue ;; esac
			case $owners in */) case $file in "$owners"*) continue ;; esac ;; esac
			echo "$file includes <$pattern…>, whose owner is $owners"
		done
	done <<-LIST
		jansson common/json.c
		curl/ common/http.c
		nettle/ common/hasher.c
		sha[12] common/sha256.c
		openssl/e[vr] common/ecdsa.c cmd/fl-serve/tls.c cmd/fl-provision/certificate.c
		openssl/[prx] common/ecdsa.c cmd/fl-provision/certificate.c
		openssl/ssl cmd/fl-serve/tls.c
		nghttp2/ cmd/fl-serve/rpc/http2.c
		event2/ cmd/fl-serve/
		zlib cmd/fl-snap/inflate.c cmd/fl-pack/blob.c cmd/fl-serve/rpc/gunzip.c
		yaml.h common/yaml.c
		archive cmd/fl-snap/tar.c cmd/fl-pack/tar.c
		isa-l cmd/fl-snap/inflate.c
		ext2fs/ cmd/fl-snap/ext4/
		netlink/ cmd/fl-net/link.c
		nftables/ cmd/fl-net/rules.c
		libdevmapper cmd/fl-snap/thin/mapper.c
		blkid/ cmd/fl-provision/disk.c
	LIST
}
report "a foreign library's header is included by its owner only" "$(facades)"

report "every file says its licence" "$(for f in $sources $scripts Makefile; do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: MPL-2.0' || echo "$f"
done)"

# cli and progress speak for main; a child of proc and durable has nobody above it.
report "nothing under common/ prints or exits" "$(git grep -nE '\b(printf|puts|fputs|perror|fprintf|_?exit)\(' -- \
	'common/*.c' ':!common/cli.c' ':!common/progress.c' ':!common/proc.c' ':!common/durable.c')"

# shellcheck disable=SC2086 # a list of files
report "no unbounded number parsing or copying" "$(grep -nE '\b(atoi|atol|strtol|gets|strcat|strncpy)\(' $sources)"

report "files have at most 500 lines" "$(git ls-files "*.c" | xargs wc -l | awk '$2 != "total" && $1 > 500')"

lengths() {
	git ls-files '*.c' | ctags -L - -f - --kinds-C=f --fields=+ne --sort=no 2>/dev/null |
		awk -F'\t' '{ l = e = ""; for (i = 4; i <= NF; i++) { if ($i ~ /^line:/) l = substr($i, 6);
			if ($i ~ /^end:/) e = substr($i, 5) } if (l != "" && e != "") print e - l + 1, $1, $2 }' | sort -n
}
report "functions are short (median 15, 95 % 50, none over 100)" "$(lengths | awk '{ n[NR] = $1; w[NR] = $0 }
	END { m = n[int((NR + 1) / 2)]; p = n[int(NR * 0.95)]; x = n[NR]
	if (m > 15 || p > 50 || x > 100) print "median " m ", 95 % " p ", longest " w[NR] }')"

report "headers compile alone" "$(for h in $(git ls-files '*.h' | grep '^c'); do
	printf '#include "%s"\n' "$h" | ${CC:-cc} -std=c11 -D_GNU_SOURCE -I. -fsyntax-only -x c - 2>&1 | head -n 2
done)"

# shellcheck disable=SC2086,SC2046 # lists of files
report "shellcheck" "$(shellcheck -x $(grep -lE '^#!/bin/(ba)?sh|shellcheck shell' $scripts) 2>&1)"

report "clang builds without a warning" "$(make -j2 --no-print-directory B=build-clang CC=clang WERROR=-Werror tests 2>&1 |
	grep -E 'error|warning' | head -n 20)"

analyzer() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	git ls-files 'common/*.c' 'cmd/*.c' | xargs -P2 -n1 sh -c '
		clang --analyze -Xanalyzer -analyzer-output=text -std=c11 -D_GNU_SOURCE -DFL_VERSION=\"x\" -DFL_HAVE_ISAL \
			-I. $(pkg-config --cflags libnl-3.0 libarchive ext2fs jansson) -o /dev/null "$0" 2>&1' | grep 'warning:'
}
report "clang's analyzer has no finding" "$(analyzer)"

# Without optimisation: what the optimiser drops is not looked at. A finding without a
# place, of a value without a name, is gcc 12's own.
gcc_analyzer() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	git ls-files 'common/*.c' 'cmd/*.c' | xargs -P2 -n1 sh -c '
		gcc -fanalyzer -std=c11 -D_GNU_SOURCE -DFL_VERSION=\"x\" -DFL_HAVE_ISAL \
			-I. $(pkg-config --cflags libnl-3.0 libarchive ext2fs jansson) -c -o /dev/null "$0" 2>&1' |
		grep 'warning:' | grep -v "^cc1: .*<unknown>"
}
report "gcc's analyzer has no finding" "$(gcc_analyzer)"

# Options in --help and in the man page, both ways.
man_pages() {
	local program page command help option
	for program in build/bin/*; do
		page=man/$(basename "$program").8.scd
		[ -e "$page" ] || { echo "$page is missing"; continue; }
		for command in $("$program" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z_-]*\) .*/\1/p'); do
			help=$("$program" "$command" --help)
			for option in $(printf '%s\n' "$help" | grep -oE '^ .*--[a-z-]+' | grep -oE -- '--[a-z-]+$'); do
				grep -q -- "$(printf '%s' "$option" | sed 's/-/\\\\\\?-/g')" "$page" man/fl.7.scd ||
					echo "$page: $command $option is not described"
			done
			grep -qE "\*$command\*|^## $command|\*$(basename "$program") $command" "$page" ||
				echo "$page: command $command is not described"
		done
	done
}
report "man pages describe every command and option" "$(man_pages)"
# What follows one is taken for itself.
report "examples of man pages have no backslash" "$(awk '/^```/ { code = !code } code && /\\/ { print FILENAME ": " $0 }' man/*.scd)"

report "man pages are good scdoc" "$(for p in man/*.scd; do scdoc <"$p" 2>&1 >/dev/null | sed "s|^|$p: |"; done)"
report "no machine's paths or hosts" "$(git grep -nE '/work/|deb\.debian\.org|security\.debian\.org' -- . ':!t/lint.sh')"

exit $((failures > 0))
