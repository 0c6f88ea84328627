/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A guest's vsock as a socket of the file system, where the VMM makes none: a client says
 * "CONNECT PORT\n", is answered "OK PORT\n" when the guest listens there, and from then on
 * speaks to it. The same as Firecracker's and Cloud Hypervisor's sockets
 * (docs/vsock.md of Firecracker's sources).
 *
 *     fl_relay_listen(&relay, "/run/flintlock/UID/guest-agent.vsock", cid, err);
 *     fl_relay_collect(&relay, fds);         // and poll them
 *     fl_relay_poll(&relay, fds);
 *     fl_relay_finish(&relay);
 */
#pragma once

#include "common/err.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define FL_RELAY_CLIENTS 16
#define FL_RELAY_POLLS (1 + 2 * FL_RELAY_CLIENTS)

/* What came from one end and is not with the other yet. */
struct fl_relay_flow {
	char *data; /* NULL: nothing ever came */
	size_t at, len;
	bool ended, told; /* no more comes; the other end knows */
};

struct fl_relay_client {
	int client, guest; /* -1: free; guest -1: not asked for yet */
	char port[16];     /* what was said of "CONNECT PORT\n" */
	size_t said;
	bool connected;
	struct fl_relay_flow up, down; /* to the guest, to the client */
};

struct fl_relay {
	int listener; /* -1: none */
	uint32_t cid;
	char path[108];
	struct fl_relay_client clients[FL_RELAY_CLIENTS];
};

#define FL_RELAY_INIT { .listener = -1 }

int fl_relay_listen(struct fl_relay *relay, const char *path, uint32_t cid, struct fl_err *err);
void fl_relay_finish(struct fl_relay *relay);

/* FL_RELAY_POLLS of them. */
void fl_relay_collect(const struct fl_relay *relay, struct pollfd *fds);
void fl_relay_poll(struct fl_relay *relay, const struct pollfd *fds);
