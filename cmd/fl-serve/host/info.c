/* SPDX-License-Identifier: MPL-2.0 */
/* ServerInfo: what this host is, what its VMMs can do, how much of it is given away. */
#include "cmd/fl-serve/host/host.h"

#include "cmd/fl-serve/vms/program.h"
#include "common/alloc.h"
#include "common/path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Those who wait for the one program that is asked for all of them. */
struct question {
	struct fl_call *call;
	struct question *previous, *next;
};

static struct question *questions;
static bool is_asking;

static void question_free(struct question *question)
{
	*fl_call_user(question->call) = NULL;
	if (question->previous)
		question->previous->next = question->next;
	else
		questions = question->next;
	if (question->next)
		question->next->previous = question->previous;
	free(question);
}

void fl_host_info_closed(struct fl_call *call)
{
	struct question *question = *fl_call_user(call);

	if (question)
		question_free(question);
}

static void question_new(struct fl_call *call)
{
	struct question *question = fl_alloc_zero(1, sizeof(*question));

	question->call = call;
	question->next = questions;
	if (questions)
		questions->previous = question;
	questions = question;
	*fl_call_user(call) = question;
}

static fl_json *resources(int64_t vcpu, int64_t memory_bytes)
{
	fl_json *one = fl_json_new_object();

	fl_json_set(one, "vcpu", fl_json_new_int(vcpu));
	fl_json_set(one, "memory_bytes", fl_json_new_int(memory_bytes));
	return one;
}

static void add_use(fl_json *answer, struct fl_server *server)
{
	int64_t vcpu = 0, memory = 0, running = 0;

	fl_index_refresh(server->index);
	for (size_t i = 0; i < fl_index_count(server->index); i++) {
		struct fl_index_entry *entry = fl_index_at(server->index, i);

		fl_index_load(server->index, entry, NULL);
		if (!entry->live)
			continue;
		running++;
		vcpu += entry->vcpu;
		memory += (int64_t)entry->memory_mb << 20;
	}
	fl_json_set(answer, "used", resources(vcpu, memory));
	fl_json_set(answer, "running", fl_json_new_int(running));
	fl_json_set(answer, "microvms", fl_json_new_int((int64_t)fl_index_count(server->index)));
}

static void add_capacity(fl_json *answer, const struct fl_server *server)
{
	struct statvfs disk;

	fl_json_set(answer, "capacity",
		    resources(sysconf(_SC_NPROCESSORS_ONLN),
			      (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
	if (fstatvfs(server->state.dirfd, &disk) == 0)
		fl_json_set(answer, "disk_free_bytes",
			    fl_json_new_int((int64_t)(disk.f_bavail * disk.f_frsize)));
}

static fl_json *read_providers(const char *text)
{
	fl_json *list = fl_json_new_array();
	size_t at = 0, size = strlen(text);
	fl_json *one;

	while ((one = fl_json_parse_next(text, size, &at, "fl-run providers", NULL))) {
		fl_json_set(one, "available",
			    fl_json_new_bool(fl_json_is_text(fl_json_get(one, "program"))));
		fl_json_add(list, one);
	}
	return list;
}

static void answer(struct fl_call *call, const char *providers)
{
	struct fl_server *server = fl_call_server(call);
	fl_cleanup_json fl_json *answer = fl_json_new_object();

	fl_json_set(answer, "version", fl_json_new_text(FL_VERSION));
	fl_json_set(answer, "providers", read_providers(providers));
	add_capacity(answer, server);
	add_use(answer, server);
	fl_call_send_json(call, answer);
	fl_call_finish(call);
}

static void ended(void *arg, const struct fl_program_end *end)
{
	(void)arg;
	is_asking = false;
	while (questions) {
		struct fl_call *call = questions->call;

		question_free(questions);
		answer(call, end->out);
	}
}

void fl_host_info(struct fl_call *call)
{
	fl_cleanup_json fl_json *request = fl_call_request(call);
	fl_cleanup_free char *program = fl_path_beside_program("", "fl-run");
	const char *argv[] = { program, "providers", "--json", NULL };
	struct fl_err err = { 0 };

	if (!request)
		return;
	if (!is_asking &&
	    !fl_program_start(fl_call_base(call),
			      &(struct fl_program_spec){ .argv = argv, .wants_output = true }, ended, NULL,
			      &err)) {
		fl_call_fail_err(call, &err);
		return;
	}
	is_asking = true;
	question_new(call);
}
