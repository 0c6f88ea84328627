/* SPDX-License-Identifier: MPL-2.0 */
/* Stop, Start, Pause, Resume, Reboot: fl-run's commands, answered at their end. */
#include "cmd/fl-serve/host/host.h"

#include "cmd/fl-serve/vms/program.h"
#include "common/alloc.h"
#include "common/path.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ORDERS 256 /* at once: each is a program */
#define MOST_OF_CALLER (MOST_ORDERS / 2)
#define MOST_OF_ONE 8 /* microVM */

/* It outlives a call that is broken off: the program runs on. */
struct order {
	struct fl_server *server;
	struct fl_call *call; /* NULL: nobody waits any more */
	const void *caller;   /* lives as long as the server; NULL: no token was wanted */
	char uid[FL_ULID_TEXT];
	struct order *previous, *next;
};

static struct order *orders;

static void link_order(struct order *order)
{
	order->next = orders;
	if (orders)
		orders->previous = order;
	orders = order;
}

static void free_order(struct order *order)
{
	if (order->previous)
		order->previous->next = order->next;
	else
		orders = order->next;
	if (order->next)
		order->next->previous = order->previous;
	free(order);
}

/* An order may wait for its guest for days: nobody's keep others from theirs. */
static bool is_one_too_many(const void *caller, const char *uid)
{
	unsigned all = 0, of_caller = 0, of_one = 0;

	for (const struct order *order = orders; order; order = order->next) {
		all++;
		of_caller += order->caller == caller;
		of_one += strcmp(order->uid, uid) == 0;
	}
	return all >= MOST_ORDERS || (caller && of_caller >= MOST_OF_CALLER) || of_one >= MOST_OF_ONE;
}

void fl_host_life_closed(struct fl_call *call)
{
	struct order *order = *fl_call_user(call);

	if (order)
		order->call = NULL;
}

static void answer(struct order *order)
{
	struct fl_server *server = order->server;
	fl_cleanup_json fl_json *answer = fl_json_new_object();
	fl_cleanup_json fl_json *record = NULL;
	const char *state;
	struct fl_index_entry *entry;

	fl_index_refresh(server->index);
	entry = fl_index_find(server->index, order->uid);
	record = entry ? fl_index_record(server->index, entry, NULL) : NULL;
	state = fl_json_text(fl_json_at(record, "host.vmm.state"));
	fl_json_set(answer, "uid", fl_json_new_text(order->uid));
	fl_json_set(answer, "state", fl_json_new_text(state ? state : ""));
	fl_call_send_json(order->call, answer);
	fl_call_finish(order->call);
}

static enum fl_err_kind kind_of(int status)
{
	for (int kind = FL_ERR_NONE + 1; kind < FL_ERR_KINDS; kind++)
		if (fl_err_exit_status(kind) == status)
			return kind;
	return FL_ERR_SYSTEM;
}

static void ended(void *arg, const struct fl_program_end *end)
{
	struct order *order = arg;
	const char *text = fl_str_starts(end->words, "fl-run: ") ? end->words + 8 : end->words;
	struct fl_err err = { 0 };

	if (order->call) {
		*fl_call_user(order->call) = NULL;
		if (end->status == 0) {
			answer(order);
		} else {
			fl_err_set(&err, kind_of(end->status), "%s",
				   *text ? text : "fl-run ended without a word");
			fl_call_fail_err(order->call, &err);
		}
	}
	free_order(order);
}

static void run(struct fl_call *call, const fl_json *request, const char *command,
		const char *const options[4])
{
	struct fl_server *server = fl_call_server(call);
	struct fl_index_entry *entry = fl_host_find(call, request, FL_VERB_WRITE);
	fl_cleanup_free char *program = fl_path_beside_program("", "fl-run");
	const char *argv[11] = { program, command, "--quiet", "--state-dir", server->state.dir };
	struct fl_err err = { 0 };
	struct order *order;
	size_t count = 5;

	if (!entry)
		return;
	if (is_one_too_many(fl_call_caller(call), entry->uid)) {
		fl_call_fail(call, FL_RPC_RESOURCE_EXHAUSTED, "enough such calls run now, for this microVM or "
			     "in all; try again later", NULL);
		return;
	}
	fl_call_about(call, entry->uid);
	for (size_t i = 0; i < 4 && options[i]; i++)
		argv[count++] = options[i];
	argv[count] = entry->uid;
	order = fl_alloc_zero(1, sizeof(*order));
	order->server = server;
	order->call = call;
	order->caller = fl_call_caller(call);
	memcpy(order->uid, entry->uid, sizeof(order->uid));
	*fl_call_user(call) = order;
	link_order(order);
	if (fl_program_start(fl_call_base(call), &(struct fl_program_spec){
			     .argv = argv, .uid = entry->uid, .request = fl_call_request_id(call) },
			     ended, order, &err))
		return;
	*fl_call_user(call) = NULL;
	free_order(order);
	fl_call_fail_err(call, &err);
}

static void run_plain(struct fl_call *call, const char *command)
{
	fl_cleanup_json fl_json *request = fl_call_request(call);

	if (request)
		run(call, request, command, (const char *const[4]){ NULL });
}

void fl_host_stop(struct fl_call *call)
{
	fl_cleanup_json fl_json *request = fl_call_request(call);
	int64_t seconds = fl_json_int(fl_json_get(request, "timeout_seconds"));
	fl_cleanup_free char *timeout = fl_asprintf("%llds", (long long)(seconds ? seconds : 30));
	bool force = fl_json_bool(fl_json_get(request, "force"));

	if (request)
		run(call, request, "stop",
		    (const char *const[4]){ "--timeout", timeout, force ? "--force" : NULL });
}

void fl_host_start(struct fl_call *call)
{
	const struct fl_config *config = ((struct fl_server *)fl_call_server(call))->config;
	fl_cleanup_json fl_json *request = fl_call_request(call);
	const char *options[4] = { 0 };
	size_t count = 0;

	if (config->accel) {
		options[count++] = "--accel";
		options[count++] = config->accel;
	}
	if (config->qemu) {
		options[count++] = "--qemu";
		options[count++] = config->qemu;
	}
	if (request)
		run(call, request, "start", options);
}

void fl_host_pause(struct fl_call *call)
{
	run_plain(call, "pause");
}

void fl_host_resume(struct fl_call *call)
{
	run_plain(call, "resume");
}

void fl_host_reboot(struct fl_call *call)
{
	run_plain(call, "reboot");
}
