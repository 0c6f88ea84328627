/* SPDX-License-Identifier: MPL-2.0 */
/*
 * TLS for the server's end of connections: TLS 1.3, HTTP/2 agreed on by ALPN, client
 * certificates when they are wanted. The owner of OpenSSL's libssl here.
 *
 *     struct fl_tls *tls = fl_tls_create(&files, err);
 *     struct bufferevent *bev = fl_tls_accept(tls, base, fd);
 */
#pragma once

#include "common/err.h"

struct bufferevent;
struct event_base;
struct fl_tls;

struct fl_tls_files {
	const char *cert, *key;  /* PEM; the chain behind the certificate */
	const char *client_ca;   /* NULL: client certificates are not asked for */
	const char *const *alpn; /* what to agree on, best first, NULL at the end; borrowed */
};

struct fl_tls *fl_tls_create(const struct fl_tls_files *files, struct fl_err *err);
void fl_tls_free(struct fl_tls *tls); /* NULL is fine; connections keep what they need */

/* Takes fd. NULL when there is no memory for it. */
struct bufferevent *fl_tls_accept(struct fl_tls *tls, struct event_base *base, int fd);
