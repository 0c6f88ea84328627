/* SPDX-License-Identifier: MPL-2.0 */
/*
 * QEMU's machine protocol, as much of it as a supervisor needs.
 * Format: docs/interop/qmp-spec of QEMU.
 *
 *     struct fl_qmp qmp = FL_QMP_INIT;
 *     fl_qmp_connect(&qmp, "/run/flintlock/UID/qmp.sock");   // until it is there
 *     fl_qmp_send(&qmp, "system_powerdown");
 *     fl_qmp_read(&qmp);                                     // when readable
 *     if (strcmp(qmp.reason, "guest-reset") == 0) ...
 */
#pragma once

#include "common/json.h"

struct fl_qmp {
	int fd; /* -1: not connected */
	struct fl_str in;
	bool ready;       /* capabilities were negotiated */
	char reason[32];  /* of the SHUTDOWN event; "" before */
	bool paused;      /* between STOP and RESUME */
	fl_json *blocks;  /* the answer to query-blockstats; its taker frees it */
};

#define FL_QMP_INIT { .fd = -1 }

/* True when connected (again: no harm). */
bool fl_qmp_connect(struct fl_qmp *qmp, const char *path);
void fl_qmp_finish(struct fl_qmp *qmp);

/* Sends a command without arguments; false when there is no connection. */
bool fl_qmp_send(struct fl_qmp *qmp, const char *command);

/* Takes what came in; closes at the end of the stream. */
void fl_qmp_read(struct fl_qmp *qmp);
