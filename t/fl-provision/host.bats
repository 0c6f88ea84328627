#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# A host made ready, found ready, and taken back; what is another's stays.

bats_require_minimum_version 1.5.0
load provision

setup_file() {
	provision_setup_file
}

@test "plan makes nothing; all makes everything; again changes nothing; undo takes all back" {
	on_host '
		host_is >before
		fl-provision plan -s --skip $VMMS --json --reflink 320M >plan
		[ "$(jq -r .change plan | sort -u)" = "keep
make" ]
		host_is | cmp - before
		fl-provision all -s --skip $VMMS -q -y --reflink 320M
		host_is >made
		! cmp -s before made
		[ "$(fl-provision plan -s --skip $VMMS --json --reflink 320M | jq -r .change | sort -u)" = "done
keep" ]
		fl-provision all -s --skip $VMMS -q -y --reflink 320M
		host_is | cmp - made
		[ "$(findmnt -no FSTYPE "$FL_STATE_DIR")" = xfs ]
		head -c 4096 /dev/urandom >"$FL_STATE_DIR/a"
		cp --reflink=always "$FL_STATE_DIR/a" "$FL_STATE_DIR/b"
		rm "$FL_STATE_DIR/a" "$FL_STATE_DIR/b"
		fl-provision undo -q
		host_is | diff - before
		[ -z "$(losetup --list --noheadings -O BACK-FILE | grep -F "$FL_STATE_DIR" || true)" ]
		fl-provision undo 2>&1 | grep -q "nothing is left"'
}

@test "the certificates verify, the keys are secret, fl-serve serves by them and refuses without" {
	on_host '
		fl-provision flintlock -a 0.0.0.0 -p 29091 2>said
		grep "serve gRPC at 0.0.0.0:29091" said
		grep "ca.pem, client.pem and client.key of /etc/flintlock/pki, and a token of /etc/flintlock/tokens" said
		sed -n "s/.*to try it: //p" said | grep "^grpcurl .* 127.0.0.1:29091 "
		[ -z "$(fl-provision flintlock -q -a 127.0.0.1 -p 29091 2>&1 | grep -v "no unit of that name")" ]
		cd /etc/flintlock
		openssl verify -CAfile pki/ca.pem -purpose sslserver -verify_ip 127.0.0.1 pki/server.pem
		openssl verify -CAfile pki/ca.pem -purpose sslclient pki/client.pem
		! openssl verify -CAfile pki/ca.pem -verify_ip 10.9.9.9 pki/server.pem 2>/dev/null
		[ "$(stat -c %a pki/ca.key pki/server.key pki/client.key tokens config.yaml | sort -u)" = 600 ]
		[ "$(tail -n1 tokens | wc -c)" = 65 ]
		fl-serve run --check-config
		fl-serve run --enable-http --http-endpoint 127.0.0.1:29092 2>"$OLDPWD/log" &
		server=$!
		ask() { curl -s -o /dev/null -w "%{http_code}" --retry 20 --retry-connrefused --retry-delay 1 \
			--cacert pki/ca.pem "$@" https://127.0.0.1:29092/v1alpha1/microvm; }
		[ "$(ask --cert pki/client.pem --key pki/client.key -H "Authorization: Bearer $(tail -n1 tokens)")" = 200 ]
		[ "$(ask --cert pki/client.pem --key pki/client.key -H "Authorization: Bearer 00")" = 401 ]
		[ "$(ask || true)" = 000 ]
		kill $server; wait $server || true'
}

@test "the server's certificate follows its address, and is renewed before it ends" {
	on_host '
		fl-provision flintlock -q -a 10.1.2.3
		sha256sum /etc/flintlock/pki/* >one
		fl-provision flintlock -q -a 10.1.2.3
		sha256sum /etc/flintlock/pki/* | cmp - one
		fl-provision flintlock -q -a 10.4.5.6
		[ "$(sha256sum /etc/flintlock/pki/* | diff - one | grep -c "^>")" = 1 ]
		openssl verify -CAfile /etc/flintlock/pki/ca.pem -verify_ip 10.4.5.6 /etc/flintlock/pki/server.pem
		grep -q "10.4.5.6:9090" /etc/flintlock/config.yaml
		fl-provision undo -q
		[ ! -e /etc/flintlock ]'
}

@test "an existing configuration keeps what it has, gets what it lacks, and comes back" {
	on_host '
		mkdir /etc/flintlock
		printf "# mine\ngrpc-endpoint: \"0.0.0.0:7777\" # odd\njobs: 3\n" >/etc/flintlock/config.yaml
		chmod 640 /etc/flintlock/config.yaml
		cp -a /etc/flintlock/config.yaml mine
		fl-provision plan --only flintlock | grep config.yaml | grep -q "stays \"0.0.0.0:7777\""
		fl-provision flintlock 2>said
		grep -q "stays" said
		[ "$(head -n3 /etc/flintlock/config.yaml)" = "$(cat mine)" ]
		grep -q "^tls-cert: " /etc/flintlock/config.yaml
		[ "$(grep -c ^grpc-endpoint /etc/flintlock/config.yaml)" = 1 ]
		fl-serve run --check-config
		fl-provision undo -q
		cmp mine /etc/flintlock/config.yaml
		[ "$(stat -c %a /etc/flintlock/config.yaml)" = 640 ]'
}

@test "what a user changes after us is kept, by apply and by undo" {
	on_host '
		fl-provision flintlock -q
		echo "jobs: 5" >>/etc/flintlock/config.yaml
		echo "other-token ns1 read" >>/etc/flintlock/tokens
		fl-provision flintlock -q
		grep -q "^jobs: 5" /etc/flintlock/config.yaml
		fl-provision undo 2>said
		grep -q "config.yaml: kept" said
		grep -q "tokens: kept" said
		grep -q "^jobs: 5" /etc/flintlock/config.yaml
		[ ! -e /etc/flintlock/pki ]'
}

@test "a certificate of another CA is left alone" {
	on_host '
		mkdir -p /etc/flintlock/pki
		openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=corp -keyout /etc/flintlock/pki/server.key \
			-out /etc/flintlock/pki/server.pem 2>/dev/null
		sha256sum /etc/flintlock/pki/server.* >mine
		fl-provision flintlock 2>said
		grep -q "server.pem: kept" said
		sha256sum /etc/flintlock/pki/server.* | cmp - mine'
}

@test "flintlockd's configuration and a file of the user's join" {
	on_host '
		mkdir -p /etc/opt/flintlockd
		printf "verbosity: 9\nparent-iface: eth7\nmaximum-retry: 3\n" >/etc/opt/flintlockd/config.yaml
		fl-provision flintlock -q
		grep -q "^verbosity: 9" /etc/flintlock/config.yaml
		fl-provision undo -q
		echo "grpc-endpoint: \"[::1]:9999\"" >mine.yaml
		fl-provision all -s -q -f mine.yaml --only flintlock
		grep -qF "grpc-endpoint: \"[::1]:9999\"" /etc/flintlock/config.yaml
		! grep -q verbosity /etc/flintlock/config.yaml
		fl-serve run --check-config -q'
}

@test "insecure is said, not guessed" {
	on_host '
		fl-provision flintlock -q -k -a 0.0.0.0
		grep -q "^insecure: \"true\"" /etc/flintlock/config.yaml
		[ ! -e /etc/flintlock/pki ]
		[ ! -e /etc/flintlock/tokens ]
		fl-serve run --check-config -q'
}

@test "the address is that of the default route" {
	on_host '
		fl-provision flintlock -q
		grep -q "192.168.7.5:9090" /etc/flintlock/config.yaml
		openssl verify -CAfile /etc/flintlock/pki/ca.pem -verify_ip 192.168.7.5 /etc/flintlock/pki/server.pem'
}

@test "a bridge of that name that is not ours: used as it is, or refused, never changed" {
	on_host '
		ip link add br7 type bridge
		fl-provision bridge -b br7 2>said
		grep -q "used as it is" said
		rc=0; fl-provision bridge -b br7 --bridge-address 10.1.1.1/24 2>said || rc=$?
		[ $rc = 5 ]
		grep -q "not ours" said
		ip link add flbr0 type veth peer name other0
		rc=0; fl-provision bridge 2>/dev/null || rc=$?
		[ $rc = 5 ]
		rc=0; fl-provision plan --json --only bridge >plan 2>/dev/null || rc=$?
		[ $rc = 5 ]
		[ "$(jq -r "select(.kind == \"bridge\").change" plan)" = refuse ]
		fl-provision undo -q
		ip -d link show br7 | grep -q bridge'
}

@test "a bridge whose net is in use, or that is there otherwise" {
	on_host '
		rc=0; fl-provision bridge --bridge-address 192.168.0.1/16 2>said || rc=$?
		[ $rc = 5 ]
		grep -q "overlaps with that of up0" said
		for address in 10.99.0.1 10.99.0.0/24 127.9.0.1/24; do
			rc=0; fl-provision plan --only bridge --bridge-address "$address" >said || rc=$?
			grep -q "$address: give the bridge.s own address in a net" said
		done
		fl-provision bridge -q
		rc=0; fl-provision bridge --bridge-address 10.78.0.1/24 2>said || rc=$?
		[ $rc = 5 ]
		grep -q "is there with address 10.77.0.1/24" said'
}

@test "after a reboot the unit brings back bridge and mount" {
	on_host '
		fl-provision all -s -q --reflink 320M --skip $VMMS,flintlock
		touch "$FL_STATE_DIR/proof"
		ip link del flbr0
		umount "$FL_STATE_DIR"
		[ ! -e "$FL_STATE_DIR/proof" ]
		command=$(sed -n "s/^ExecStart=//p" /etc/systemd/system/fl-provision.service)
		FL_BOOT_ID=another $command
		[ -e "$FL_STATE_DIR/proof" ]
		ip -o -4 address show flbr0 | grep -q 10.77.0.1/24
		FL_BOOT_ID=another $command
		[ "$(findmnt -rno TARGET | grep -c "^$FL_STATE_DIR$")" = 1 ]
		systemd-analyze verify --man=no /etc/systemd/system/fl-provision.service
		grep -qx "ConditionFileIsExecutable=${command%% *}" /etc/systemd/system/fl-provision.service
		[ -L /etc/systemd/system/fl-serve.service.requires/fl-provision.service ]
		rm "$FL_STATE_DIR/proof"
		fl-provision undo -q
		[ ! -e "$FL_STATE_DIR" ]'
}

@test "reflink: a folder in use, a foreign mount, too small, too large" {
	on_host '
		mkdir -p "$FL_STATE_DIR"; touch "$FL_STATE_DIR/x"
		rc=0; fl-provision reflink --reflink 320M 2>said || rc=$?
		[ $rc = 8 ]; grep -q "is not empty" said
		fl-provision undo -q; rm "$FL_STATE_DIR/x"
		mount -t tmpfs tmpfs "$FL_STATE_DIR"
		rc=0; fl-provision reflink --reflink 320M 2>said || rc=$?
		[ $rc = 5 ]; grep -q "another file system" said
		umount "$FL_STATE_DIR"
		fl-provision undo -q
		rc=0; fl-provision reflink --reflink 10M 2>said || rc=$?
		[ $rc = 3 ]; grep -q "at least 300M" said
		rc=0; fl-provision reflink --reflink 4000T 2>said || rc=$?
		[ $rc = 11 ]; grep -q "are free" said
		fl-provision undo -q'
}

@test "undo: refused while a microVM has a record, or the mount is in use" {
	on_host '
		fl-provision reflink -q --reflink 320M
		mkdir -p "$FL_STATE_DIR/vm/default/a/01HZZZZZZZZZZZZZZZZZZZZZZZ"
		echo "{}" >"$FL_STATE_DIR/vm/default/a/01HZZZZZZZZZZZZZZZZZZZZZZZ/record.json"
		rc=0; fl-provision undo 2>said || rc=$?
		[ $rc = 8 ]; grep -q "default/a" said
		rm -r "$FL_STATE_DIR/vm"
		sleep 60 <"$FL_STATE_DIR" & holder=$!
		rc=0; fl-provision undo 2>said || rc=$?
		[ $rc = 9 ]; grep -q "in use" said
		kill $holder; wait $holder || true
		fl-provision undo -q
		[ ! -e "$FL_STATE_DIR-provision" ]'
}

@test "a host declared in a file; what is wrong in it names its line" {
	on_host '
		printf "bridge: flbr3\nbridge-address: 10.3.0.1/24\nskip: $VMMS,flintlock\n" >host.yaml
		host_is >before
		fl-provision apply host.yaml -q
		ip -o -4 address show flbr3 | grep -q 10.3.0.1/24
		printf "brigde: flbr3\n" >bad.yaml
		rc=0; fl-provision apply bad.yaml 2>said || rc=$?
		[ $rc = 3 ]; grep -q "bad.yaml: line 1: brigde" said
		printf "skip: flintlok\n" >bad.yaml
		rc=0; fl-provision apply bad.yaml 2>said || rc=$?
		[ $rc = 2 ]; grep -q flintlok said
		rc=0; fl-provision bridge -b "a/../b" 2>said || rc=$?
		[ $rc = 2 ]
		fl-provision undo -q
		host_is | diff - before'
}

@test "a torn ledger is mended, a damaged one refused" {
	on_host '
		fl-provision bridge -q
		printf "{\"n\":9,\"kind\":\"fi" >>"$FL_STATE_DIR-provision/ledger.jsonl"
		fl-provision bridge 2>said
		grep -q "torn" said
		[ "$(tail -c1 "$FL_STATE_DIR-provision/ledger.jsonl" | od -An -c | tr -d " ")" = "\n" ]
		cp "$FL_STATE_DIR-provision/ledger.jsonl" good
		sed -i "1s/^/x/" "$FL_STATE_DIR-provision/ledger.jsonl"
		rc=0; fl-provision undo 2>said || rc=$?
		[ $rc = 12 ]; grep -q "ledger.jsonl: line 1" said
		sed -E "1s/\"format\":1/\"format\":2/" good >"$FL_STATE_DIR-provision/ledger.jsonl"
		rc=0; fl-provision undo 2>said || rc=$?
		[ $rc = 13 ]
		cp good "$FL_STATE_DIR-provision/ledger.jsonl"
		fl-provision undo -q
		[ ! -e "$FL_STATE_DIR-provision" ]'
}

@test "not root: plan works, changes are refused" {
	on_host '
		chmod 755 .. . ../.. 2>/dev/null || true
		run_as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
		rc=0; run_as "$FL_BUILD/bin/fl-provision" all 2>said || rc=$?
		[ $rc = 6 ]; grep -q "only root" said
		rc=0; run_as "$FL_BUILD/bin/fl-provision" undo 2>said || rc=$?
		[ $rc = 6 ]
		FL_STATE_DIR=/nowhere/state run_as "$FL_BUILD/bin/fl-provision" plan --only bridge | grep -q flbr0'
}

@test "two at once: the second is told" {
	on_host '
		mkdir -m 700 "$FL_STATE_DIR-provision"
		: >"$FL_STATE_DIR-provision/ledger.jsonl"
		rc=0; flock "$FL_STATE_DIR-provision/ledger.jsonl" fl-provision bridge 2>said || rc=$?
		[ $rc = 9 ]; grep -q "another fl-provision" said
		# But the unit that the one at work starts is not the other.
		flock "$FL_STATE_DIR-provision/ledger.jsonl" fl-provision restore'
}

@test "check is fl doctor; containerd is not needed" {
	on_host '
		fl doctor --json >one || true
		fl-provision check --json >two || true
		[ "$(jq -r .check one)" = "$(jq -r .check two)" ]
		fl-provision containerd -v v1.7.0 -t pool --dev 2>said
		grep -q "not needed" said
		rc=0; fl-provision cmd_anything 2>/dev/null || rc=$?
		[ $rc = 2 ]'
}

@test "killed at every call that changes state, on the way up and on the way down" {
	is_sanitized && skip "a preloaded library and the sanitizers exclude each other"
	cc -shared -fPIC -D_GNU_SOURCE -o "$BATS_TEST_TMPDIR/kill-at.so" "$FL_TOP/t/preload/kill-at.c" -ldl
	on_host '
		killed() { # N COMMAND…
			local n=$1 rc=0
			shift
			LD_PRELOAD=$PWD/kill-at.so FL_KILL_IN=fl-provision FL_KILL_AT=$n "$@" >/dev/null 2>&1 || rc=$?
			[ $rc = 137 ]
		}
		host_is >before
		fl-provision all -s --skip $VMMS -q --reflink 320M
		host_is | grep -vE "[0-9a-f]{64}|ledger" >made
		for ((n = 1; n < 400; n += 2)); do
			fl-provision undo -q
			host_is | diff - before || { echo "undo before $n"; exit 1; }
			killed $n fl-provision all -s --skip $VMMS -q --reflink 320M || break
			fl-provision all -s --skip $VMMS -q --reflink 320M || { echo "all after $n"; exit 1; }
			host_is | grep -vE "[0-9a-f]{64}|ledger" | diff - made || { echo "made after $n"; exit 1; }
		done
		[ $n -gt 30 ]
		for ((n = 1; n < 400; n += 2)); do
			fl-provision all -s --skip $VMMS -q --reflink 320M
			killed $n fl-provision undo -q || break
			fl-provision undo -q || { echo "undo after $n"; exit 1; }
			host_is | diff - before || { echo "left after $n"; exit 1; }
		done
		[ $n -gt 30 ]'
}
