/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flintlock.host.v1.Host, a file for each kind of question; this is what they share.
 *
 *     struct fl_index_entry *entry = fl_host_find(call, request, FL_VERB_READ);
 *     if (!entry) return;                                 // answered already
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"
#include "cmd/fl-serve/server.h"
#include "cmd/fl-serve/services.h"

/* The microVM that the request's uid names, if the caller may; NULL: answered. */
struct fl_index_entry *fl_host_find(struct fl_call *call, const fl_json *request,
				    enum fl_verb verb);

void fl_host_stop(struct fl_call *call);
void fl_host_start(struct fl_call *call);
void fl_host_pause(struct fl_call *call);
void fl_host_resume(struct fl_call *call);
void fl_host_reboot(struct fl_call *call);
void fl_host_life_closed(struct fl_call *call);

void fl_host_watch(struct fl_call *call);
void fl_host_watch_more(struct fl_call *call);
void fl_host_watch_closed(struct fl_call *call);

void fl_host_explain(struct fl_call *call);

void fl_host_info(struct fl_call *call);
void fl_host_info_closed(struct fl_call *call);
