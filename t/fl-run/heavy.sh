#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Many microVMs with a real QEMU through every verb in random order, with kill -9 of whoever is at
# work; in the end every record tells the truth, and after "down" nothing is left.
#     t/fl-run/heavy.sh [SECONDS [MICROVMS [SEED]]]
set -eu

# Its links, bridges and rules are nobody else's.
[ "${HEAVY_OWN:-}" ] || HEAVY_OWN=yes exec unshare -n "$0" "$@"

top=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
FL_BUILD=${FL_BUILD:-$top/build}
# shellcheck source=t/lib.bash
. "$top/t/lib.bash"
# shellcheck source=t/lab/lab.bash
. "$top/t/lab/lab.bash"
work=$(mktemp -d)
own_state "$work"
export IMAGES=$work/images PROBES=$work/probes PYTHONDONTWRITEBYTECODE=1

finish() {
	fl down -q --all >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT

ip link set lo up
# A monitor of our own beside the supervisor's.
mkdir "$PROBES" "$work/bin"
QEMU=$(command -v "qemu-system-$(uname -m)")
cat >"$work/bin/${QEMU##*/}" <<'END'
#!/bin/sh
case $2 in default/*) exec "$QEMU" "$@" -qmp "unix:$PROBES/${2#default/},server=on,wait=off" ;; esac
exec "$QEMU" "$@"
END
chmod +x "$work/bin/${QEMU##*/}"
export QEMU PATH=$work/bin:$PATH
lab_images "$IMAGES"
fl-net bridge create heavybr0 --address 10.6.0.1/24 --nat
/usr/bin/python3 "$top/t/fl-run/heavy.py" "${1:-120}" "${2:-30}" "${3:-1}"
fl down -q --all >/dev/null
left=$(what_is_left; ip -o link | grep fltap || true; nft list tables | grep -v heavybr0 || true)
[ -z "$left" ] || { echo "left: $left"; exit 1; }
fl-net bridge rm heavybr0
fl-snap ls --json | jq -r .name | xargs -r fl-snap rm
fl-snap gc -q
