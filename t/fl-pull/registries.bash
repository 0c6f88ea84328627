# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# Registries for the bats files of fl-pull, and words of theirs.

# shellcheck source=t/registry.sh
. "$FL_TOP/t/registry.sh"

# Starts bad_registry.py over the small images: BAD is its host.
bad_start() {
	python3 "$FL_TOP/t/fl-pull/bad_registry.py" "$IMAGES/layout" "$BATS_FILE_TMPDIR/port" 3>&- &
	export BAD_PID=$!
	wait_for_file "$BATS_FILE_TMPDIR/port"
	BAD=127.0.0.1:$(cat "$BATS_FILE_TMPDIR/port")
	export BAD
}

wait_for_file() {
	local try
	for try in $(seq 100); do
		[ -s "$1" ] && return 0
		sleep 0.05
	done
	echo "$1 did not appear in $try tries"
	return 1
}

# Nobody's logins but those of the test.
own_home() {
	export HOME=$1/home
	mkdir -p "$HOME"
	unset REGISTRY_AUTH_FILE DOCKER_CONFIG XDG_RUNTIME_DIR XDG_CONFIG_HOME
	unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY
}

# Nothing of the image may be visible after a failure.
nothing_published() {
	[ "$(fl-pull ls --json | wc -l)" = 0 ]
	[ -z "$(find "$FL_STATE_DIR/images" -name '.new-*')" ]
}

# logins_file FILE HOST [USER:PASSWORD]
logins_file() {
	mkdir -p "$(dirname "$1")"
	jq -n --arg host "$2" --arg auth "$(printf %s "${3:-user:open sesame}" | base64 -w0)" \
		'{auths: {($host): {auth: $auth}}}' >"$1"
}

# upload NAME FILE: a blob into the registry.
upload() {
	local where
	where=$(curl -sf -o /dev/null -D - -X POST "http://$REGISTRY/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')
	curl -sf -X PUT --data-binary @"$2" -H "Content-Type: application/octet-stream" "$where&digest=sha256:$(sha256sum <"$2" | cut -d' ' -f1)"
}

# key_pairs FOLDER NAME…: FOLDER/NAME.key and FOLDER/NAME.pub, of P-256.
key_pairs() {
	local folder=$1 key
	shift
	for key in "$@"; do
		openssl ecparam -name prime256v1 -genkey -noout -out "$folder/$key.key"
		openssl ec -in "$folder/$key.key" -pubout -out "$folder/$key.pub" 2>/dev/null
	done
}

# For the files that sign: images, the keys "right" and "other", a registry; once per file.
signing_setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images KEYS=$BATS_FILE_TMPDIR/keys
	small_images "$IMAGES"
	mkdir "$KEYS"
	key_pairs "$KEYS" right other
	registry_start "$BATS_FILE_TMPDIR/registry"
	export REGISTRY_PID
}
