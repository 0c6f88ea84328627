/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The control socket of a supervisor: JSON Lines over a unix stream socket. The server
 * opens with a hello that names the protocols it speaks; see fl-state(5).
 *
 *     fl_control_listen(&control, "/run/flintlock/UID/supervisor.sock");
 *     fl_control_poll(&control, handle, arg);        // when a descriptor is readable
 */
#pragma once

#include "common/control.h"

#define FL_CONTROL_CLIENTS 8

struct fl_control {
	int listener;
	int clients[FL_CONTROL_CLIENTS]; /* -1: free */
	int waits[FL_CONTROL_CLIENTS];   /* for what, where the answer is not known yet; 0: nothing */
	char path[108];
	char uid[32];
};

/* A stale socket of a dead supervisor is replaced; the caller holds run.lock. */
int fl_control_listen(struct fl_control *control, const char *path, const char *uid,
		      struct fl_err *err);
void fl_control_finish(struct fl_control *control);

/* Accepts, reads requests, answers each with what handle returns (taken); NULL: the client waits
 * for what handle put into waits, until fl_control_answer. */
typedef fl_json *fl_control_handler(void *arg, const fl_json *request, int *waits);
void fl_control_poll(struct fl_control *control, fl_control_handler *handle, void *arg);

/* Tells all who wait for that (0: for anything); takes answer. */
void fl_control_answer(struct fl_control *control, int waits, fl_json *answer);
