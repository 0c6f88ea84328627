/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The services as JSON over HTTP: the same calls with the same answers, streams as one JSON
 * document per line. Format: protobuf's JSON mapping; errors as google.rpc.Status in JSON.
 *
 *     struct fl_gateway *gateway = fl_gateway_create(rpc);
 *     fl_gateway_take(gateway, request);
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"

struct evhttp_request;
struct fl_gateway;

struct fl_gateway *fl_gateway_create(struct fl_rpc *rpc);

/* Calls that run end unanswered. NULL is fine. */
void fl_gateway_destroy(struct fl_gateway *gateway);

/* Whether no call runs. */
bool fl_gateway_is_idle(const struct fl_gateway *gateway);

/* Answers the request, now or when the call ends. */
void fl_gateway_take(struct fl_gateway *gateway, struct evhttp_request *request);

/* An error in the gateway's form. */
void fl_gateway_refuse(struct evhttp_request *request, int code, const char *text);
