/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP transfers, several at once in one thread. The one owner of libcurl.
 *
 *     struct fl_http *http = fl_http_create(&(struct fl_http_options){ .agent = "fl-pull" });
 *     struct fl_http_transfer get = { .url = url, .write = to_file, .arg = &file };
 *     if (fl_http_run(http, &get, 1, 1, NULL, err) < 0) return -1;
 *     if (get.status != 200) ...
 *     fl_http_transfer_finish(&get);
 *     fl_http_destroy(http);
 */
#pragma once

#include "common/cancel.h"
#include "common/err.h"
#include "common/str.h"

#include <stdint.h>

struct fl_http;

struct fl_http_options {
	const char *agent;   /* User-Agent; borrowed */
	const char *ca_file; /* PEM bundle instead of the system's; NULL: the system's */
	const char *cert_file, *key_file; /* PEM, who we are; NULL: nobody */
	bool skip_verify;    /* take any certificate */
	const char *no_proxy; /* hosts, in no_proxy's form; NULL: the environment's; borrowed */
	unsigned retries;    /* of a transfer that was cut or met a fault that passes */
	uint64_t rate;       /* bytes per second, of all transfers together; 0: no limit */
	bool verbose;        /* what curl says goes to the log at level debug */
};

/* A part of a file, to be sent. */
struct fl_http_file {
	int fd; /* seekable */
	uint64_t offset, size;
	void (*sent)(void *arg, uint64_t size); /* so far; may be NULL */
	void *arg;
};

/* Why TLS failed, where whoever asks can do something about it. */
enum fl_http_tls {
	FL_HTTP_TLS_FINE,
	FL_HTTP_TLS_UNTRUSTED,  /* nobody known has signed the host's certificate, or it is another's */
	FL_HTTP_TLS_WHO_ARE_YOU, /* the host wants a client's certificate, or another one */
	FL_HTTP_TLS_NONE,       /* the host does not speak it */
};

struct fl_http_transfer {
	/* Asked for; all borrowed. */
	const char *url;
	const char *const *headers; /* "Name: value", NULL at the end; may be NULL */
	const char *method;         /* NULL: GET, POST with something to send, PUT with a file */
	const void *send;           /* the body of the request; NULL: none */
	size_t send_size;
	const struct fl_http_file *file; /* the body of the request instead; NULL: none */
	uint64_t limit;             /* more bytes of body than this is FL_ERR_CORRUPT; 0: none */
	/* Called with pieces of the body of a 2xx answer. NULL: the body goes to .body. */
	int (*write)(void *arg, const void *data, size_t size, struct fl_err *err);
	void *arg;
	uint64_t received; /* bytes that write got: what runs again goes on behind them */

	/* Answered. */
	int status;          /* of the last answer, after redirections; a part's 206 is 200 */
	struct fl_str body;  /* of any other answer (at most 64 KiB), or of all without write */
	struct fl_str headers_text; /* the last answer's header lines */

	/* Failed. */
	enum fl_http_tls tls;

	void *state; /* the module's own */
};

struct fl_http *fl_http_create(const struct fl_http_options *options);
void fl_http_destroy(struct fl_http *http); /* NULL is fine */

/* Runs all transfers, at most parallel at a time. -1 at the first that fails (host
 * unknown, refused, cut, time over: FL_ERR_UNAVAILABLE; write's own error), after the
 * others were given up. Any HTTP status is success here.
 *
 * Redirections are followed, never from HTTPS to HTTP, and not when there is a body to
 * send: it may hold secrets.
 *
 * A connection that is cut or silent, and the statuses 408, 429, 500, 502, 503 and 504, are
 * tried again after half a second, twice that, and so on up to 30, or when Retry-After says
 * (up to a minute; longer ends it). What has a write goes on where it was, with a range; a try
 * that brought a mebibyte is not counted. What sends a file is tried once.
 *
 * An "Authorization" goes to the host that was asked alone. */
int fl_http_run(struct fl_http *http, struct fl_http_transfer *transfers, size_t count,
		unsigned parallel, const struct fl_cancel *cancel, struct fl_err *err);

void fl_http_transfer_finish(struct fl_http_transfer *transfer);

/* The value of an answer's header, case-insensitively, into out, false when absent; several
 * of one name are joined by commas, as RFC 9110 says of lists. */
bool fl_http_header(const struct fl_http_transfer *transfer, const char *name, struct fl_str *out);

/* What curl says of a failure, in OpenSSL's words. */
enum fl_http_tls fl_http_tls_of(const char *message);

/* Of a line that is to be logged: logins, as headers and in a proxy's address, and the queries of
 * signed addresses. */
bool fl_http_may_hold_secret(const char *line);

/* Adds text with all but unreserved characters percent-encoded (RFC 3986). */
void fl_http_escape(const char *text, struct fl_str *out);
