/* SPDX-License-Identifier: MPL-2.0 */
/* Watch: the journal as a stream, each line with the microVM as it is then. */
#include "cmd/fl-serve/host/host.h"

#include "cmd/fl-serve/descriptors.h"
#include "cmd/fl-serve/wire/wire.h"
#include "common/alloc.h"
#include "common/journal.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE (64 << 10) /* bytes that are made ahead of the reader */
#define MICROVM_FIELD 7    /* of Event */
#define PART 4             /* of all descriptors, that watches may have */

static unsigned count;

struct fl_watch {
	struct fl_call *call;
	struct fl_watch *previous, *next; /* of the server's */
	struct fl_journal_reader reader;
	bool is_open;
	char *name_space;
	uint64_t cursor;
	bool is_full; /* the reader has to catch up first */
};

void fl_host_watch_closed(struct fl_call *call)
{
	struct fl_watch *watch = *fl_call_user(call);
	struct fl_server *server = fl_call_server(call);

	if (!watch)
		return;
	if (watch->previous)
		watch->previous->next = watch->next;
	else
		server->watches = watch->next;
	if (watch->next)
		watch->next->previous = watch->previous;
	count--;
	fl_journal_finish(&watch->reader);
	free(watch->name_space);
	free(watch);
}

static const char *text_in(const fl_json *line, const char *key)
{
	const char *text = fl_json_text(fl_json_get(line, key));

	return text ? text : "";
}

static bool is_wanted(const struct fl_watch *watch, const fl_json *line)
{
	const char *name_space = text_in(line, "namespace");

	return (!*watch->name_space || strcmp(watch->name_space, name_space) == 0) &&
	       fl_caller_may(fl_call_caller(watch->call), FL_VERB_READ, name_space);
}

/* The journal's names are the message's, but for seq. */
static size_t send_event(struct fl_watch *watch, fl_json *line)
{
	struct fl_server *server = fl_call_server(watch->call);
	struct fl_index_entry *entry = fl_index_find(server->index, text_in(line, "uid"));
	fl_cleanup_str struct fl_str message = FL_STR_INIT;
	struct fl_err err = { 0 };
	size_t mark;

	fl_json_set(line, "cursor", fl_json_new_int(fl_json_int(fl_json_get(line, "seq"))));
	fl_codec_encode(fl_types_find(server->types, "flintlock.host.v1.Event"), line, &message);
	if (entry) {
		mark = fl_wire_begin(&message, MICROVM_FIELD);
		if (fl_index_message(server->index, entry, &message, &err) < 0) {
			watch->is_open = false;
			fl_call_fail_err(watch->call, &err);
			return 0;
		}
		fl_wire_end(&message, mark);
	}
	fl_call_send(watch->call, message.data, message.len);
	return message.len;
}

static void send_watching(struct fl_watch *watch)
{
	fl_cleanup_json fl_json *line = fl_json_new_object();

	fl_json_set(line, "seq", fl_json_new_int((int64_t)watch->reader.seq));
	fl_json_set(line, "what", fl_json_new_text("watching"));
	send_event(watch, line);
}

static bool has_lost(const struct fl_watch *watch, uint64_t seq)
{
	return watch->reader.missed || (watch->cursor && seq > watch->cursor + 1);
}

static void fail(struct fl_watch *watch, int code, const char *text)
{
	watch->is_open = false;
	fl_call_fail(watch->call, code, text, NULL);
}

static void pump(struct fl_watch *watch)
{
	struct fl_server *server = fl_call_server(watch->call);
	size_t sent = 0;

	/* Changes whose lines are read below are in the index, or will be told once more. */
	fl_index_refresh(server->index);
	while (watch->is_open && sent < AT_ONCE) {
		fl_cleanup_json fl_json *line = fl_journal_next(&watch->reader);
		uint64_t seq = (uint64_t)fl_json_int(fl_json_get(line, "seq"));

		if (!line)
			break;
		if (seq <= watch->cursor)
			continue;
		if (has_lost(watch, seq)) {
			fail(watch, FL_RPC_OUT_OF_RANGE, "the journal does not reach back to the cursor: "
			     "list, then watch from now on");
			return;
		}
		watch->cursor = seq;
		fl_index_refresh(server->index);
		if (is_wanted(watch, line))
			sent += send_event(watch, line);
	}
	watch->is_full = sent >= AT_ONCE;
}

void fl_host_woken(struct fl_server *server)
{
	for (struct fl_watch *one = server->watches; one; one = one->next) {
		if (one->is_open && fl_caller_is_revoked(fl_call_caller(one->call)))
			fail(one, FL_RPC_UNAUTHENTICATED, "the token is not good any more");
		else if (one->is_open && !one->is_full)
			pump(one);
	}
}

void fl_host_watch_more(struct fl_call *call)
{
	struct fl_watch *watch = *fl_call_user(call);

	if (watch && watch->is_full)
		pump(watch);
}

void fl_host_watch(struct fl_call *call)
{
	struct fl_server *server = fl_call_server(call);
	fl_cleanup_json fl_json *request = fl_call_request(call);
	struct fl_err err = { 0 };
	struct fl_watch *watch;

	if (!request)
		return;
	watch = fl_alloc_zero(1, sizeof(*watch));
	watch->reader = (struct fl_journal_reader)FL_JOURNAL_READER_INIT;
	watch->call = call;
	watch->cursor = (uint64_t)fl_json_int(fl_json_get(request, "cursor"));
	watch->name_space = fl_strdup(text_in(request, "namespace"));
	watch->next = server->watches;
	if (watch->next)
		watch->next->previous = watch;
	server->watches = watch;
	*fl_call_user(call) = watch;
	count++;
	/* Each has a file open. Connections, and the work behind them, come before who looks on. */
	if (count > fl_descriptors_limit() / PART || !fl_descriptors_are_left(FL_DESCRIPTORS_GRPC)) {
		fl_call_fail(call, FL_RPC_RESOURCE_EXHAUSTED, "enough others watch now; try again later", NULL);
		return;
	}
	/* Of what tells of changes a user has 128 on a host: the index's one does for all. */
	if (fl_journal_open(&watch->reader, server->state.dirfd, NULL, !watch->cursor, &err) < 0) {
		fl_call_fail_err(call, &err);
		return;
	}
	if (watch->cursor > fl_journal_last(server->state.dirfd)) {
		fl_call_fail(call, FL_RPC_OUT_OF_RANGE, "the journal has not come to the cursor: it is of "
			     "another state folder; list, then watch from now on", NULL);
		return;
	}
	watch->is_open = true;
	if (!watch->cursor)
		send_watching(watch);
	pump(watch);
}

void fl_host_stopping(struct fl_server *server)
{
	for (struct fl_watch *one = server->watches; one; one = one->next)
		if (one->is_open)
			fail(one, FL_RPC_UNAVAILABLE, "the server stops");
}
