#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# A host with a real systemd, in the lab.

bats_require_minimum_version 1.5.0
load provision

@test "installed, provisioned, a microVM over TLS and token; restarted; taken back" {
	in_lab systemd.sh host
}
