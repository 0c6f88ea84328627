/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What may be a name in DNS (RFC 1123, 2.1), and what a microVM is called there.
 *
 *     if (fl_dns_check_domain("fl.internal", err) < 0) return -1;
 *     fl_str_add(&line, address);
 *     if (!fl_dns_add_names("default", "web", "fl.internal", &line)) ...
 *     // "10.77.0.2 web.default.fl.internal web.fl.internal"
 */
#pragma once

#include "common/json.h"
#include "common/str.h"

#include <stdbool.h>

/* With its end: with two labels in front of it a name still has at most 253 characters. */
#define FL_DNS_DOMAIN 121

/* FL_ERR_INVALID when nothing can be under it. */
int fl_dns_check_domain(const char *domain, struct fl_err *err);

/* Letters, digits and "-", neither first nor last: microVMs and namespaces may have other names,
 * and those have none here. */
bool fl_dns_is_label(const char *text);

/* Adds " NAME.NAMESPACE.DOMAIN", and in the namespace "default" " NAME.DOMAIN": of two microVMs of one
 * name, no namespace takes that from another. False, and nothing added, when it has none; one with a
 * capital letter has none. */
bool fl_dns_add_names(const char *name_space, const char *name, const char *domain,
		      struct fl_str *out);

/* Where a microVM looks for short names: in its own namespace first. Caller owns the list. */
fl_json *fl_dns_search(const char *name_space, const char *domain);
