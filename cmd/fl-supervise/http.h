/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP/1.1 over a unix socket, as Firecracker and Cloud Hypervisor serve it (RFC 9112: one
 * connection, answers with a Content-Length or none): a whole HTTP library would weigh more
 * than the supervisor that is kept for every microVM.
 *
 *     fl_http_api_send(monitor, FL_ORDER_PAUSE, &(struct fl_http_call){ "PUT", "/x", NULL });
 *     while (fl_http_api_take(monitor, &answer)) ...answer.order, answer.status, answer.body
 */
#pragma once

#include "cmd/fl-supervise/monitor.h"

struct fl_http_call {
	const char *method, *path;
	const char *body; /* JSON, or NULL */
};

struct fl_http_answer {
	enum fl_order order;
	int status;
	bool good;  /* it was done; what was not is refused, in the VMM's own words */
	char *body; /* NULL: none; the caller frees */
};

/* False when it cannot be sent, or too much waits for answers. */
bool fl_http_api_send(struct fl_monitor *monitor, enum fl_order order,
		      const struct fl_http_call *call);

/* The first whole answer; false when there is none yet, or it makes no sense (.broken). */
bool fl_http_api_take(struct fl_monitor *monitor, struct fl_http_answer *answer);
