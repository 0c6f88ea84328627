#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Installs what is missing of the packages named in a list, one per line.
#     contrib/deps.sh packages.list
set -eu

list=$1
missing=
while read -r package; do
	case $package in '' | \#*) continue ;; esac
	state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done <"$list"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing packages; as root: apt-get install$missing" >&2
	exit 6
fi
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of words
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	exit 10
fi
