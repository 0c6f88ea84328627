/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The nameservers that this host asks, as far as a guest can ask them too.
 * Format: resolv.conf(5).
 *
 *     fl_cleanup_json fl_json *servers = fl_resolv_servers(AF_INET);      // maybe empty
 */
#pragma once

#include "common/json.h"

/* A list of addresses of that family as text, at most three; caller owns it. Loopback and
 * link-local ones are left out, as they mean another machine in a guest. */
fl_json *fl_resolv_servers(int family);
