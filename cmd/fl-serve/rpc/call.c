/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/rpc/transport.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define SHARE_OF_ONE 4          /* a connection may hold that part of what waits for its rest */
#define ALWAYS_HELD (64 << 10) /* and so much whatever others hold: most requests are small */

const double fl_rpc_buckets[FL_RPC_BUCKETS] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 };

struct fl_rpc {
	struct fl_rpc_options options;
	FL_VEC(struct fl_rpc_method) methods;
	FL_VEC(struct fl_rpc_count) counts; /* beside methods */
	size_t waiting;                     /* bytes of requests that are not whole */
	size_t running;
};

struct fl_rpc *fl_rpc_create(const struct fl_rpc_options *options)
{
	struct fl_rpc *rpc = fl_alloc_zero(1, sizeof(*rpc));

	rpc->options = *options;
	return rpc;
}

void fl_rpc_destroy(struct fl_rpc *rpc)
{
	if (!rpc)
		return;
	free(rpc->methods.items);
	free(rpc->counts.items);
	free(rpc);
}

static const struct fl_method_type *find_type(const struct fl_types *types, const char *path)
{
	const char *slash = strrchr(path, '/');
	fl_cleanup_free char *name = fl_strndup(path + 1, (size_t)(slash - path) - 1);
	const struct fl_service_type *service = fl_types_find_service(types, name);

	for (size_t i = 0; service && i < service->methods.count; i++)
		if (strcmp(service->methods.items[i].name, slash + 1) == 0)
			return &service->methods.items[i];
	abort(); /* a handler for what no .proto file has */
}

void fl_rpc_add(struct fl_rpc *rpc, const struct fl_rpc_handler *handlers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct fl_method_type *type = find_type(rpc->options.types, handlers[i].path);
		const char *slash = strrchr(handlers[i].path, '/');

		FL_VEC_ADD(&rpc->methods, (struct fl_rpc_method){ &handlers[i], type });
		FL_VEC_ADD(&rpc->counts,
			   (struct fl_rpc_count){ .service = handlers[i].path + 1,
						  .service_size = (size_t)(slash - handlers[i].path) - 1,
						  .method = slash + 1, .method_size = strlen(slash + 1),
						  .streams = type->streams_out });
	}
}

size_t fl_rpc_counts(const struct fl_rpc *rpc, const struct fl_rpc_count **counts)
{
	*counts = rpc->counts.items;
	return rpc->counts.count;
}

size_t fl_rpc_running(const struct fl_rpc *rpc)
{
	return rpc->running;
}

const struct fl_rpc_options *fl_rpc_options(const struct fl_rpc *rpc)
{
	return &rpc->options;
}

bool fl_rpc_take(struct fl_rpc *rpc, size_t *held, size_t size)
{
	size_t most = rpc->options.max_waiting;

	if (*held + size > ALWAYS_HELD &&
	    (rpc->waiting + size > most || *held + size > most / SHARE_OF_ONE))
		return false;
	rpc->waiting += size;
	*held += size;
	return true;
}

void fl_rpc_give_back(struct fl_rpc *rpc, size_t *held, size_t size)
{
	rpc->waiting -= size;
	*held -= size;
}

static void count_end(struct fl_call *call, int code)
{
	double seconds = (double)fl_call_us(call) / 1e6;

	if (!call->count)
		return;
	call->count->handled[code < FL_RPC_CODES ? code : 2]++;
	call->count->seconds += seconds;
	for (size_t i = 0; i < FL_RPC_BUCKETS; i++)
		if (seconds <= fl_rpc_buckets[i]) {
			call->count->within[i]++;
			break;
		}
}

static void tell_end(struct fl_call *call, int code, const char *text)
{
	const struct fl_rpc_gate *gate = &call->rpc->options.gate;

	if (gate->ended)
		gate->ended(gate->arg, call, code, text);
}

void fl_call_fail(struct fl_call *call, int code, const char *text, const struct fl_str *details)
{
	if (call->ended)
		return;
	call->ended = true;
	count_end(call, code);
	call->transport->finish(call, code, text, details);
	tell_end(call, code, text);
}

void fl_call_fail_err(struct fl_call *call, const struct fl_err *err)
{
	fl_call_fail(call, fl_err_grpc_status(err->kind), err->text, NULL);
}

void fl_call_finish(struct fl_call *call)
{
	fl_call_fail(call, FL_RPC_OK, NULL, NULL);
}

static bool is_known_service(const struct fl_rpc *rpc, const char *name, size_t size)
{
	for (size_t i = 0; i < rpc->counts.count; i++)
		if (rpc->counts.items[i].service_size == size &&
		    memcmp(rpc->counts.items[i].service, name, size) == 0)
			return true;
	return false;
}

void fl_call_fail_unknown(struct fl_call *call, const char *path)
{
	const char *slash = *path == '/' ? strrchr(path, '/') : path;
	fl_cleanup_free char *text = NULL;

	if (slash == path || *path != '/')
		text = fl_asprintf("malformed method name: \"%.200s\"", path);
	else if (is_known_service(call->rpc, path + 1, (size_t)(slash - path) - 1))
		text = fl_asprintf("unknown method %.200s for service %.*s", slash + 1,
				   (int)(slash - path) - 1, path + 1);
	else
		text = fl_asprintf("unknown service %.*s",
				   slash - path > 200 ? 200 : (int)(slash - path) - 1, path + 1);
	fl_call_fail(call, FL_RPC_UNIMPLEMENTED, text, NULL);
}

static void find_method(struct fl_call *call, const char *path)
{
	struct fl_rpc *rpc = call->rpc;

	for (size_t i = 0; i < rpc->methods.count; i++)
		if (strcmp(rpc->methods.items[i].handler->path, path) == 0) {
			call->method = &rpc->methods.items[i];
			call->count = &rpc->counts.items[i];
			call->count->started++;
			return;
		}
}

/* What a client calls its request goes into logs and records: only what is plain. */
static bool is_request_id(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "-_.:/+=";

	return text && *text && strlen(text) < FL_REQUEST_SIZE && !text[strspn(text, plain)];
}

int fl_call_admit(struct fl_call *call, const struct fl_rpc_who *who)
{
	const struct fl_rpc_gate *gate = &call->rpc->options.gate;
	bool is_open = call->method && call->method->handler->is_open;
	struct fl_err err = { 0 };

	if (is_request_id(who->request_id))
		snprintf(call->request, sizeof(call->request), "%s", who->request_id);
	snprintf(call->peer, sizeof(call->peer), "%s", who->peer ? who->peer : "");
	if (!gate->admit || gate->admit(gate->arg, who, is_open, &call->caller, &err) == 0)
		return 0;
	fl_call_fail_err(call, &err);
	return -1;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fl_call_fail(arg, FL_RPC_DEADLINE_EXCEEDED, "context deadline exceeded", NULL);
}

void fl_call_set_deadline(struct fl_call *call, int64_t milliseconds)
{
	struct timeval time = { milliseconds / 1000, milliseconds % 1000 * 1000 };

	call->deadline = evtimer_new(call->rpc->options.base, on_deadline, call);
	if (!call->deadline)
		abort();
	evtimer_add(call->deadline, &time);
}

void fl_call_open(struct fl_call *call, struct fl_rpc *rpc, const struct fl_transport *transport,
		  const char *path)
{
	call->rpc = rpc;
	call->transport = transport;
	call->began_us = fl_clock_us();
	rpc->running++;
	find_method(call, path);
}

void fl_call_run(struct fl_call *call)
{
	call->count->received++;
	call->method->handler->run(call);
	fl_str_clear(&call->message);
}

void fl_call_end_of_stream(struct fl_call *call)
{
	call->method->handler->run(call);
}

void fl_call_more(struct fl_call *call)
{
	if (!call->ended && call->method->handler->more)
		call->method->handler->more(call);
}

void fl_call_close(struct fl_call *call)
{
	if (!call->ended) {
		count_end(call, FL_RPC_CANCELLED);
		tell_end(call, FL_RPC_CANCELLED, "the client left");
	}
	if (call->method && call->method->handler->closed)
		call->method->handler->closed(call);
	if (call->deadline)
		event_free(call->deadline);
	call->rpc->running--;
	fl_str_finish(&call->message);
	fl_json_unref(call->document);
}

void *fl_call_server(const struct fl_call *call)
{
	return call->rpc->options.server;
}

struct event_base *fl_call_base(const struct fl_call *call)
{
	return call->rpc->options.base;
}

const void *fl_call_caller(const struct fl_call *call)
{
	return call->caller;
}

const char *fl_call_request_id(struct fl_call *call)
{
	char fresh[FL_ULID_TEXT];

	if (!*call->request) {
		fl_ulid_new(fresh);
		memcpy(call->request, fresh, sizeof(fresh));
	}
	return call->request;
}

const char *fl_call_peer(const struct fl_call *call)
{
	return call->peer;
}

const struct fl_rpc_handler *fl_call_handler(const struct fl_call *call)
{
	return call->method ? call->method->handler : NULL;
}

int64_t fl_call_us(const struct fl_call *call)
{
	return fl_clock_us() - call->began_us;
}

void fl_call_about(struct fl_call *call, const char *uid)
{
	snprintf(call->uid, sizeof(call->uid), "%s", uid);
}

const char *fl_call_uid(const struct fl_call *call)
{
	return call->uid;
}

void **fl_call_user(struct fl_call *call)
{
	return &call->user;
}

const struct fl_str *fl_call_bytes(const struct fl_call *call)
{
	return &call->message;
}

fl_json *fl_call_request(struct fl_call *call)
{
	struct fl_err err = { 0 };
	fl_json *request = call->document ? fl_json_ref(call->document) : fl_codec_decode(call->method->type->input,
					   call->message.data ? call->message.data : "",
					   call->message.len, &err);

	if (!request) {
		fl_err_prefix(&err, "grpc: error unmarshalling request");
		fl_call_fail_err(call, &err);
	}
	return request;
}

bool fl_call_has_ended(const struct fl_call *call)
{
	return call->transport->has_ended(call);
}

void fl_call_send(struct fl_call *call, const void *message, size_t size)
{
	if (call->ended)
		return;
	call->count->sent++;
	call->transport->send(call, message, size);
}

void fl_call_send_json(struct fl_call *call, const fl_json *message)
{
	fl_cleanup_str struct fl_str bytes = FL_STR_INIT;

	fl_codec_encode(call->method->type->output, message, &bytes);
	fl_call_send(call, bytes.data ? bytes.data : "", bytes.len);
}
