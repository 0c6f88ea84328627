/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/access.h"

#include "cmd/fl-serve/rate.h"

#include <inttypes.h>
#include <string.h>

static int admit(void *arg, const struct fl_rpc_who *who, bool is_open, const void **caller,
		 struct fl_err *err)
{
	struct fl_server *server = arg;

	if (!fl_rate_take(server->rate, who->peer ? who->peer : ""))
		return fl_err_set(err, FL_ERR_EXHAUSTED, "more than %u requests a second from one "
				  "address; come back later (--max-requests)",
				  server->config->max_requests);
	if (is_open || who->is_trusted || !fl_tokens_are_wanted(server->tokens))
		return 0;
	*caller = fl_tokens_check(server->tokens, who->authorization, err);
	return *caller ? 0 : -1;
}

/* What nobody changed, and what a flood of requests would fill the log with, is for debugging. */
static enum fl_log_level level_of(const struct fl_call *call, int code)
{
	const struct fl_rpc_handler *handler = fl_call_handler(call);

	if (code == FL_RPC_OK)
		return handler && handler->is_change ? FL_LOG_INFO : FL_LOG_DEBUG;
	return code == FL_RPC_RESOURCE_EXHAUSTED || code == FL_RPC_CANCELLED ? FL_LOG_DEBUG
									     : FL_LOG_INFO;
}

static void ended(void *arg, struct fl_call *call, int code, const char *text)
{
	const struct fl_rpc_handler *handler = fl_call_handler(call);
	const char *method = handler ? strrchr(handler->path, '/') + 1 : "unknown method";
	enum fl_log_level level = level_of(call, code);
	struct fl_logging_field fields[] = {
		{ "uid", fl_call_uid(call) }, { "peer", fl_call_peer(call) }, { "request", NULL },
	};

	(void)arg;
	if (!fl_logging_is_wanted(level))
		return;
	fields[2].value = fl_call_request_id(call);
	fl_logging_say(level, fields, FL_COUNT(fields), "%s: code %d in %.1f ms%s%s", method, code,
		       (double)fl_call_us(call) / 1000, text ? ": " : "", text ? text : "");
}

struct fl_rpc_gate fl_access_gate(struct fl_server *server)
{
	return (struct fl_rpc_gate){ admit, ended, server };
}
