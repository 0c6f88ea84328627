/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/http/problem.h"

#include "cmd/fl-serve/rpc/transport.h"
#include "cmd/fl-serve/wire/protojson.h"
#include "common/base64.h"

#include <string.h>

int fl_problem_http_status(int code)
{
	static const struct {
		int code, status;
	} list[] = {
		{ FL_RPC_OK, 200 },
		{ FL_RPC_CANCELLED, 499 },
		{ FL_RPC_INVALID_ARGUMENT, 400 },
		{ FL_RPC_DEADLINE_EXCEEDED, 504 },
		{ FL_RPC_NOT_FOUND, 404 },
		{ FL_RPC_ALREADY_EXISTS, 409 },
		{ FL_RPC_PERMISSION_DENIED, 403 },
		{ FL_RPC_RESOURCE_EXHAUSTED, 429 },
		{ FL_RPC_FAILED_PRECONDITION, 400 },
		{ FL_RPC_ABORTED, 409 },
		{ FL_RPC_OUT_OF_RANGE, 400 },
		{ FL_RPC_UNIMPLEMENTED, 501 },
		{ FL_RPC_UNAVAILABLE, 503 },
		{ FL_RPC_UNAUTHENTICATED, 401 },
	};

	for (size_t i = 0; i < FL_COUNT(list); i++)
		if (list[i].code == code)
			return list[i].status;
	return 500;
}

/* An Any as JSON: the members of its message, and "@type". */
static fl_json *open_any(const struct fl_types *types, const fl_json *any)
{
	const char *url = fl_json_text(fl_json_get(any, "type_url"));
	const char *packed = fl_json_text(fl_json_get(any, "value"));
	const char *slash = url ? strrchr(url, '/') : NULL;
	const struct fl_message_type *type = slash ? fl_types_find(types, slash + 1) : NULL;
	fl_cleanup_str struct fl_str bytes = FL_STR_INIT;
	fl_cleanup_json fl_json *message = NULL;
	fl_json *shown = fl_json_new_object();

	if (!type || (packed && !fl_base64_decode(packed, &bytes)))
		return shown;
	fl_json_unref(shown);
	message = fl_codec_decode(type, bytes.data ? bytes.data : "", bytes.len, NULL);
	shown = fl_protojson_write(type, message);
	fl_json_set(shown, "@type", fl_json_new_text(url));
	return shown;
}

static fl_json *open_details(const struct fl_rpc *rpc, const struct fl_str *details)
{
	const struct fl_types *types = rpc ? fl_rpc_options(rpc)->types : NULL;
	fl_json *list = fl_json_new_array();
	fl_cleanup_json fl_json *status = NULL;
	const fl_json *packed;

	if (!details || !details->len || !types)
		return list;
	status = fl_codec_decode(fl_types_find(types, "google.rpc.Status"), details->data,
				 details->len, NULL);
	packed = fl_json_get(status, "details");
	for (size_t i = 0; i < fl_json_count(packed); i++)
		fl_json_add(list, open_any(types, fl_json_item(packed, i)));
	return list;
}

fl_json *fl_problem(const struct fl_rpc *rpc, int code, const char *text,
		    const struct fl_str *details)
{
	fl_json *problem = fl_json_new_object();

	fl_json_set(problem, "code", fl_json_new_int(code));
	fl_json_set(problem, "message", fl_json_new_text(text ? text : ""));
	fl_json_set(problem, "details", open_details(rpc, details));
	return problem;
}
