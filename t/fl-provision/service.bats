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
