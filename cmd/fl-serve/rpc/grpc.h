/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gRPC over HTTP/2: messages in their frames, status in the trailers, deadlines.
 * Format: gRPC's PROTOCOL-HTTP2.md.
 *
 *     struct fl_http2_upper upper = fl_rpc_upper(gone);
 *     struct my_connection { struct fl_rpc_connection rpc; … };
 *     fl_http2_open(bev, &upper, &limits, my_connection);
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"
#include "cmd/fl-serve/rpc/http2.h"

/* The upper end for fl_http2_open, with rpc as its arg. gone is the caller's. */
struct fl_http2_upper fl_rpc_upper(void (*gone)(struct fl_http2 *connection, void *arg));

/* Ends calls whose client may ask on and on. */
void fl_rpc_stop_streams(struct fl_http2 *connection);

/* What an fl_http2's arg must begin with, so that its calls find their way. */
struct fl_rpc_connection {
	struct fl_rpc *rpc;
	const char *peer; /* borrowed */
	bool is_trusted;  /* the socket's file says who may */
	size_t held;      /* bytes of its requests that are not whole */
};
