/* SPDX-License-Identifier: MPL-2.0 */
/* What a client sends on a connection: frames of HTTP/2, after the preface or without. */
#include "cmd/fl-serve/rpc/http2.h"
#include "t/fuzz/fuzz.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

static bool is_gone;

static void on_end(struct fl_exchange *exchange)
{
	static const struct fl_header head[] = { { ":status", "200" }, { "a", "b" } };
	static const struct fl_header tail[] = { { "grpc-status", "0" } };
	const char *path = fl_exchange_find(exchange, ":path");

	if (path && path[1] == 'r') {
		fl_exchange_reset(exchange);
		return;
	}
	fl_exchange_respond(exchange, head, 2, false);
	fl_exchange_write(exchange, "answer", 6);
	fl_exchange_end(exchange, tail, 1);
}

static void on_begin(struct fl_exchange *exchange)
{
	MUST(fl_exchange_find(exchange, "no such field") == NULL);
}

static void on_data(struct fl_exchange *exchange, const uint8_t *bytes, size_t size)
{
	volatile uint8_t last = size ? bytes[size - 1] : 0;

	(void)last;
	(void)exchange;
}

static void nothing(struct fl_exchange *exchange)
{
	(void)exchange;
}

static void on_gone(struct fl_http2 *connection, void *arg)
{
	(void)connection;
	(void)arg;
	is_gone = true;
}

static const struct fl_http2_upper upper = { .begin = on_begin, .data = on_data, .end = on_end,
					     .room = nothing,	.close = nothing, .gone = on_gone };
static const struct fl_http2_limits limits = { 16, 8192, 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct bufferevent *pair[2];
	struct fl_http2 *connection;

	base = base ? base : event_base_new();
	MUST(base && bufferevent_pair_new(base, 0, pair) == 0);
	is_gone = false;
	connection = fl_http2_open(pair[0], &upper, &limits, NULL);
	bufferevent_enable(pair[1], EV_READ | EV_WRITE);
	/* The first byte says after how many a pause is made: frames come in pieces. */
	for (size_t at = 1; at < size && !is_gone; at += data[0] + 1U) {
		size_t piece = size - at < data[0] + 1U ? size - at : data[0] + 1U;

		bufferevent_write(pair[1], data + at, piece);
		event_base_loop(base, EVLOOP_NONBLOCK);
		evbuffer_drain(bufferevent_get_input(pair[1]), SIZE_MAX);
	}
	if (!is_gone)
		fl_http2_close(connection);
	MUST(is_gone);
	bufferevent_free(pair[1]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return 0;
}
