/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/host/host.h"

struct fl_index_entry *fl_host_find(struct fl_call *call, const fl_json *request,
				    enum fl_verb verb)
{
	struct fl_server *server = fl_call_server(call);
	const char *uid = fl_json_text(fl_json_get(request, "uid"));
	struct fl_index_entry *entry;
	struct fl_err err = { 0 };

	fl_index_refresh(server->index);
	entry = fl_index_find(server->index, uid ? uid : "");
	if (!uid || !*uid)
		fl_err_set(&err, FL_ERR_INVALID, "uid is required");
	else if (!entry)
		fl_err_set(&err, FL_ERR_NOT_FOUND, "microvm with uid %.64s not found", uid);
	else if (!fl_caller_may(fl_call_caller(call), verb, entry->name_space))
		fl_err_set(&err, FL_ERR_DENIED, "the token is not good for this in namespace \"%s\"",
			   entry->name_space);
	else
		return entry;
	fl_call_fail_err(call, &err);
	return NULL;
}

#define SERVICE "/flintlock.host.v1.Host/"

const struct fl_rpc_handler fl_host_handlers[8] = {
	{ SERVICE "Stop", fl_host_stop, NULL, fl_host_life_closed, false, true },
	{ SERVICE "Start", fl_host_start, NULL, fl_host_life_closed, false, true },
	{ SERVICE "Pause", fl_host_pause, NULL, fl_host_life_closed, false, true },
	{ SERVICE "Resume", fl_host_resume, NULL, fl_host_life_closed, false, true },
	{ SERVICE "Reboot", fl_host_reboot, NULL, fl_host_life_closed, false, true },
	{ SERVICE "Watch", fl_host_watch, fl_host_watch_more, fl_host_watch_closed, false, false },
	{ SERVICE "Explain", fl_host_explain, NULL, NULL, false, false },
	{ SERVICE "ServerInfo", fl_host_info, NULL, fl_host_info_closed, false, false },
};
