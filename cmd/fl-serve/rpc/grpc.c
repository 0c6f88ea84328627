/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/rpc/grpc.h"

#include "cmd/fl-serve/rpc/gunzip.h"
#include "cmd/fl-serve/rpc/text.h"
#include "cmd/fl-serve/rpc/transport.h"
#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX 5 /* a flag and a length in front of every message */
#define LONGEST_DEADLINE_MS 86400000

struct grpc_call {
	struct fl_call call;
	struct fl_exchange *exchange;
	struct fl_str in; /* what came and is not a whole message yet */
	bool gzip, had_message;
};

static size_t *held_by(const struct grpc_call *call)
{
	struct fl_rpc_connection *connection = fl_http2_arg(call->exchange->connection);

	return &connection->held;
}

/* With nothing sent yet, status and header fields are one ("Trailers-Only"). */
static void end_with(struct fl_exchange *exchange, int code, const char *text,
		     const struct fl_str *details, const char *http_status)
{
	fl_cleanup_str struct fl_str message = FL_STR_INIT;
	fl_cleanup_str struct fl_str binary = FL_STR_INIT;
	const struct grpc_call *call = exchange->user;
	struct fl_header headers[6] = { { ":status", http_status },
					{ "content-type", "application/grpc" } };
	size_t first = exchange->answered ? 2 : 0, count = 2;
	char number[12];

	snprintf(number, sizeof(number), "%d", code);
	headers[count++] = (struct fl_header){ "grpc-status", number };
	if (text && *text) {
		fl_grpc_add_percent(text, &message);
		headers[count++] = (struct fl_header){ "grpc-message", message.data };
	}
	if (details) {
		fl_grpc_add_binary(details, &binary);
		headers[count++] = (struct fl_header){ "grpc-status-details-bin", binary.data };
	}
	if (call && *call->call.request)
		headers[count++] = (struct fl_header){ "x-request-id", call->call.request };
	if (first)
		fl_exchange_end(exchange, headers + first, count - first);
	else
		fl_exchange_respond(exchange, headers, count, true);
}

/* What is wrong with the request before any method is looked at; NULL: nothing. */
static bool is_refused(struct fl_exchange *exchange)
{
	const char *method = fl_exchange_find(exchange, ":method");
	const char *type = fl_exchange_find(exchange, "content-type");
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct fl_header wrong_method[] = { { ":status", "405" }, { "allow", "POST" } };

	if (!fl_str_equal(method, "POST")) {
		fl_exchange_respond(exchange, wrong_method, 2, true);
		return true;
	}
	if (type && fl_str_starts(type, "application/grpc") &&
	    (!type[16] || type[16] == '+' || type[16] == ';'))
		return false;
	fl_str_addf(&text, "invalid gRPC request content-type \"%.100s\"", type ? type : "");
	end_with(exchange, FL_RPC_INVALID_ARGUMENT, text.data, NULL, "415");
	return true;
}

static void send(struct fl_call *base, const void *message, size_t size)
{
	const struct fl_header headers[] = { { ":status", "200" },
					     { "content-type", "application/grpc" },
					     { "grpc-accept-encoding", "identity,gzip" },
					     { "x-request-id", base->request } };
	const uint8_t prefix[PREFIX] = { 0, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
					 (uint8_t)(size >> 8), (uint8_t)size };
	struct fl_exchange *exchange = ((struct grpc_call *)base)->exchange;

	if (!exchange->answered)
		/* One that nobody wanted to know was not made. */
		fl_exchange_respond(exchange, headers, FL_COUNT(headers) - !*base->request, false);
	fl_exchange_write(exchange, prefix, PREFIX);
	if (size)
		fl_exchange_write(exchange, message, size);
}

static void finish(struct fl_call *base, int code, const char *text, const struct fl_str *details)
{
	end_with(((struct grpc_call *)base)->exchange, code, text, details, "200");
}

static bool has_ended(const struct fl_call *base)
{
	return ((const struct grpc_call *)base)->exchange->request_ended;
}

static const struct fl_transport transport = { send, finish, has_ended };

static int set_deadline(struct grpc_call *call, const char *text)
{
	fl_cleanup_free char *why = NULL;
	int64_t milliseconds;

	if (!text)
		return 0;
	if (fl_grpc_parse_timeout(text, &milliseconds)) {
		if (milliseconds <= LONGEST_DEADLINE_MS)
			fl_call_set_deadline(&call->call, milliseconds);
		return 0;
	}
	why = fl_asprintf("malformed grpc-timeout: %.40s", text);
	call->call.ended = true;
	end_with(call->exchange, FL_RPC_INTERNAL, why, NULL, "400");
	return -1;
}

static int set_encoding(struct grpc_call *call, const char *encoding)
{
	fl_cleanup_free char *text = NULL;

	if (!encoding || strcmp(encoding, "identity") == 0)
		return 0;
	call->gzip = strcmp(encoding, "gzip") == 0;
	if (call->gzip)
		return 0;
	text = fl_asprintf("grpc: Decompressor is not installed for grpc-encoding \"%.40s\"", encoding);
	fl_call_fail(&call->call, FL_RPC_UNIMPLEMENTED, text, NULL);
	return -1;
}

static void begin(struct fl_exchange *exchange)
{
	struct fl_rpc_connection *connection = fl_http2_arg(exchange->connection);
	const char *path = fl_exchange_find(exchange, ":path");
	const struct fl_rpc_who who = { connection->peer, fl_exchange_find(exchange, "authorization"),
					fl_exchange_find(exchange, "x-request-id"),
					connection->is_trusted };
	struct grpc_call *call;

	if (is_refused(exchange))
		return;
	call = fl_alloc_zero(1, sizeof(*call));
	call->exchange = exchange;
	exchange->user = call;
	fl_call_open(&call->call, connection->rpc, &transport, path ? path : "");
	if (set_deadline(call, fl_exchange_find(exchange, "grpc-timeout")) < 0 ||
	    fl_call_admit(&call->call, &who) < 0 ||
	    set_encoding(call, fl_exchange_find(exchange, "grpc-encoding")) < 0)
		return;
	if (fl_http2_is_behind(exchange->connection))
		fl_call_fail(&call->call, FL_RPC_RESOURCE_EXHAUSTED,
			     "answers to earlier calls are not read; read them first", NULL);
	else if (!call->call.method)
		fl_call_fail_unknown(&call->call, path ? path : "");
}

static void too_large(struct grpc_call *call, size_t size)
{
	fl_cleanup_free char *text =
		fl_asprintf("grpc: received message larger than max (%zu vs. %zu)", size,
			    fl_rpc_options(call->call.rpc)->max_message);

	fl_call_fail(&call->call, FL_RPC_RESOURCE_EXHAUSTED, text, NULL);
}

static int take_message(struct grpc_call *call, const uint8_t *bytes, size_t size, bool packed)
{
	struct fl_err err = { 0 };

	fl_str_clear(&call->call.message);
	if (!packed) {
		fl_str_add_bytes(&call->call.message, bytes, size);
		return 0;
	}
	if (!call->gzip) {
		fl_call_fail(&call->call, FL_RPC_INTERNAL,
			     "grpc: compressed flag set with identity or empty encoding", NULL);
		return -1;
	}
	if (fl_gunzip(bytes, size, fl_rpc_options(call->call.rpc)->max_message, &call->call.message, &err) == 0)
		return 0;
	fl_call_fail_err(&call->call, &err);
	return -1;
}

/* A message that is whole is taken out of what came; false when none is. */
static bool next_message(struct grpc_call *call)
{
	const uint8_t *in = (const uint8_t *)call->in.data;
	size_t size;

	if (call->in.len < PREFIX)
		return false;
	size = (size_t)in[1] << 24 | (size_t)in[2] << 16 | (size_t)in[3] << 8 | in[4];
	if (size > fl_rpc_options(call->call.rpc)->max_message) {
		too_large(call, size);
		return false;
	}
	if (call->in.len < PREFIX + size)
		return false;
	if (!call->call.method->type->streams_in && call->had_message) {
		fl_call_fail(&call->call, FL_RPC_INTERNAL, "more than one message for a unary method", NULL);
		return false;
	}
	call->had_message = true;
	if (take_message(call, in + PREFIX, size, in[0] != 0) < 0)
		return false;
	call->in.len -= PREFIX + size;
	memmove(call->in.data, call->in.data + PREFIX + size, call->in.len);
	fl_rpc_give_back(call->call.rpc, held_by(call), PREFIX + size);
	return true;
}

static void data(struct fl_exchange *exchange, const uint8_t *bytes, size_t size)
{
	struct grpc_call *call = exchange->user;

	if (!call || call->call.ended)
		return;
	if (!fl_rpc_take(call->call.rpc, held_by(call), size)) {
		fl_call_fail(&call->call, FL_RPC_RESOURCE_EXHAUSTED,
			     "the server has no room for more requests now; try again later", NULL);
		return;
	}
	fl_str_add_bytes(&call->in, bytes, size);
	while (!call->call.ended && next_message(call))
		if (call->call.method->type->streams_in)
			fl_call_run(&call->call);
}

static void end(struct fl_exchange *exchange)
{
	struct grpc_call *call = exchange->user;

	if (!call || call->call.ended)
		return;
	if (call->call.method->type->streams_in)
		fl_call_end_of_stream(&call->call);
	else if (call->had_message && call->in.len == 0)
		fl_call_run(&call->call);
	else
		fl_call_fail(&call->call, FL_RPC_INTERNAL, call->in.len ? "unexpected EOF" : "EOF", NULL);
}

static void room(struct fl_exchange *exchange)
{
	struct grpc_call *call = exchange->user;

	if (call)
		fl_call_more(&call->call);
}

static void closed(struct fl_exchange *exchange)
{
	struct grpc_call *call = exchange->user;

	if (!call)
		return;
	fl_rpc_give_back(call->call.rpc, held_by(call), call->in.len);
	fl_str_finish(&call->in);
	fl_call_close(&call->call);
	free(call);
}

struct fl_http2_upper fl_rpc_upper(void (*gone)(struct fl_http2 *connection, void *arg))
{
	return (struct fl_http2_upper){ begin, data, end, room, closed, gone };
}

void fl_rpc_stop_streams(struct fl_http2 *connection)
{
	struct fl_exchange *one = fl_http2_exchanges(connection);

	for (; one; one = one->next) {
		struct grpc_call *call = one->user;

		if (call && call->call.method && call->call.method->type->streams_in)
			fl_call_fail(&call->call, FL_RPC_UNAVAILABLE, "the server stops", NULL);
	}
}
