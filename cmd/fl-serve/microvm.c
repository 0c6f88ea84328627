/* SPDX-License-Identifier: MPL-2.0 */
/* flintlock's service: making and deleting by records and jobs, answering from the index. */
#include "cmd/fl-serve/create.h"
#include "cmd/fl-serve/services.h"
#include "cmd/fl-serve/wire/wire.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE (64 << 10) /* bytes of a stream that are made ahead of its reader */

static bool may(struct fl_call *call, enum fl_verb verb, const char *name_space)
{
	fl_cleanup_free char *text = NULL;

	if (fl_caller_may(fl_call_caller(call), verb, name_space))
		return true;
	text = fl_asprintf("the token is not good for this in namespace \"%.63s\"", name_space);
	fl_call_fail(call, FL_RPC_PERMISSION_DENIED, text, NULL);
	return false;
}

static const char *text_in(const fl_json *request, const char *key)
{
	const char *text = fl_json_text(fl_json_get(request, key));

	return text ? text : "";
}

static void create(struct fl_call *call)
{
	struct fl_server *server = fl_call_server(call);
	fl_cleanup_json fl_json *request = fl_call_request(call);
	fl_cleanup_json fl_json *record = NULL, *answer = NULL;
	struct fl_index_entry *entry;
	struct fl_refusal refusal;
	const char *name_space;

	if (!request)
		return;
	name_space = fl_json_text(fl_json_at(request, "microvm.namespace"));
	if (!may(call, FL_VERB_WRITE, name_space && *name_space ? name_space : "default"))
		return;
	record = fl_create(server, fl_json_get(request, "microvm"), fl_call_request_id(call), &refusal);
	if (!record) {
		fl_call_fail(call, refusal.code, refusal.err.text,
			     refusal.details.len ? &refusal.details : NULL);
		fl_str_finish(&refusal.details);
		return;
	}
	fl_call_about(call, fl_json_text(fl_json_at(record, "spec.uid")));
	fl_index_refresh(server->index);
	entry = fl_index_find(server->index, fl_call_uid(call));
	if (entry)
		fl_jobs_want(server->jobs, entry);
	answer = fl_json_new_object();
	fl_json_set(answer, "microvm", fl_json_ref(record));
	fl_call_send_json(call, answer);
	fl_call_finish(call);
}

/* The entry that the request's uid names; NULL: answered. before: what stands in front of
 * the words that clients look for, names_uid: with the uid behind it. */
static struct fl_index_entry *find(struct fl_call *call, const char *before, bool names_uid,
				   enum fl_verb verb)
{
	struct fl_server *server = fl_call_server(call);
	fl_cleanup_json fl_json *request = fl_call_request(call);
	const char *uid = text_in(request, "uid");
	struct fl_index_entry *entry;
	fl_cleanup_free char *text = NULL;

	if (!request)
		return NULL;
	if (!*uid) {
		fl_call_fail(call, FL_RPC_INVALID_ARGUMENT,
			     "invalid request: uid is required, microvm not found", NULL);
		return NULL;
	}
	fl_index_refresh(server->index);
	entry = fl_index_find(server->index, uid);
	if (entry)
		return may(call, verb, entry->name_space) ? entry : NULL;
	text = fl_asprintf("%s%.64s: microvm spec //%.64s not found", before, names_uid ? uid : "",
			   uid);
	fl_call_fail(call, FL_RPC_NOT_FOUND, text, NULL);
	return NULL;
}

static void get(struct fl_call *call)
{
	struct fl_server *server = fl_call_server(call);
	struct fl_index_entry *entry =
		find(call, "getting microvm: error attempting to locate microvm with uid: ", true,
		     FL_VERB_READ);
	fl_cleanup_str struct fl_str message = FL_STR_INIT;
	struct fl_err err = { 0 };
	size_t mark;

	if (!entry)
		return;
	mark = fl_wire_begin(&message, 1);
	if (fl_index_message(server->index, entry, &message, &err) < 0) {
		fl_err_prefix(&err, "getting microvm");
		fl_call_fail_err(call, &err);
		return;
	}
	fl_wire_end(&message, mark);
	fl_call_send(call, message.data, message.len);
	fl_call_finish(call);
}

static void delete(struct fl_call *call)
{
	struct fl_server *server = fl_call_server(call);
	struct fl_index_entry *entry =
		find(call, "deleting microvm: checking to see if spec exists", false, FL_VERB_WRITE);
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	struct fl_err err = { 0 };

	if (!entry)
		return;
	fl_call_about(call, entry->uid);
	if (fl_vm_open(&server->state, entry->name_space, entry->name, entry->uid, &vm, &err) < 0 ||
	    fl_vm_desire_for(&vm, "deleted", fl_call_request_id(call), &err) < 0) {
		fl_err_prefix(&err, "deleting microvm");
		fl_call_fail_err(call, &err);
		return;
	}
	fl_index_refresh(server->index);
	entry = fl_index_find(server->index, vm.uid);
	if (entry)
		fl_jobs_want(server->jobs, entry);
	fl_call_send(call, "", 0);
	fl_call_finish(call);
}

/* A list without one of them would say that it is gone: then there is none. */
static int add_to_list(struct fl_call *call, struct fl_index_entry *entry, struct fl_str *list)
{
	struct fl_server *server = fl_call_server(call);
	struct fl_err err = { 0 };
	size_t mark;

	if (fl_index_load(server->index, entry, &err) == 0 && entry->message) {
		fl_wire_put_bytes(list, 1, entry->message, entry->size);
		return 0;
	}
	mark = fl_wire_begin(list, 1);
	if (fl_index_message(server->index, entry, list, &err) < 0) {
		fl_err_prefix(&err, "listing microvms");
		fl_call_fail_err(call, &err);
		return -1;
	}
	fl_wire_end(list, mark);
	return 0;
}

static void list(struct fl_call *call)
{
	struct fl_server *server = fl_call_server(call);
	fl_cleanup_json fl_json *request = fl_call_request(call);
	fl_cleanup_str struct fl_str message = FL_STR_INIT;
	const char *name;
	size_t from, to;

	if (!request)
		return;
	name = text_in(request, "name");
	fl_index_refresh(server->index);
	fl_index_range(server->index, text_in(request, "namespace"), name, &from, &to);
	for (; from < to; from++) {
		struct fl_index_entry *entry = fl_index_at(server->index, from);

		if ((!*name || strcmp(entry->name, name) == 0) &&
		    fl_caller_may(fl_call_caller(call), FL_VERB_READ, entry->name_space) &&
		    add_to_list(call, entry, &message) < 0)
			return;
	}
	fl_call_send(call, message.data ? message.data : "", message.len);
	fl_call_finish(call);
}

/* Where a stream is: behind this microVM. What changes meanwhile does not disturb it. */
struct cursor {
	char *name_space, *wanted_name;
	char *name;
	char uid[FL_ULID_TEXT];
};

static void cursor_free(struct fl_call *call)
{
	struct cursor *cursor = *fl_call_user(call);

	if (!cursor)
		return;
	free(cursor->name_space);
	free(cursor->wanted_name);
	free(cursor->name);
	free(cursor);
}

static void stream_some(struct fl_call *call)
{
	struct fl_server *server = fl_call_server(call);
	struct cursor *cursor = *fl_call_user(call);
	size_t from, to, sent = 0;

	fl_index_refresh(server->index);
	fl_index_range(server->index, cursor->name_space, cursor->wanted_name, &from, &to);
	from = fl_index_after(server->index, cursor->name_space, cursor->name, cursor->uid, from);
	for (; from < to && sent < AT_ONCE; from++) {
		struct fl_index_entry *entry = fl_index_at(server->index, from);
		fl_cleanup_str struct fl_str message = FL_STR_INIT;

		if (add_to_list(call, entry, &message) < 0)
			return;
		fl_call_send(call, message.data, message.len);
		sent += message.len;
		free(cursor->name);
		cursor->name = fl_strdup(entry->name);
		memcpy(cursor->uid, entry->uid, sizeof(cursor->uid));
	}
	if (from == to)
		fl_call_finish(call);
}

static void list_stream(struct fl_call *call)
{
	fl_cleanup_json fl_json *request = fl_call_request(call);
	const char *name_space = text_in(request, "namespace");
	struct cursor *cursor;

	if (!request)
		return;
	if (!*name_space) {
		fl_call_fail(call, FL_RPC_INVALID_ARGUMENT, "invalid request", NULL);
		return;
	}
	if (!may(call, FL_VERB_READ, name_space))
		return;
	cursor = fl_alloc_zero(1, sizeof(*cursor));
	cursor->name_space = fl_strdup(name_space);
	cursor->wanted_name = fl_strdup(text_in(request, "name"));
	cursor->name = fl_strdup("");
	*fl_call_user(call) = cursor;
	stream_some(call);
}

#define SERVICE "/microvm.services.api.v1alpha1.MicroVM/"

const struct fl_rpc_handler fl_microvm_handlers[5] = {
	{ SERVICE "CreateMicroVM", create, NULL, NULL, false, true },
	{ SERVICE "DeleteMicroVM", delete, NULL, NULL, false, true },
	{ SERVICE "GetMicroVM", get, NULL, NULL, false, false },
	{ SERVICE "ListMicroVMs", list, NULL, NULL, false, false },
	{ SERVICE "ListMicroVMsStream", list_stream, stream_some, cursor_free, false, false },
};
