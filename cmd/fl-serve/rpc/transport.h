/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The carrier's side of a call: what gRPC and the HTTP gateway do to make one happen.
 *
 *     fl_call_open(&mine->call, rpc, &transport, path);
 *     if (fl_call_admit(call, &who) == 0 && call->method) ...
 *     fl_call_run(call);       // a message is in call->message
 *     fl_call_close(call);     // the carrier frees what is its own
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"

struct fl_rpc_method {
	const struct fl_rpc_handler *handler;
	const struct fl_method_type *type;
};

struct fl_transport {
	void (*send)(struct fl_call *call, const void *message, size_t size);
	void (*finish)(struct fl_call *call, int code, const char *text,
		       const struct fl_str *details);
	bool (*has_ended)(const struct fl_call *call);
};

/* A carrier's own structure begins with it. */
struct fl_call {
	const struct fl_transport *transport;
	struct fl_rpc *rpc;
	const struct fl_rpc_method *method; /* NULL: there is none of that name */
	struct fl_rpc_count *count;
	const void *caller;
	void *user;
	struct fl_str message; /* the request that is being handled */
	fl_json *document;     /* it as a document, where the carrier has one; owned */
	struct event *deadline;
	int64_t began_us;
	bool ended;
	char request[FL_REQUEST_SIZE]; /* "" until somebody wants to know */
	char peer[48], uid[FL_ULID_TEXT];
};

const struct fl_rpc_options *fl_rpc_options(const struct fl_rpc *rpc);

/* Room for requests that are not whole: false when there is none. held: what the one connection has
 * of it, which is little always and a part at most, whatever the others take. */
bool fl_rpc_take(struct fl_rpc *rpc, size_t *held, size_t size);
void fl_rpc_give_back(struct fl_rpc *rpc, size_t *held, size_t size);

/* Fills in a zeroed call. */
void fl_call_open(struct fl_call *call, struct fl_rpc *rpc, const struct fl_transport *transport,
		  const char *path);

/* -1: the caller is not let in, and was told so. */
int fl_call_admit(struct fl_call *call, const struct fl_rpc_who *who);

/* The call fails when it takes longer. */
void fl_call_set_deadline(struct fl_call *call, int64_t milliseconds);

void fl_call_run(struct fl_call *call);  /* hands the message to the handler */
void fl_call_end_of_stream(struct fl_call *call); /* the client's stream is at its end */
void fl_call_more(struct fl_call *call); /* there is room for more of the answer */

/* UNIMPLEMENTED, in grpc-go's words. */
void fl_call_fail_unknown(struct fl_call *call, const char *path);

/* It is over, whyever. */
void fl_call_close(struct fl_call *call);
