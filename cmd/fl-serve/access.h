/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate that every call passes, on gRPC and over HTTP: how often an address may come, who
 * is let in, and a line in the log for what was changed or went wrong.
 *
 *     struct fl_rpc_options options = { .gate = fl_access_gate(server), … };
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"
#include "cmd/fl-serve/server.h"

struct fl_rpc_gate fl_access_gate(struct fl_server *server);
