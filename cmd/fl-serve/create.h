/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a client sent becomes a record on disk, or an answer that says all that is wrong.
 *
 *     fl_cleanup_json fl_json *record = fl_create(server, spec, request, &refusal);
 *     if (!record) fl_call_fail(call, refusal.code, refusal.err.text, &refusal.details);
 */
#pragma once

#include "cmd/fl-serve/server.h"

struct fl_refusal {
	int code; /* of google.rpc.Code */
	struct fl_err err;
	struct fl_str details; /* google.rpc.Status; the caller finishes it */
};

/* spec: MicroVMSpec as it was sent, may be NULL; request: the call's id. Synced when it returns.
 * Caller owns the record. */
fl_json *fl_create(struct fl_server *server, const fl_json *spec, const char *request,
		   struct fl_refusal *refusal);
