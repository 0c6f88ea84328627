/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Calls as their handlers see them, whatever carries them: gRPC, or JSON over HTTP.
 *
 *     static void get(struct fl_call *call)
 *     {
 *             fl_cleanup_json fl_json *request = fl_call_request(call);
 *             if (!request) return;                      // answered already
 *             fl_call_send_json(call, answer);
 *             fl_call_finish(call);
 *     }
 *     static const struct fl_rpc_handler handlers[] = {
 *             { "/microvm.services.api.v1alpha1.MicroVM/GetMicroVM", get },
 *     };
 */
#pragma once

#include "cmd/fl-serve/wire/codec.h"
#include "common/json.h"
#include "common/ulid.h"

struct event_base;
struct fl_call;
struct fl_rpc;

/* Codes of google.rpc.Code, those that the transport itself gives. */
enum fl_rpc_code {
	FL_RPC_OK = 0,
	FL_RPC_CANCELLED = 1,
	FL_RPC_INVALID_ARGUMENT = 3,
	FL_RPC_DEADLINE_EXCEEDED = 4,
	FL_RPC_NOT_FOUND = 5,
	FL_RPC_ALREADY_EXISTS = 6,
	FL_RPC_PERMISSION_DENIED = 7,
	FL_RPC_RESOURCE_EXHAUSTED = 8,
	FL_RPC_FAILED_PRECONDITION = 9,
	FL_RPC_ABORTED = 10,
	FL_RPC_OUT_OF_RANGE = 11,
	FL_RPC_UNIMPLEMENTED = 12,
	FL_RPC_INTERNAL = 13,
	FL_RPC_UNAVAILABLE = 14,
	FL_RPC_UNAUTHENTICATED = 16,
	FL_RPC_CODES = 17
};

struct fl_rpc_handler {
	const char *path; /* "/package.Service/Method" */
	/* The request is in: once, at its end; of a client's stream at every message. */
	void (*run)(struct fl_call *call);
	/* All that was sent is on its way: send the next. May be NULL. */
	void (*more)(struct fl_call *call);
	/* It ends, whyever; frees call->user. May be NULL. */
	void (*closed)(struct fl_call *call);
	bool is_open;    /* asks for no token */
	bool is_change;  /* of a microVM */
};

/* Who calls, and what the caller calls it; NULL: not said. */
struct fl_rpc_who {
	const char *peer, *authorization, *request_id;
	bool is_trusted; /* without a token */
};

/* What is asked before, and told behind every call. */
struct fl_rpc_gate {
	/* 0, with *caller set to what fl_call_caller gives; -1 with what to answer. */
	int (*admit)(void *arg, const struct fl_rpc_who *who, bool is_open, const void **caller,
		     struct fl_err *err);
	/* text: what the caller was told; NULL: nothing. May be NULL. */
	void (*ended)(void *arg, struct fl_call *call, int code, const char *text);
	void *arg;
};

struct fl_rpc_options {
	struct event_base *base;
	const struct fl_types *types;
	struct fl_rpc_gate gate; /* admit NULL: everyone may */
	size_t max_message;      /* bytes of one request */
	size_t max_waiting;      /* bytes of all requests that are not whole, and of answers */
	void *server;            /* fl_call_server gives it */
};

struct fl_rpc *fl_rpc_create(const struct fl_rpc_options *options);
void fl_rpc_destroy(struct fl_rpc *rpc); /* after all connections are gone */
void fl_rpc_add(struct fl_rpc *rpc, const struct fl_rpc_handler *handlers, size_t count);

/* Of a call, for handlers. */
void *fl_call_server(const struct fl_call *call);
struct event_base *fl_call_base(const struct fl_call *call);
const void *fl_call_caller(const struct fl_call *call);
void **fl_call_user(struct fl_call *call); /* the handler's own */

/* For the log: the caller's x-request-id, or one made for it; who it is; how long it took; which
 * microVM it was about, "" until fl_call_about. */
#define FL_REQUEST_SIZE 65
const char *fl_call_request_id(struct fl_call *call);
const char *fl_call_peer(const struct fl_call *call);
const struct fl_rpc_handler *fl_call_handler(const struct fl_call *call); /* NULL: there is none */
int64_t fl_call_us(const struct fl_call *call);
void fl_call_about(struct fl_call *call, const char *uid);
const char *fl_call_uid(const struct fl_call *call);

/* The request's bytes, and as a document; NULL when it could not be read: the call was
 * answered then. Caller owns the document. */
const struct fl_str *fl_call_bytes(const struct fl_call *call);
fl_json *fl_call_request(struct fl_call *call);

/* Whether the client's stream has ended. */
bool fl_call_has_ended(const struct fl_call *call);

/* One message of the answer. */
void fl_call_send(struct fl_call *call, const void *message, size_t size);
void fl_call_send_json(struct fl_call *call, const fl_json *message);

void fl_call_finish(struct fl_call *call);

/* Ends with a status. details: a google.rpc.Status message in bytes, or NULL. */
void fl_call_fail(struct fl_call *call, int code, const char *text, const struct fl_str *details);
void fl_call_fail_err(struct fl_call *call, const struct fl_err *err);

/* Seconds, upper bounds of a histogram of how long calls take. */
#define FL_RPC_BUCKETS 11
extern const double fl_rpc_buckets[FL_RPC_BUCKETS];

/* Counters, for metrics. */
struct fl_rpc_count {
	const char *service, *method; /* not NUL-terminated: service_size, method_size */
	size_t service_size, method_size;
	bool streams;
	uint64_t started, received, sent, handled[FL_RPC_CODES];
	uint64_t within[FL_RPC_BUCKETS]; /* calls that took this long, not those of lower bounds */
	double seconds;                  /* of all */
};

size_t fl_rpc_counts(const struct fl_rpc *rpc, const struct fl_rpc_count **counts);

/* Calls that run now. */
size_t fl_rpc_running(const struct fl_rpc *rpc);
