#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# What the step "flintlock" makes of a host that has something already: a CA, settings, a service.

bats_require_minimum_version 1.5.0
load provision

setup_file() {
	provision_setup_file
}

@test "a CA whose key was taken off the host is not replaced; what needs it is refused" {
	on_host '
		fl-provision flintlock -q -a 10.1.2.3
		cd /etc/flintlock/pki
		mv ca.key "$OLDPWD"
		sha256sum * >"$OLDPWD/had"
		fl-provision flintlock -q -a 10.1.2.3
		fl-provision plan --only flintlock -a 10.1.2.3 --json >"$OLDPWD/plan"
		[ "$(jq -r "select(.name | contains(\"pki\")) | .change" "$OLDPWD/plan" | sort -u)" = done ]
		sha256sum * | cmp - "$OLDPWD/had"
		for how in plan\ --only\ flintlock flintlock; do
			rc=0; fl-provision $how -a 10.9.9.9 >"$OLDPWD/said" 2>&1 || rc=$?
			[ $rc = 8 ]
			grep -q "server.pem: has to be signed for .*10.9.9.9, and .*ca.key cannot be read; put" "$OLDPWD/said"
		done
		openssl ecparam -genkey -name prime256v1 -noout -out ca.key
		rc=0; fl-provision flintlock -a 10.9.9.9 2>"$OLDPWD/said" || rc=$?
		[ $rc = 8 ]; grep -q "ca.key is not the key of ca.pem" "$OLDPWD/said"
		rm ca.key
		sha256sum * | cmp - "$OLDPWD/had"
		mv "$OLDPWD/ca.key" .
		fl-provision flintlock -q -a 10.9.9.9
		openssl verify -CAfile ca.pem -verify_ip 10.9.9.9 server.pem
		sha256sum --quiet -c <(grep ca.pem "$OLDPWD/had")
		cd /; rm -r /etc/flintlock/pki
		fl-provision flintlock -q -a 10.9.9.9
		openssl verify -CAfile /etc/flintlock/pki/ca.pem -verify_ip 10.9.9.9 /etc/flintlock/pki/server.pem
		fl-provision undo -q
		[ ! -e /etc/flintlock ]'
}

@test "served at every address: all that the host has stand in the certificate" {
	on_host '
		for every in 0.0.0.0 ::; do
			fl-provision flintlock -q -a $every
			for one in 192.168.7.5 127.0.0.1 ::1; do
				openssl verify -CAfile /etc/flintlock/pki/ca.pem -verify_ip $one /etc/flintlock/pki/server.pem
			done
			[ "$(fl-provision plan --only flintlock -a $every --json | jq -r .change | sort -u)" = "done
keep" ]
			fl-provision undo -q
		done'
}

@test "with a certificate of one's own clients need none; with insecure, or a token, none are made" {
	on_host '
		mkdir -p own /etc/opt/flintlockd
		openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=corp -keyout own/key -out own/cert 2>/dev/null
		old() { printf "%s\n" "$@" >/etc/opt/flintlockd/config.yaml; }
		config=/etc/flintlock/config.yaml
		old "tls-cert: $PWD/own/cert" "tls-key: $PWD/own/key"
		fl-provision flintlock -q
		fl-serve run --check-config -q
		lacks "tls-client|pki" $config
		[ ! -e /etc/flintlock/pki ]
		grep -q "^token-file: \"/etc/flintlock/tokens\"" $config
		fl-provision undo -q
		old "tls-cert: $PWD/own/cert" "tls-key: $PWD/own/key" "basic-auth-token: secret"
		fl-provision flintlock -q
		fl-serve run --check-config -q
		[ "$(ls /etc/flintlock)" = config.yaml ]
		lacks token-file $config
		fl-provision undo -q
		old "insecure: true"
		fl-provision flintlock -q
		fl-serve run --check-config -q
		[ "$(ls /etc/flintlock)" = config.yaml ]
		fl-provision plan --only flintlock | grep -q "insecure: TLS and a token are not switched on"
		fl-provision undo -q
		old "tls-client-validate: false"
		fl-provision flintlock -q
		fl-serve run --check-config -q
		grep -q "tls-cert: .*pki" $config
		lacks tls-client-ca $config
		fl-provision undo -q
		old "tls-cert: $PWD/own/cert" "tls-key: $PWD/own/key"
		fl-provision flintlock -k 2>said
		fl-serve run --check-config -q
		fl-provision plan -k --only flintlock | grep -q "insecure is not taken, as tls-cert stands there"'
}

@test "the address that the settings keep is in the certificate, whatever --grpc-address says" {
	on_host '
		mkdir /etc/flintlock
		printf "grpc-endpoint: 10.5.5.5:7777\nhttp-endpoint: \"[fd00::7]:80\"\n" >/etc/flintlock/config.yaml
		for address in "" "-a 10.6.6.6"; do
			fl-provision flintlock -q $address
			for one in 10.5.5.5 fd00::7 ${address#-a }; do
				openssl verify -CAfile /etc/flintlock/pki/ca.pem -verify_ip $one /etc/flintlock/pki/server.pem
			done
		done
		# What only comes on top is not worth the key.
		mv /etc/flintlock/pki/ca.key .
		fl-provision flintlock -q -a 10.8.8.8
		sed -i s/10.5.5.5/10.5.5.6/ /etc/flintlock/config.yaml
		rc=0; fl-provision flintlock -q -a 10.8.8.8 2>said || rc=$?
		[ $rc = 8 ]; grep -q "signed for .*10.5.5.6" said'
}

@test "settings of a file that joined hold until another joins, also when it is gone" {
	on_host '
		config=/etc/flintlock/config.yaml
		mkdir /etc/flintlock
		echo "jobs: 3" >$config
		cp $config mine
		echo "maximum-retry: 7" >one.yaml
		echo "max-streams: 9" >two.yaml
		fl-provision flintlock -q -f one.yaml
		sha256sum $config >had
		rm one.yaml
		fl-provision flintlock -q
		sha256sum --quiet -c had
		fl-provision flintlock -q -p 9999
		grep -q "^maximum-retry: .7" $config; grep -q ":9999" $config
		fl-provision flintlock -q -f two.yaml
		lacks retry $config
		fl-provision flintlock -q -p 9998
		grep -q "^max-streams: .9" $config; grep -q ":9998" $config
		fl-provision undo -q
		cmp $config mine
		rm -r /etc/flintlock
		mkdir -p /etc/opt/flintlockd
		echo "verbosity: 9" >/etc/opt/flintlockd/config.yaml
		fl-provision flintlock -q
		echo "verbosity: 8" >/etc/opt/flintlockd/config.yaml
		fl-provision flintlock -q
		rm -r /etc/opt/flintlockd
		fl-provision flintlock -q -p 9999
		grep -q "^verbosity: 8" $config; grep -q ":9999" $config
		fl-provision undo -q
		[ ! -e /etc/flintlock ]'
}

@test "a change that was noted and not made leaves the settings ours" {
	on_host '
		fl-provision flintlock -q
		ledger=$FL_STATE_DIR-provision/ledger.jsonl
		jq -c "select(.name == \"/etc/flintlock/config.yaml\") | .n = 99 | .sha256 = \"00\"" $ledger >line
		cat line >>$ledger
		fl-provision flintlock -q -p 9999
		grep -q ":9999" /etc/flintlock/config.yaml
		fl-provision undo -q
		[ ! -e /etc/flintlock ]'
}

@test "what differs is told the first time, by plan and by all" {
	on_host '
		mkdir -p /etc/opt/flintlockd
		printf "grpc-endpoint: 10.5.5.5:7777\nbridge-name: \"\"\ninsecure: true\n" >/etc/opt/flintlockd/config.yaml
		fl-provision plan --only flintlock >plan
		fl-provision all -y --only flintlock 2>said
		for remark in "with the settings of /etc/opt/flintlockd/config.yaml" "bridge-name stays \"\" (not \"flbr0\")" \
			"grpc-endpoint stays \"10.5.5.5:7777\"" "insecure: TLS and a token are not switched on"; do
			grep -F "$remark" plan
			grep -F "$remark" said | grep -F "config.yaml made"
		done'
}

@test "settings that fl-serve refuses are not written, and its words are told" {
	on_host '
		config=/etc/flintlock/config.yaml
		printf "tls-cert: /nowhere/cert\ntls-key: /nowhere/key\nbasic-auth-token: secret\n" >bad.yaml
		for how in plan\ --only\ flintlock flintlock; do
			rc=0; fl-provision $how -f bad.yaml >said 2>&1 || rc=$?
			[ $rc = 3 ]
			grep -q "$config would not do: .*/nowhere/cert" said
		done
		[ ! -e $config ]
		echo "thre-ads: 3" >bad.yaml
		rc=0; fl-provision flintlock -f bad.yaml >said 2>&1 || rc=$?
		[ $rc = 3 ]; grep -q "line 1: thre-ads" said
		# It is not one that joined, then.
		fl-provision flintlock -q
		lacks thre-ads $config
		echo "thre-ads: 3" >>$config
		for how in plan\ --only\ flintlock flintlock; do
			rc=0; fl-provision $how >said 2>&1 || rc=$?
			[ $rc = 3 ]; grep -q "line .*: thre-ads" said
		done'
}

@test "an old flintlockd configuration: what asks for nothing is taken, what is not here is told, lines are of their file" {
	on_host '
		old=/etc/opt/flintlockd/config.yaml
		mkdir -p /etc/opt/flintlockd
		printf "disable-api: false\nbridge-name: br0\nparent-iface: eth7\nfirecracker-bin: /nowhere/fc" >$old
		fl-provision plan --only flintlock >plan
		for remark in "bridge-name br0: there is no such link" "parent-iface eth7: there is no such link" \
			"firecracker-bin /nowhere/fc: there is no such program"; do
			grep -F "$remark" plan
		done
		fl-provision flintlock -q
		grep -q "^disable-api: false" /etc/flintlock/config.yaml
		fl-serve run --check-config
		fl-provision undo -q
		for line in "disable-api: true" "thre-ads: 3"; do
			printf "verbosity: 1\n%s\n" "$line" >$old
			rc=0; fl-provision plan --only flintlock >said 2>&1 || rc=$?
			[ $rc != 0 ]
			cat said
			case $line in
			thre*) grep -F "$old: line 2: thre-ads" said ;;
			*) grep -F "disable-api: fl-serve is nothing but the API" said ;;
			esac
		done'
}

@test "what an old configuration has empty is not set: certificates and a token are made" {
	on_host '
		old=/etc/opt/flintlockd/config.yaml
		mkdir -p /etc/opt/flintlockd
		for key in basic-auth-token tls-cert tls-key tls-client-ca token-file parent-iface debug-endpoint; do
			echo "$key: \"\""
		done >$old
		echo "bridge-name: ~ # none is wanted" >>$old
		fl-provision flintlock -q
		cat /etc/flintlock/config.yaml
		grep -x "tls-cert: \"/etc/flintlock/pki/server.pem\"" /etc/flintlock/config.yaml
		grep -x "bridge-name: ~ # none is wanted" /etc/flintlock/config.yaml
		grep -x "debug-endpoint: \"\"" /etc/flintlock/config.yaml
		grep -x "token-file: \"/etc/flintlock/tokens\"" /etc/flintlock/config.yaml
		[ "$(grep -c ^tls-cert /etc/flintlock/config.yaml)" = 1 ]
		fl-serve run --check-config
		fl-provision flintlock -q
		fl-provision undo -q
		[ ! -e /etc/flintlock/config.yaml ]'
}

@test "an address that this host has not, a tokens file that is wrong: refused before anything is changed" {
	on_host '
		echo 0 | tee /proc/sys/net/ipv[46]/ip_nonlocal_bind >/dev/null
		for address in 1.2.3.4 fd00::99; do
			rc=0; fl-provision flintlock -a $address 2>said || rc=$?
			[ $rc = 8 ]; grep "grpc-address $address: is no address of this host" said
			[ ! -e /etc/flintlock ]
		done
		for address in 192.168.7.5 127.0.0.1 0.0.0.0 :: ::1 localhost; do
			fl-provision flintlock -q -a $address
		done
		find /etc/flintlock -type f -exec sha256sum {} + >had
		rc=0; fl-provision flintlock -a 1.2.3.4 2>said || rc=$?
		[ $rc = 8 ]; sha256sum --quiet -c had
		echo "a ns0 read too-many" >/etc/flintlock/tokens
		ip address add 192.168.7.6/24 dev up0
		sha256sum /etc/flintlock/pki/server.pem >had
		rc=0; fl-provision flintlock -a 192.168.7.6 2>said || rc=$?
		[ $rc = 3 ]; grep "tokens:1: more than TOKEN" said
		sha256sum --quiet -c had'
}

@test "undo tells each thing once, and lists it once" {
	on_host '
		for address in 192.168.7.5 127.0.0.1 0.0.0.0; do
			fl-provision flintlock -y -q -a $address
		done
		[ "$(fl-provision undo --dry-run | grep -c server.pem)" = 1 ]
		fl-provision undo --dry-run --json | jq -e -s "map(select(.name | endswith(\"config.yaml\")))
			| length == 1 and .[0].change == \"undo\" and .[0].step == \"flintlock\""
		fl-provision undo 2>said
		[ "$(grep -c "server.pem: taken back" said)" = 1 ]
		[ "$(grep -c "config.yaml: taken back" said)" = 1 ]
		[ ! -e /etc/flintlock ]'
}

@test "every step takes -y" {
	on_host '
		for step in $(fl-provision --help | sed -n "/^Commands:/,/^$/s/^  \([a-z_]*\) .*/\1/p"); do
			case $step in check | restore) continue ;; esac
			fl-provision $step --help | grep -q -- "-y, --unattended"
		done
		fl-provision bridge -y -q
		fl-provision containerd -y -q
		fl-provision undo -y -q'
}

@test "an existing configuration keeps its mode and owner, and has them again after undo" {
	on_host '
		mkdir /etc/flintlock
		echo "jobs: 3" >/etc/flintlock/config.yaml
		chown 0:4 /etc/flintlock/config.yaml
		chmod 640 /etc/flintlock/config.yaml
		fl-provision flintlock -q
		grep -q "^tls-cert" /etc/flintlock/config.yaml
		[ "$(stat -c "%a %u:%g" /etc/flintlock/config.yaml)" = "640 0:4" ]
		fl-provision flintlock -q -f <(echo "max-streams: 9")
		[ "$(stat -c "%a %u:%g" /etc/flintlock/config.yaml)" = "640 0:4" ]
		fl-provision undo -q
		[ "$(cat /etc/flintlock/config.yaml)" = "jobs: 3" ]
		[ "$(stat -c "%a %u:%g" /etc/flintlock/config.yaml)" = "640 0:4" ]'
}

# A systemd that runs fl-serve.service, as far as it is asked: its calls are in $BIN/calls.
stand_in_systemd() {
	mount -t tmpfs tmpfs /run
	mkdir -p /run/systemd/system
	touch /etc/systemd/system/fl-serve.service
	cat >"$BIN/systemctl" <<-'END'
		#!/bin/bash
		cd "${0%/*}"
		case "$*" in
		is-active*) [ -e active ] ;;
		is-enabled*) [ -e enabled ] ;;
		show*ActiveEnter*) echo "@$(stat -c %Y active)" ;;
		show*StateChange*) echo "@$(stat -c %Y changed)" ;;
		*)
			echo "$*" >>calls
			case "$*" in
			start* | restart*) touch active changed ;;
			reload*) touch changed ;;
			stop*) rm active ;;
			--quiet\ enable*) touch enabled ;;
			--quiet\ disable*) rm enabled ;;
			esac
			;;
		esac
	END
	chmod +x "$BIN/systemctl"
}
export -f stand_in_systemd

@test "a running fl-serve is started again for its settings, and reads certificates and tokens again" {
	on_host '
		stand_in_systemd
		only="--only flintlock"
		does() { # what fl-provision has systemd do, beside what it does whenever it does something
			: >"$BIN/calls"
			fl-provision all -y -q $only
			touch -d "1 hour ago" /etc/flintlock/config.yaml /etc/flintlock/tokens /etc/flintlock/pki/*
			grep -v -e daemon-reload -e enable "$BIN/calls" | paste -sd,
		}
		[ "$(does)" = "start fl-serve.service" ]
		touch "$BIN/active" "$BIN/changed"
		[ -z "$(does)" ]
		for file in pki/server.pem pki/server.key pki/ca.pem tokens; do
			touch -d "1 hour" /etc/flintlock/$file
			fl-provision plan $only | grep "fl-serve.service *reads its certificates and tokens again"
			[ "$(does)" = "reload fl-serve.service" ]
			[ -z "$(does)" ]
		done
		touch -d "1 hour" /etc/flintlock/config.yaml /etc/flintlock/tokens
		[ "$(does)" = "restart fl-serve.service" ]
		[ -z "$(does)" ]'
}

@test "fl-serve may write to a state folder elsewhere, and use the pool that is made" {
	losetup --find >/dev/null 2>&1 || skip "no loop devices here"
	export STAND_IN=$BATS_TEST_TMPDIR/stand-in
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	ln -s "$FL_TOP/t/fl-provision/stand_in.sh" "$BATS_TEST_TMPDIR/bin/dmsetup"
	on_host '
		cp "$FL_TOP/contrib/systemd/fl-serve.service" /etc/systemd/system/
		host_is >before
		stand_in_systemd
		folder=/etc/systemd/system/fl-serve.service.d
		fl-provision flintlock -q
		grep -qx "ReadWritePaths=$FL_STATE_DIR" $folder/fl-provision-state.conf
		grep -qx "RequiresMountsFor=$FL_STATE_DIR" $folder/fl-provision-state.conf
		[ "$(ls $folder)" = fl-provision-state.conf ]
		grep -qx "Environment=FL_STATE_DIR=$FL_STATE_DIR" /etc/systemd/system/fl-restore.service.d/fl-provision-state.conf
		grep -qx "ConditionPathExists=$FL_STATE_DIR/vm" /etc/systemd/system/fl-restore.service.d/fl-provision-state.conf
		grep -qx "Environment=FL_STATE_DIR=$FL_STATE_DIR" /etc/systemd/system/fl-dns@.service.d/fl-provision-state.conf
		grep -qx "ReadWritePaths=$FL_STATE_DIR" /etc/systemd/system/fl-dns@.service.d/fl-provision-state.conf
		touch -d "1 hour ago" "$BIN/active"
		: >"$BIN/calls"
		fl-provision devpool -q
		grep -qx "CapabilityBoundingSet=CAP_SYS_ADMIN" $folder/fl-provision-pool.conf
		grep -qx "Environment=FL_POOL=flintlock-dev-thinpool" $folder/fl-provision-pool.conf
		[ "$(tail -n2 "$BIN/calls" | paste -sd,)" = "daemon-reload,restart fl-serve.service" ]
		lacks "^start|enable fl-serve" "$BIN/calls"
		systemd-analyze verify --man=no fl-serve.service >verified 2>&1 || true; cat verified; lacks "fl-provision-(state|pool)" verified
		touch -d "1 hour ago" $folder/*
		[ "$(fl-provision plan --only flintlock --json | jq -r .change | sort -u)" = "done" ]
		: >"$BIN/calls"
		fl-provision undo -q
		[ ! -e $folder ]
		tail -n1 "$BIN/calls" | grep -x daemon-reload
		rm -r "$BIN/systemctl" /run/systemd
		host_is | diff - before
		rm "$STAND_IN/calls"
		fl-provision devpool -q
		[ "$(fl-provision plan --only devpool --dev --json | jq -r .change | sort -u)" = "done" ]
		fl-provision undo -q
		fl-provision flintlock -q --state-dir $PWD/elsewhere
		[ -d $PWD/elsewhere ]
		fl-provision undo -q --state-dir $PWD/elsewhere
		[ ! -e $PWD/elsewhere ]
		fl-provision flintlock -q -f <(echo "state-dir: $PWD/third")
		grep -qx "ReadWritePaths=$PWD/third" $folder/fl-provision-state.conf
		# What its unit hides is shown to it: a home, and what is temporary.
		fl-provision undo -q
		fl-provision flintlock -q --state-dir /home/microvms
		grep -qx "ProtectHome=tmpfs" $folder/fl-provision-state.conf
		grep -qx "BindPaths=/home/microvms" $folder/fl-provision-state.conf
		fl-provision undo -q --state-dir /home/microvms
		fl-provision flintlock -q --state-dir /var/tmp/fl-microvms
		lacks ProtectHome $folder/fl-provision-state.conf
		grep -qx "BindPaths=/var/tmp/fl-microvms" $folder/fl-provision-state.conf
		fl-provision undo -q --state-dir /var/tmp/fl-microvms'
}

@test "settings that undo keeps and that name what goes: told, and made good by the next run" {
	on_host '
		for again in "" -k; do
			fl-provision flintlock -q
			echo "jobs: 5" >>/etc/flintlock/config.yaml
			fl-provision undo 2>said
			grep "config.yaml: kept: it was changed since; it names what goes: /etc/flintlock/pki/server.pem, .*/etc/flintlock/tokens" said
			rc=0; fl-serve run --check-config || rc=$?
			[ $rc != 0 ]
			fl-provision flintlock $again 2>said
			[ -z "$again" ] || grep "insecure is not taken" said
			fl-serve run --check-config
			fl-provision undo -q
			rm -r /etc/flintlock
		done'
}

@test "what is misspelt is refused, and named as it was said" {
	on_host '
		rc=0; fl-provision plan --only flintlock -a 10.0.0.5/24 2>said || rc=$?
		[ $rc = 2 ]; grep "grpc-address 10.0.0.5/24: give the address without a prefix" said
		rc=0; fl-provision all -y --skip apt,flintlock --offline "$PWD/nowhere" 2>said || rc=$?
		[ $rc = 4 ]; grep -F -- "--offline $PWD/nowhere" said
		[ ! -e /sys/class/net/flbr0 ]
		touch file
		rc=0; fl-provision plan --skip flintlock,apt --offline file 2>said || rc=$?
		[ $rc = 2 ]; grep -F -- "--offline file: is no folder" said
		rc=0; FIRECRACKER=latest fl-provision plan --only firecracker 2>said || rc=$?
		[ $rc = 2 ]; grep "FIRECRACKER latest: is no release" said
		rc=0; fl-provision plan --only firecracker --firecracker-version 1 2>said || rc=$?
		[ $rc = 2 ]; grep -e "--firecracker-version 1: is no release" said
		rc=0; fl-provision firecracker -v latest 2>said || rc=$?
		[ $rc = 2 ]; grep -e "--version latest: is no release" said'
}

@test "the default route, also of IPv6, gives the address and the link for macvtap; without one it is told" {
	on_host '
		config=/etc/flintlock/config.yaml
		fl-provision flintlock -q
		grep "^parent-iface: .up0" $config
		fl-provision flintlock -q -i other0
		grep "^parent-iface: .other0" $config
		fl-provision undo -q
		ip address flush dev up0
		ip route flush table main
		fl-provision plan --only flintlock | grep "this machine alone is served"
		ip address add fd00:7::5/64 dev up0 nodad
		ip -6 route add default via fd00:7::1
		fl-provision flintlock -q
		grep -F "[fd00:7::5]:9090" $config
		grep "^parent-iface: .up0" $config'
}

@test "plan by another than root: says what it cannot see, and goes on" {
	on_host '
		chmod 755 .. . ../.. 2>/dev/null || true
		fl-provision flintlock -q
		setpriv --reuid 65534 --regid 65534 --clear-groups "$FL_BUILD/bin/fl-provision" plan --only flintlock,bridge >plan 2>said
		grep "provision: .*Permission denied; .*root sees more" said
		grep "unseen *file */etc/flintlock/config.yaml" plan
		grep "make *bridge" plan'
}

@test "a port that is taken: what fl-serve says of it is told, and the next run goes on" {
	on_host '
		stand_in_systemd
		mv "$BIN/systemctl" "$BIN/good"
		cat >"$BIN/systemctl" <<-"END"
			#!/bin/bash
			[ "$1" = start ] || exec "${0%/*}/good" "$@"
			fl-serve run --config /etc/flintlock/config.yaml 2>"${0%/*}/journal" && exit
			echo "Job for fl-serve.service failed because the control process exited with error code." >&2
			exit 1
		END
		printf "#!/bin/bash\ntail -n1 \"\${0%%/*}/journal\"\n" >"$BIN/journalctl"
		chmod +x "$BIN/systemctl" "$BIN/journalctl"
		python3 -c "import socket, time; s = socket.socket(); s.bind((\"192.168.7.5\", 29093)); s.listen(); open(\"taken\", \"w\"); time.sleep(60)" &
		holder=$!
		until [ -e taken ]; do sleep 0.1; done
		rc=0; fl-provision flintlock -p 29093 2>said || rc=$?
		kill $holder; wait $holder || true
		[ $rc = 17 ]
		grep "fl-serve.service: does not start: fl-serve: .*192.168.7.5:29093: .*in use" said
		mv "$BIN/good" "$BIN/systemctl"
		fl-provision flintlock -q -p 29093
		[ -e "$BIN/active" ]'
}

@test "without KVM all goes on, and warns" {
	on_host '
		mkdir dev
		mount -t tmpfs tmpfs dev
		for node in null zero urandom random full; do
			touch dev/$node
			mount --bind /dev/$node dev/$node
		done
		ln -s /proc/self/fd dev/fd
		ln -s /proc/self/fd/0 dev/stdin
		mount --move dev /dev
		fl-provision all -y -s 2>said
		grep "warning: no KVM here: QEMU emulates" said
		grep "firecracker: left out: it does not run without KVM" said
		grep "cloudhypervisor: left out" said
		fl-provision plan --only firecracker --json | jq -r .step | grep -x firecracker
		mkdir releases
		fl-provision plan --offline releases 2>&1 | grep "firecracker: left out: releases/"
		[ -e /etc/flintlock/config.yaml ]
		ip link show flbr0
		fl-provision undo -q'
}
