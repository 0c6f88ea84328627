/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gRPC services, each in a file of its own; this is the list of them.
 *
 *     fl_services_add(rpc);
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"

struct fl_server;

void fl_services_add(struct fl_rpc *rpc);

/* microvm.services.api.v1alpha1.MicroVM */
extern const struct fl_rpc_handler fl_microvm_handlers[5];

/* flintlock.host.v1.Host */
extern const struct fl_rpc_handler fl_host_handlers[8];
void fl_host_stopping(struct fl_server *server); /* ends what would never end */
void fl_host_woken(struct fl_server *server);    /* the journal has grown, tokens have changed */

/* grpc.health.v1.Health; those who watch are told when the server begins to stop. */
extern const struct fl_rpc_handler fl_health_handlers[2];
void fl_health_changed(const struct fl_server *server);

/* grpc.reflection.v1 and v1alpha */
extern const struct fl_rpc_handler fl_reflection_handlers[2];
