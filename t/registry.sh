# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# A real registry on loopback, for tests and the demo. Source it:
#     registry_start FOLDER [KIND…]   sets REGISTRY to 127.0.0.1:PORT
#         tls     with FOLDER/tls.crt, signed by itself
#         mtls    the same, and only for clients that have FOLDER/client.crt and .key
#         basic   only for who logs in as "user" with the password "open sesame"
#         log     with a line for each request in FOLDER/log
#         token   only with a token of token_server.py, whose port is in $TOKEN_PORT
#     registry_stop

# shellcheck source=t/port.sh
. "$(dirname "${BASH_SOURCE[0]}")/port.sh"

# certificate FOLDER NAME USAGE
certificate() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$2" -addext "extendedKeyUsage=$3" \
		-addext "subjectAltName=IP:127.0.0.1,DNS:localhost" \
		-keyout "$1/$2.key" -out "$1/$2.crt" 2>"$1/openssl.log" || {
		cat "$1/openssl.log" >&2
		return 1
	}
}

# What the kinds add to the registry's configuration: of the server, and of logins.
registry_tls() {
	local folder=$1
	[ -e "$folder/tls.crt" ] || certificate "$folder" tls serverAuth
	printf '  tls:\n    certificate: %s\n    key: %s\n' "$folder/tls.crt" "$folder/tls.key"
	[ "$2" = mtls ] || return 0
	[ -e "$folder/client.crt" ] || certificate "$folder" client clientAuth
	printf '    clientcas: ["%s"]\n' "$folder/client.crt"
}

registry_auth() {
	local folder=$1
	if [ "$2" = basic ]; then
		python3 -W ignore -c 'import crypt; print("user:" + crypt.crypt("open sesame",
			crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' >"$folder/htpasswd"
		echo "auth: {htpasswd: {realm: test, path: $folder/htpasswd}}"
	else
		[ -e "$folder/token.crt" ] || certificate "$folder" token serverAuth
		echo "auth: {token: {realm: \"http://127.0.0.1:$TOKEN_PORT/token\", service: test, issuer: test," \
			"rootcertbundle: $folder/token.crt}}"
	fi
}

registry_start() {
	local folder=$1 port try kind tls="" auth="" scheme=http options=(-s) quiet=true
	mkdir -p "$folder"
	for kind in "${@:2}"; do
		case $kind in
		tls | mtls)
			tls=$(registry_tls "$folder" "$kind") scheme=https
			options=(-sk)
			[ "$kind" = tls ] || options+=(--cert "$folder/client.crt" --key "$folder/client.key")
			;;
		log) quiet=false ;;
		*) auth=$(registry_auth "$folder" "$kind") ;;
		esac
	done
	for try in 1 2 3 4 5 6 7 8; do
		port=$(free_port)
		cat >"$folder/config.yml" <<-CONFIG
			version: 0.1
			log: {level: error, accesslog: {disabled: $quiet}}
			storage: {filesystem: {rootdirectory: $folder/data}, delete: {enabled: true}}
			$auth
			http:
			  addr: "127.0.0.1:$port"
			$tls
		CONFIG
		docker-registry serve "$folder/config.yml" >"$folder/log" 2>&1 3>&- &
		REGISTRY_PID=$!
		for _ in $(seq 100); do
			if curl "${options[@]}" -o /dev/null "$scheme://127.0.0.1:$port/v2/"; then
				REGISTRY=127.0.0.1:$port
				export REGISTRY
				return 0
			fi
			kill -0 "$REGISTRY_PID" 2>/dev/null || break
			sleep 0.05
		done
		registry_stop
	done
	echo "no registry could be started (try $try):" >&2
	cat "$folder/log" >&2
	return 1
}

registry_stop() {
	[ -n "${REGISTRY_PID:-}" ] || return 0
	kill "$REGISTRY_PID" 2>/dev/null || true
	wait "$REGISTRY_PID" 2>/dev/null || true
	REGISTRY_PID=
}
