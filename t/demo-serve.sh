#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# A microVM through the API: TLS and a token on loopback, changes watched live, metrics, and
# back to nothing. Over HTTP, since curl is what everybody has; gRPC answers the same.
#     t/demo-serve.sh BUILD
set -eu

top=$(dirname "$(dirname "$(realpath "$0")")")
build=$(realpath "$1")
work=$build/demo-serve
export PATH=$build/bin:$PATH FL_STATE_DIR=$work/state FL_RUN_DIR=$work/run

started=$(date +%s.%N)
step() {
	printf '\n\033[1m[%5.1f s]\033[0m %s\n' "$(echo "$(date +%s.%N) $started" | awk '{print $1 - $2}')" "$*"
}

serve='' watcher=''
finish() {
	set +e
	[ -n "$watcher" ] && kill "$watcher" 2>/dev/null
	[ -n "$serve" ] && kill "$serve" 2>/dev/null && wait "$serve"
	fl down -q --all >/dev/null 2>&1
	fl-net bridge rm flbr-demo >/dev/null 2>&1
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The token goes to curl through a file: the command line is for everybody to see.
ask() {
	curl -sS -K "$work/curl" "${@:1:$#-1}" "https://localhost/${*: -1}"
}

rm -rf "$work"
mkdir -p "$work"
step "images: a kernel and a Debian root from Debian's packages (cached in build/images)"
layout=$("$top/t/images.sh" "$build")

step "a certificate, a token, a bridge"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
(umask 077 && openssl rand -hex 24 >"$work/token" &&
	printf 'cacert = "%s"\nunix-socket = "%s"\nheader = "Authorization: Bearer %s"\n' \
		"$work/cert.pem" "$work/http.sock" "$(cat "$work/token")" >"$work/curl")
fl-net bridge create flbr-demo --address 10.78.0.1/24

step "fl-serve run --tls-cert … --token-file … --enable-http"
fl-serve run --grpc-endpoint "unix:$work/grpc.sock" --enable-http --http-endpoint "unix:$work/http.sock" \
	--tls-cert "$work/cert.pem" --tls-key "$work/key.pem" --token-file "$work/token" \
	--bridge-name flbr-demo --image-roots "$layout" &
serve=$!
until [ -S "$work/http.sock" ]; do sleep 0.1; done

step "GET /v1/server"
ask v1/server | jq '{version, providers, capacity, used}'

step "GET /v1/watch, left running"
ask -N v1/watch | jq --unbuffered -r \
	'.result // empty | "    event \(.cursor): \(.what) \(.namespace)/\(.name) \(.microvm.status.state // "")"' &
watcher=$!

step "POST /v1alpha1/microvm"
fl spec --namespace demo --name api0 --kernel "oci:$layout:kernel" --initrd "oci:$layout:kernel" \
	--root "oci:$layout:root" --root-size 4G --cpus 2 --memory 1024 --bridge flbr-demo >"$work/spec.json"
uid=$(ask -d @"$work/spec.json" v1alpha1/microvm | jq -er .microvm.spec.uid)
echo "$uid"

step "GET /v1alpha1/microvm/$uid until it is CREATED"
for ((i = 0; i < 600; i++)); do
	state=$(ask "v1alpha1/microvm/$uid" | jq -r .microvm.status.state)
	[ "$state" = PENDING ] || break
	sleep 0.5
done
[ "$state" = CREATED ] || {
	ask "v1/microvm/$uid/explain" | jq .
	exit 1
}

step "GET /v1/microvm/$uid/explain, while it boots"
sleep 3
ask "v1/microvm/$uid/explain" | jq '{state, vmmState, reason, console: .console[-3:]}'

step "GET /machine/uid/$uid"
ask "machine/uid/$uid" | grep -E '^flintlock_microvm_(running|cpu|memory|disk_read_bytes|network_receive_bytes)'

step "DELETE /v1alpha1/microvm/$uid"
ask -X DELETE "v1alpha1/microvm/$uid"
for ((i = 0; i < 200; i++)); do
	[ "$(ask "v1alpha1/microvm/$uid" | jq -r .code)" = 5 ] && break
	sleep 0.1
done

step "what is left: microVMs, links, processes, folders"
kill "$serve"
wait "$serve" || true
wait "$watcher" || true
serve='' watcher=''
fl-net bridge rm flbr-demo
left=$(
	fl ls --json
	ip -o link | grep -E 'fltap|flbr-demo' || true
	pgrep -a -f "$FL_STATE_DIR" || true
	find "$FL_STATE_DIR/vm" "$FL_RUN_DIR" -mindepth 1 2>/dev/null || true
)
if [ -n "$left" ]; then
	echo "$left"
	exit 1
fi
echo "nothing"
rm -rf "$work"
step "done"
