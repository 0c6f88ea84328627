#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Every way to an image, one chain of layers: the same disk to the byte, whoever it came from and
# whoever reads it.

load ../lib
load registries

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images S=$BATS_FILE_TMPDIR
	local proxies=()
	small_images "$IMAGES"
	mkdir "$S/tokens"
	python3 "$FL_TOP/t/fl-pull/token_server.py" "$S/tokens" "$S/tokens/port" "$S/tokens/log" 3>&- &
	proxies+=($!)
	wait_for_file "$S/tokens/port"
	for kind in plain tls basic token; do
		case $kind in
		plain) registry_start "$S/plain" ;;
		tls) registry_start "$S/tls" tls ;;
		basic) registry_start "$S/basic" tls basic ;;
		token) TOKEN_PORT=$(cat "$S/tokens/port") registry_start "$S/tokens" token ;;
		esac
		proxies+=("$REGISTRY_PID")
		echo "$REGISTRY" >"$S/$kind.host"
		# skopeo has the login in its arguments: only a test may do that.
		skopeo copy -q --dest-creds "user:open sesame" --dest-tls-verify=false \
			"oci:$IMAGES/layout:root" "docker://$REGISTRY/busy/root:1"
	done
	python3 "$FL_TOP/t/fl-pull/faulty_proxy.py" "$(cat "$S/plain.host")" "$S/faulty.port" "$S/faulty.log" 3>&- &
	proxies+=($!)
	wait_for_file "$S/faulty.port"
	echo "127.0.0.1:$(cat "$S/faulty.port")" >"$S/faulty.host"
	export PIDS="${proxies[*]}"
	# Each once more, under other packings.
	skopeo copy -q --src-tls-verify=false --dest-tls-verify=false --format v2s2 \
		"oci:$IMAGES/layout:root" "docker://$(cat "$S/plain.host")/docker/root:1"
	skopeo copy -q --dest-tls-verify=false --dest-compress-format zstd \
		"oci:$IMAGES/layout:root" "docker://$(cat "$S/plain.host")/zstd/root:1"
	skopeo copy -q "oci:$IMAGES/layout:root" "oci-archive:$S/oci.tar:root"
	skopeo copy -q "oci:$IMAGES/layout:root" "docker-archive:$S/docker.tar:host.example/t/root:1"
}

teardown_file() {
	# shellcheck disable=SC2086 # several
	kill $PIDS 2>/dev/null || true
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
	for kind in basic token; do
		logins_file "$kind.json" "$(cat "$S/$kind.host")"
	done
}

# same SOURCE [OPTIONS…]: got into a store of its own, it is the disk that all others are.
same() {
	local name chain
	settled "$FL_STATE_DIR"
	own_state "$BATS_TEST_TMPDIR/$((++count))"
	fl-pull get --json "$@" >got
	name=$(jq -r .ref got)
	chain=$(fl-pull inspect --json --pull never "$name" | jq -c '.config.rootfs.diff_ids')
	fl-snap export --size 16M "$name" img
	echo "$* $chain $(sha256sum <img)"
	sha256sum <img >>disks
	echo "$chain" >>chains
	fl-snap create --size 16M "$name" child
	find "$FL_STATE_DIR/bases" -maxdepth 1 -type f -printf '%f\n' >>bases
}

# shellcheck disable=SC2094 # the file is another's input
@test "every source: one chain id, one disk to the byte" {
	same "oci:$IMAGES/layout:root"
	same "oci-archive:$S/oci.tar:root"
	same "docker-archive:$S/docker.tar"
	same - --name a.example/b:1 <"$S/oci.tar"
	same - <"$S/docker.tar"
	same "$(cat "$S/plain.host")/busy/root:1"
	same "$(cat "$S/plain.host")/docker/root:1"
	same "$(cat "$S/plain.host")/zstd/root:1"
	same --ca-file "$S/tls/tls.crt" "$(cat "$S/tls.host")/busy/root:1"
	same --ca-file "$S/basic/tls.crt" --auth-file basic.json "$(cat "$S/basic.host")/busy/root:1"
	same --auth-file token.json "$(cat "$S/token.host")/busy/root:1"
	same "$(cat "$S/faulty.host")/busy/root:1"
	grep -q " 503" "$S/faulty.log"
	[ "$count" = 12 ]
	[ "$(wc -l <disks)" = 12 ]
	[ "$(sort -u disks | wc -l)" = 1 ]
	[ "$(sort -u chains | wc -l)" = 1 ]
	[ "$(wc -l <bases)" = 12 ]
	[ "$(sort -u bases | wc -l)" = 1 ]
}

@test "skopeo and umoci read the store in place" {
	fl-pull get -q "$(cat "$S/plain.host")/busy/root:1"
	name=$(fl-pull ls --json | jq -r .ref)
	digest=$(fl-pull ls --json | jq -r .digest)
	[ "$(skopeo inspect "oci:$FL_STATE_DIR/images:$name" | jq -r .Digest)" = "$digest" ]
	skopeo copy -q "oci:$FL_STATE_DIR/images:$name" oci:copy:x
	[ "$(jq -r '.manifests[0].digest' copy/index.json)" = "$digest" ]
	umoci stat --image "$FL_STATE_DIR/images:$name" >/dev/null
	umoci unpack --rootless --image "$FL_STATE_DIR/images:$name" bundle
	[ "$(cat bundle/rootfs/etc/both)" = new ]
	[ ! -e bundle/rootfs/etc/gone ]
}

@test "containerd takes an exported archive, and what it exports is the same image" {
	command -v containerd >/dev/null || skip "no containerd"
	[ "$(id -u)" = 0 ] || skip "not root"
	fl-pull get -q "$(cat "$S/plain.host")/busy/root:1"
	name=$(fl-pull ls --json | jq -r .ref)
	digest=$(fl-pull ls --json | jq -r .digest)
	fl-pull export "$name" "oci-archive:export.tar"
	cat >containerd.toml <<-CONFIG
		version = 2
		root = "$PWD/containerd"
		state = "$PWD/containerd-state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "$PWD/c.sock"
	CONFIG
	containerd -c containerd.toml >containerd.log 2>&1 3>&- &
	containerd=$!
	for _ in $(seq 100); do
		ctr -a c.sock version >/dev/null 2>&1 && break
		sleep 0.1
	done
	status=0
	{
		ctr -a c.sock images import --no-unpack --base-name host.example/t/root export.tar &&
			ctr -a c.sock images ls -q &&
			ref=$(ctr -a c.sock images ls -q | head -n 1) &&
			ctr -a c.sock images ls | grep -q "$digest" &&
			ctr -a c.sock images export --platform linux/amd64 - "$ref" | fl-pull get - --name back.example/t/root:1 --json >back
	} >ctr.log 2>&1 || status=$?
	kill "$containerd"
	wait "$containerd" || true
	cat ctr.log
	[ "$status" = 0 ]
	[ "$(jq -r .digest back)" = "$digest" ]
}
