/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Keys and X.509 certificates (RFC 5280): a CA, and what it signs. The owner of libcrypto's
 * certificates. Keys are P-256, in PEM, and never leave memory but into the file that the
 * caller writes.
 *
 *     fl_certificate_make_key(&key, err);
 *     fl_certificate_make(&(struct fl_certificate){ .name = "flintlock CA", .is_ca = true,
 *                         .days = 3650 }, &key, NULL, NULL, &cert, err);
 */
#pragma once

#include "common/err.h"
#include "common/str.h"

struct fl_certificate {
	const char *name;  /* the subject's common name */
	const char *hosts; /* names and addresses it is for, joined by commas; NULL: none */
	bool is_ca, is_server;
	unsigned days;
};

int fl_certificate_make_key(struct fl_str *key, struct fl_err *err);

/* Signed by the CA, or by itself when ca and ca_key are NULL. */
int fl_certificate_make(const struct fl_certificate *want, const struct fl_str *key,
			const struct fl_str *ca, const struct fl_str *ca_key, struct fl_str *cert,
			struct fl_err *err);

/* Whether key is the one of cert. */
bool fl_certificate_fits(const struct fl_str *cert, const struct fl_str *key);

/* Whether cert belongs to key (NULL: to whatever key), is signed by ca, is for all of the hosts
 * (NULL: none are asked for), and is good for another days_left days. */
bool fl_certificate_is_good(const struct fl_str *cert, const struct fl_str *key,
			    const struct fl_str *ca, const char *hosts, unsigned days_left);
