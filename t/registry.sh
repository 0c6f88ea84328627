# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# A real registry on loopback, for tests and the demo. Source it:
#     registry_start FOLDER         sets REGISTRY to 127.0.0.1:PORT
#     registry_stop

registry_start() {
	local folder=$1 port try
	mkdir -p "$folder"
	for try in 1 2 3 4 5 6 7 8; do
		port=$((20000 + (RANDOM % 20000)))
		cat >"$folder/config.yml" <<-CONFIG
			version: 0.1
			log: {level: error, accesslog: {disabled: true}}
			storage: {filesystem: {rootdirectory: $folder/data}, delete: {enabled: true}}
			http: {addr: "127.0.0.1:$port"}
		CONFIG
		docker-registry serve "$folder/config.yml" >"$folder/log" 2>&1 3>&- &
		REGISTRY_PID=$!
		for _ in $(seq 100); do
			if curl -fs -o /dev/null "http://127.0.0.1:$port/v2/"; then
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
