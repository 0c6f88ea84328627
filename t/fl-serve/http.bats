#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# flintlock's gateway, metrics and health over HTTP, asked for by curl and Prometheus.

bats_require_minimum_version 1.5.0
load ../lib
load serve

setup_file() {
	own_state "$BATS_FILE_TMPDIR"
	export IMAGES=$BATS_FILE_TMPDIR/images HTTP=$BATS_FILE_TMPDIR/http DEBUG=$BATS_FILE_TMPDIR/debug
	small_images "$IMAGES"
	printf '%s ns0 read\n%s\n' reader0123456789 writer0123456789 >"$BATS_FILE_TMPDIR/tokens"
	chmod 600 "$BATS_FILE_TMPDIR/tokens"
	serve_start --enable-http --http-endpoint "unix:$HTTP" --debug-endpoint "unix:$DEBUG" \
		--token-file "$BATS_FILE_TMPDIR/tokens"
}

teardown_file() {
	serve_teardown
}

# ask STATUS CURL-OPTIONS… PATH: as the one who may do everything; the answer in $output.
ask() {
	local status=$1
	shift
	as writer0123456789 "$status" "$@"
}

as() {
	local token=$1 wanted=$2 answer
	shift 2
	set -- "${@:1:$#-1}" "http://fl${*: -1}"
	answer=$(curl -sS -m 20 --unix-socket "${SOCKET:-$HTTP}" -H "Authorization: Bearer $token" \
		-w '\n%{http_code}' "$@")
	output=${answer%$'\n'*}
	[ "${answer##*$'\n'}" = "$wanted" ] || {
		echo "status ${answer##*$'\n'}: $output"
		return 1
	}
}

spec() {
	jq -n --arg layout "oci:$IMAGES/layout" --arg id "$1" --argjson more "${2:-{\}}" '{
		id: $id, namespace: "ns0", vcpu: 2, memoryInMb: 1024,
		kernel: {image: ($layout + ":kernel"), filename: "boot/vmlinux", addNetworkConfig: true},
		rootVolume: {id: "root", source: {containerSource: ($layout + ":root")}, sizeInMb: 16}
	} + $more'
}

# create NAME: its uid.
create() {
	ask 200 -d "$(spec "$@")" /v1alpha1/microvm
	jq -er .microvm.spec.uid <<<"$output"
}

wait_state() {
	local try
	for try in $(seq 200); do
		ask 200 "/v1alpha1/microvm/$1"
		[ "$(jq -r .microvm.status.state <<<"$output")" = "$2" ] && return
		sleep 0.05
	done
	echo "$output"
	return 1
}

@test "create, get by uid, list, stream, delete" {
	uid=$(create life '{"labels": {"a": "b"}}')
	wait_state "$uid" CREATED
	jq -e '.microvm | .spec.labels.a == "b" and .spec.memoryInMb == 1024
		and .spec.rootVolume.source.containerSource != null and .spec.deletedAt == null
		and .spec.interfaces == [] and .status.retry == 0 and .status.kernelMount.type == "HOSTPATH"' <<<"$output"
	ask 200 /v1alpha1/microvm
	jq -e '.microvm | length == 1' <<<"$output"
	# As gRPC's clients would send it.
	ask 200 -d "$(spec whole | jq '{microvm: .}')" /v1alpha1/microvm
	ask 200 -X DELETE "/v1alpha1/microvm/$(jq -r .microvm.spec.uid <<<"$output")"
	ask 200 "/v1alpha1/microvm/ns0?name=life"
	jq -e '.microvm | length == 1' <<<"$output"
	ask 200 "/v1alpha1/microvm/ns0?name=other"
	[ "$output" = '{"microvm":[]}' ]
	ask 200 -d '{"namespace": "ns0"}' /microvm.services.api.v1alpha1.MicroVM/ListMicroVMsStream
	jq -e .result.microvm.spec.id <<<"$output"
	ask 200 -X DELETE "/v1alpha1/microvm/$uid"
	[ "$output" = '{}' ]
	for try in $(seq 100); do
		! ask 404 "/v1alpha1/microvm/$uid" || break
		sleep 0.1
	done
	ask 404 "/v1alpha1/microvm/$uid"
	jq -e '.code == 5 and (.message | contains("not found"))' <<<"$output"
}

@test "what else stands in a query takes nothing from what is asked" {
	local query
	uid=$(create one)
	other=$(create another)
	for query in 'name=one' 'name=one&verbose' 'verbose&name=one' '&name=one' 'name=one&=x' 'name=o%6ee' 'a=b=c&name=one&'; do
		ask 200 "/v1alpha1/microvm/ns0?$query"
		[ "$(jq -r '.microvm | map(.spec.id) | join(" ")' <<<"$output")" = one ]
	done
	ask 200 '/v1alpha1/microvm/ns0?name=one%00x'
	jq -e '.microvm | length == 0' <<<"$output"
	ask 200 '/v1alpha1/microvm/ns0?name'
	jq -e '.microvm | length > 1' <<<"$output"
	wait_state "$uid" CREATED
	ask 400 -d '{}' "/v1/microvm/$uid/stop?force=perhaps"
	ask 200 -d '{}' "/v1/microvm/$uid/stop?force=true&timeoutSeconds=1"
	ask 200 -X DELETE "/v1alpha1/microvm/$uid"
	ask 200 -X DELETE "/v1alpha1/microvm/$other"
}

@test "names of either kind, numbers as text" {
	ask 404 "/v1alpha1/microvm/%00"
	ask 400 -d '{"vcpu": 1.5}' /v1alpha1/microvm
	ask 400 -d '{"vcpu": true}' /v1alpha1/microvm
	ask 200 -d "$(spec whole | sed 's/"memoryInMb": 1024/"memoryInMb": 1.024e3/; s/"vcpu": 2/"vcpu": 2.0/')" /v1alpha1/microvm
	jq -e '.microvm.spec | .memoryInMb == 1024 and .vcpu == 2' <<<"$output"
	ask 200 -X DELETE "/v1alpha1/microvm/$(jq -r .microvm.spec.uid <<<"$output")"
	ask 200 -d "$(spec snake | jq '.memory_in_mb = "2048" | del(.memoryInMb) | .interfacse = []')" /v1alpha1/microvm
	jq -e '.microvm.spec.memoryInMb == 2048' <<<"$output"
	# As with flintlock it does nothing; the log tells whoever wonders.
	grep -F 'HTTP: microvm.interfacse is unknown, and does nothing; meant may be interfaces' "$BATS_FILE_TMPDIR/serve.log"
	[ "$(grep -c 'is unknown' "$BATS_FILE_TMPDIR/serve.log")" = 1 ]
	ask 200 -X DELETE "/v1alpha1/microvm/$(jq -r .microvm.spec.uid <<<"$output")"
}

@test "what is wrong is told with its place" {
	ask 400 -d "$(spec 'a/b' '{"vcpu": 99}')" /v1alpha1/microvm
	jq -e '.code == 3 and (.details[0].fieldViolations | map(.field) | index("microvm.id") != null)' <<<"$output"
	ask 400 -d "$(spec files '{"additional_volumes": [{"id": "x", "source": {"container_source": "file:/etc/shadow"}}]}')" /v1alpha1/microvm
	jq -e '.details[0].fieldViolations[0].field == "microvm.additional_volumes[0].source"' <<<"$output"
	[[ $output == *"files of the host are not for clients"* ]]
	ask 400 -d '{"id": 3}' /v1alpha1/microvm
	jq -e '.message | startswith("id: ")' <<<"$output"
	ask 400 -d '{"interfaces": {}}' /v1alpha1/microvm
	ask 400 -d '{"vcpu": 99999999999}' /v1alpha1/microvm
	ask 400 -d '{"id":' /v1alpha1/microvm
	ask 400 -d '[]' /microvm.services.api.v1alpha1.MicroVM/GetMicroVM
	ask 404 /nothing
	ask 404 -d '{}' /no.Such/Method
	head -c 5000000 /dev/zero >"$BATS_TEST_TMPDIR/large"
	ask 413 --data-binary "@$BATS_TEST_TMPDIR/large" /v1alpha1/microvm
}

@test "flintlock's gateway, answer by answer" {
	local verb
	for verb in PUT PATCH; do
		ask 501 -X "$verb" -d '{}' /v1alpha1/microvm
		[ "$output" = '{"code":12,"message":"Method Not Allowed","details":[]}' ]
	done
	ask 501 -d '{}' /v1alpha1/microvm/ns0
	ask 404 /x
	[ "$output" = '{"code":5,"message":"Not Found","details":[]}' ]
	ask 200 /v1alpha1/microvm/
	jq -e '.microvm | type == "array"' <<<"$output"
	ask 200 /v1alpha1/microvm/nobody
	[ "$output" = '{"microvm":[]}' ]
	ask 400 -d '{}' /microvm.services.api.v1alpha1.MicroVM/ListMicroVMsStream
	jq -e '.error | .code == 3 and (.message | startswith("invalid request"))' <<<"$output"
	# Junk, nothing, and the message's name around the spec.
	ask 400 -d '{"id' /v1alpha1/microvm
	jq -e '.code == 3' <<<"$output"
	ask 400 -d '' /v1alpha1/microvm
	jq -e '.code == 3 and (.message | contains("id: "))' <<<"$output"
	ask 400 -d '{"microvm": {"id": "x"}}' /v1alpha1/microvm
	# What was not sent is there, empty.
	ask 200 -D "$BATS_TEST_TMPDIR/head" -d "$(spec emitted)" /v1alpha1/microvm
	grep -qi '^Grpc-Metadata-Content-Type: application/grpc' "$BATS_TEST_TMPDIR/head"
	jq -e '.microvm | .version == 1 and .spec.labels == {} and .spec.createdAt != null and .spec.deletedAt == null
		and .spec.provider == null and .status.state == "PENDING" and .status.retry == 0 and .status.vsockPath == ""
		and .status.kernelMount == null and .status.networkInterfaces == {}' <<<"$output"
	jq -re '.microvm.spec.metadata["meta-data"]' <<<"$output" | base64 -d |
		grep -qx "instance_id: $(jq -r .microvm.spec.uid <<<"$output")"
	ask 200 -X DELETE "/v1alpha1/microvm/$(jq -r .microvm.spec.uid <<<"$output")"
}

@test "a watch is heard at once, and ends when its client leaves, also when nothing happens" {
	uid=$(create watched)
	wait_state "$uid" CREATED
	last=$(fl events --json | jq -s '.[-1].seq')
	running() {
		SOCKET=$DEBUG ask 200 /metrics
		sed -n 's/^flintlock_calls_running //p' <<<"$output"
	}
	before=$(running)
	for try in 1 2 3; do
		run -28 curl -sS -m 1 -D "$BATS_TEST_TMPDIR/head" --unix-socket "$HTTP" \
			-H "Authorization: Bearer writer0123456789" "http://fl/v1/watch?cursor=$last"
		grep -q '^HTTP/1.1 200' "$BATS_TEST_TMPDIR/head"
	done
	for try in $(seq 50); do
		[ "$(running)" -gt "$before" ] || break
		sleep 0.2
	done
	[ "$(running)" -le "$before" ]
	# A cursor that the journal has not come to.
	ask 400 "/v1/watch?cursor=99999999"
	jq -e '.error.code == 11' <<<"$output"
	ask 200 -X DELETE "/v1alpha1/microvm/$uid"
}

@test "tokens are asked for, and heeded" {
	as wrong 401 /v1alpha1/microvm
	as wrong 401 /metrics
	as wrong 401 -D "$BATS_TEST_TMPDIR/head" /v1/watch
	grep -qi '^WWW-Authenticate: Bearer' "$BATS_TEST_TMPDIR/head"
	as wrong 200 /healthz
	as reader0123456789 200 /v1alpha1/microvm/ns0
	as reader0123456789 403 -d "$(spec mine)" /v1alpha1/microvm
	# As "base64 FILE" has it where the file ends with a line.
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$HTTP" http://fl/v1alpha1/microvm \
		-H "Authorization: Basic $(echo writer0123456789 | base64 -w 0)")" = 200 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$HTTP" http://fl/v1alpha1/microvm \
		-H "Authorization: Basic $(printf 'writer0123456789\nx' | base64 -w 0)")" = 401 ]
}

@test "health and readiness, on both endpoints" {
	ask 200 /healthz
	SOCKET=$DEBUG ask 200 /readyz
	SOCKET=$DEBUG ask 404 /v1alpha1/microvm
}

@test "metrics are clean, and tell of every microVM" {
	uid=$(create measured)
	wait_state "$uid" CREATED
	SOCKET=$DEBUG ask 200 /metrics
	"$FL_TOP/build/tools/usr/bin/promtool" check metrics <<<"$output"
	grep -q "flintlock_microvm_running{namespace=\"ns0\",name=\"measured\",uid=\"$uid\"} 1" <<<"$output"
	grep -q 'grpc_server_handled_total{grpc_type="unary",grpc_service="microvm.services.api.v1alpha1.MicroVM",grpc_method="CreateMicroVM",grpc_code="OK"} [1-9]' <<<"$output"
	grep -q "flintlock_microvm_state{namespace=\"ns0\",name=\"measured\",uid=\"$uid\",state=\"CREATED\"} 1" <<<"$output"
	grep -q "flintlock_microvm_restarts_total{.*$uid\"} 0" <<<"$output"
	grep -qE '^flintlock_ups_total\{outcome="done"\} [1-9]' <<<"$output"
	grep -qE '^flintlock_pulls_total\{outcome="done"\} [1-9]' <<<"$output"
	ask 200 "/machine/uid/$uid"
	grep -q "flintlock_microvm_memory_bytes.*$uid" <<<"$output"
	ask 200 /machine/ns0/measured
	ask 404 /machine/ns0/other
	ask 200 /machine
	as reader0123456789 200 /metrics
	kill -STOP "$(pgrep -f "fl-supervise $FL_STATE_DIR ns0 measured")"
	SECONDS=0
	ask 200 /metrics
	[ "$SECONDS" -le 2 ]
	kill -CONT "$(pgrep -f "fl-supervise $FL_STATE_DIR ns0 measured")"
	ask 200 -X DELETE "/v1alpha1/microvm/$uid"
}

@test "Prometheus scrapes it" {
	local port try
	cd "$BATS_TEST_TMPDIR"
	port=$(free_port)
	cat >prometheus.yml <<-END
		scrape_configs:
		  - job_name: fl
		    scrape_interval: 1s
		    authorization: {credentials: writer0123456789}
		    static_configs: [{targets: ["127.0.0.1:$((port + 1))"]}]
	END
	# Prometheus knows no unix sockets.
	/usr/bin/python3 "$FL_TOP/t/fl-serve/forward.py" $((port + 1)) "$DEBUG" 3>&- &
	forward=$!
	"$FL_TOP/build/tools/usr/bin/prometheus" --config.file prometheus.yml --storage.tsdb.path data \
		--web.listen-address "127.0.0.1:$port" --log.level error 3>&- &
	prometheus=$!
	for try in $(seq 100); do
		up=$(curl -sS -m 5 -G --data-urlencode 'query=sum_over_time(up[1m])' \
			"http://127.0.0.1:$port/api/v1/query" 2>/dev/null |
			jq -r '.data.result[0].value[1] // "0"') || up=0
		[ "${up:-0}" -ge 3 ] && break
		sleep 0.2
	done
	kill "$prometheus" "$forward"
	wait "$prometheus" "$forward" || true
	[ "${up:-0}" -ge 3 ]
}
