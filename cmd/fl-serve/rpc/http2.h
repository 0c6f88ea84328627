/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The server's end of one HTTP/2 connection (RFC 9113), over a bufferevent of libevent, in
 * the clear or under TLS. The owner of nghttp2. What a request means is the upper's affair.
 *
 *     struct fl_http2 *connection = fl_http2_open(bev, &upper, server);
 *     ... upper.begin(exchange): fl_exchange_find(exchange, ":path") …
 *     fl_exchange_respond(exchange, headers, count, false);
 *     fl_exchange_write(exchange, bytes, size);
 *     fl_exchange_end(exchange, trailers, count);
 */
#pragma once

#include "common/str.h"
#include "common/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct bufferevent;
struct fl_http2;

struct fl_header {
	const char *name, *value;
};

/* Where a header field's name and value begin in the exchange's text. */
struct fl_exchange_field {
	uint32_t name;
	uint32_t value;
};

/* One request and its answer. It lives until the upper's close returns. */
struct fl_exchange {
	struct fl_http2 *connection;
	struct fl_exchange *previous, *next; /* on the connection */
	int32_t id;
	int64_t began_ms;
	void *user;        /* the upper's own */
	bool request_ended;
	bool answered;     /* the response's headers are out */

	/* The module's own. */
	struct fl_str text;
	FL_VEC(struct fl_exchange_field) headers;
	struct fl_str out;
	size_t out_at;
	bool out_ended, deferred, refused;
	FL_VEC(struct fl_header) trailers; /* texts owned */
};

struct fl_http2_upper {
	/* The header fields are in. */
	void (*begin)(struct fl_exchange *exchange);
	/* A piece of the body; borrowed. */
	void (*data)(struct fl_exchange *exchange, const uint8_t *bytes, size_t size);
	/* The request is whole. */
	void (*end)(struct fl_exchange *exchange);
	/* All that was written is on its way: a long answer writes its next piece now. */
	void (*room)(struct fl_exchange *exchange);
	/* It is over, done or not. The exchange is freed afterwards. */
	void (*close)(struct fl_exchange *exchange);
	/* The connection is over; it is freed afterwards. */
	void (*gone)(struct fl_http2 *connection, void *arg);
};

struct fl_http2_limits {
	uint32_t max_streams;      /* at once, per connection */
	uint32_t max_header_bytes; /* of one request */
	size_t max_waiting;        /* bytes of answers, of all connections */
};

/* Takes bev. arg goes to gone. */
struct fl_http2 *fl_http2_open(struct bufferevent *bev, const struct fl_http2_upper *upper,
			       const struct fl_http2_limits *limits, void *arg);

/* Tells the client to open nothing more here; what runs is finished, then it is gone. */
void fl_http2_drain(struct fl_http2 *connection);

/* Ends it now; gone is called. */
void fl_http2_close(struct fl_http2 *connection);

/* Whether the client has said its first words; and its exchanges, linked by next. */
bool fl_http2_has_begun(const struct fl_http2 *connection);
struct fl_exchange *fl_http2_exchanges(const struct fl_http2 *connection);
void *fl_http2_arg(const struct fl_http2 *connection);

/* Asks the client for a sign of life; and when it gave the last (fl_clock_ms). */
void fl_http2_ping(struct fl_http2 *connection);
int64_t fl_http2_heard_ms(const struct fl_http2 *connection);

/* For the connection: adds a field whose texts end in NUL bytes; frees what it holds. */
void fl_exchange_add(struct fl_exchange *exchange, const uint8_t *name, size_t name_size,
		     const uint8_t *value, size_t value_size);
void fl_exchange_finish(struct fl_exchange *exchange);

/* The request's field, lower-case name, pseudo fields with their colon; NULL when absent. */
const char *fl_exchange_find(const struct fl_exchange *exchange, const char *name);

/* The answer: header fields, then writes, then the end with trailers (count may be 0). */
void fl_exchange_respond(struct fl_exchange *exchange, const struct fl_header *headers,
			 size_t count, bool ended);
void fl_exchange_write(struct fl_exchange *exchange, const void *bytes, size_t size);
void fl_exchange_end(struct fl_exchange *exchange, const struct fl_header *trailers, size_t count);

/* Breaks it off. */
void fl_exchange_reset(struct fl_exchange *exchange);

/* Whether so many of its answers wait for it to read them that it should be given no more:
 * a share of all that may wait, and next to nothing when that much does. */
bool fl_http2_is_behind(const struct fl_http2 *connection);
