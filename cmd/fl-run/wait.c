/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/wait.h"

#include "cmd/fl-run/life.h"
#include "common/alloc.h"
#include "common/clock.h"
#include "common/condition.h"
#include "common/log.h"

#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* Nobody tells when a guest's port opens: it is tried. */
#define PORT_EVERY_MS 250
#define PORT_ANSWER_MS 500

/* The first condition is told by 0, the Nth by this and N: no error has such a status. */
#define STATUS_BEFORE 30

const struct fl_option fl_wait_options[] = {
	{ "for", 0, FL_CONDITIONS_WORDS, "what to wait for (running); may be repeated" },
	{ "timeout", 't', "TIME", "give up after this (5m)" },
	FL_LIFE_ALL_OPTION,
	{ 0 },
};

struct waiting {
	const struct fl_args *args;
	const struct fl_vm *vm;
	FL_VEC(struct fl_condition) conditions;
	int64_t end;
	bool has_port;
	size_t met, worst; /* places in the list: of this microVM, and of all */
};

static int add_condition(struct waiting *waiting, const char *text, struct fl_err *err)
{
	struct fl_condition one;

	if (fl_condition_parse(text, &one, err) < 0 ||
	    fl_condition_check_count(waiting->conditions.count + 1, err) < 0)
		return fl_err_prefix(err, "option --for");
	waiting->has_port |= one.what == FL_CONDITION_PORT;
	FL_VEC_ADD(&waiting->conditions, one);
	return 0;
}

static bool is_ended(const fl_json *record)
{
	const char *state = fl_json_text(fl_json_at(record, "host.vmm.state"));

	return fl_str_equal(state, "stopped") || fl_str_equal(state, "failed");
}

static int judge_cloud_init(const fl_json *record, struct fl_err *err)
{
	const char *said = fl_json_text(fl_json_at(record, "host.vmm.cloud_init"));

	if (said && (fl_str_starts(said, "done") || fl_str_starts(said, "degraded")))
		return 1;
	if (said)
		return fl_err_set(err, FL_ERR_GUEST, "cloud-init ended with %s", said);
	return 0;
}

/* A signal ends it too. */
static bool is_writable(int fd)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLOUT },
				{ .fd = fl_cancel_signal_fd(), .events = POLLIN } };

	return poll(fds, 2, PORT_ANSWER_MS) > 0 && fds[0].revents;
}

static int judge_port(const fl_json *record, uint64_t port, struct fl_err *err)
{
	fl_cleanup_free char *address = fl_vm_address(record);
	fl_cleanup_free char *service = fl_asprintf("%u", (unsigned)port);
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	fl_cleanup_close int fd = -1;
	int fault = 0;
	socklen_t size = sizeof(fault);

	if (!address || getaddrinfo(address, service, &hints, &found) != 0)
		return fl_err_set(err, FL_ERR_PRECONDITION, "its address is not known; give it one "
				  "(--ip), or a bridge that hands out addresses");
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	fault = fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
	freeaddrinfo(found);
	if (fd < 0 || (fault && fault != EINPROGRESS))
		return 0;
	return is_writable(fd) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 &&
	       fault == 0;
}

static int judge_one(const struct fl_condition *condition, const fl_json *record, struct fl_err *err)
{
	const char *state = fl_json_text(fl_json_at(record, "host.vmm.state"));

	switch (condition->what) {
	case FL_CONDITION_RUNNING:
		return fl_str_equal(state, "running");
	case FL_CONDITION_BOOT:
		return !is_ended(record) && (fl_json_bool(fl_json_at(record, "host.vmm.booted")) ||
					     judge_cloud_init(record, NULL) > 0);
	case FL_CONDITION_CLOUD_INIT:
		return judge_cloud_init(record, err);
	case FL_CONDITION_EXIT:
		return is_ended(record);
	case FL_CONDITION_PORT:
		return fl_str_equal(state, "running") ? judge_port(record, condition->port, err) : 0;
	}
	return 0;
}

/* It was never started, and nobody is at it: a step begins by clearing what it failed at before. */
static bool has_failed(const fl_json *record)
{
	return fl_json_at(record, "host.error") && !fl_json_at(record, "host.vmm.state") &&
	       !fl_json_at(record, "host.serve.wants");
}

static int judge(void *arg, const fl_json *record, struct fl_err *err)
{
	struct waiting *waiting = arg;
	const char *reason = fl_record_reason(record);

	for (size_t i = 0; i < waiting->conditions.count; i++) {
		int verdict = judge_one(&waiting->conditions.items[i], record, err);

		waiting->met = i;
		if (verdict < 0)
			return fl_err_prefix(err, "%s/%s", waiting->vm->name_space,
					     waiting->vm->name);
		if (verdict > 0)
			return 1;
	}
	if (is_ended(record) || has_failed(record))
		return fl_err_set(err, FL_ERR_GUEST, "%s/%s: it does not run: %s",
				  waiting->vm->name_space, waiting->vm->name, reason ? reason : "it was stopped");
	return 0;
}

static int wait_until(struct waiting *waiting, const struct fl_vm *vm, struct fl_err *err)
{
	for (;;) {
		int64_t left = waiting->end - fl_clock_ms();
		bool last = !waiting->has_port || left <= PORT_EVERY_MS;

		left = left < 0 ? 0 : left;
		if (fl_vm_wait(vm, last ? (int)left : PORT_EVERY_MS, judge, waiting, err) == 0)
			return 0;
		if (err->kind != FL_ERR_TIMEOUT || last)
			return -1;
	}
}

static int say_timeout(const struct waiting *waiting, const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	for (size_t i = 0; i < waiting->conditions.count; i++)
		fl_str_addf(&text, "%s%s%s", i ? ", " : "", waiting->conditions.items[i].text,
			    waiting->conditions.items[i].what == FL_CONDITION_CLOUD_INIT
				    ? " (unknown: nothing was heard of it)"
				    : "");
	return fl_err_set(err, FL_ERR_TIMEOUT, "%s/%s: not within the timeout: %s", vm->name_space,
			  vm->name, text.data);
}

/* It is done all the same. */
static void tell_degraded(const struct fl_vm *vm)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, NULL);
	const char *said = fl_json_text(fl_json_at(record, "host.vmm.cloud_init"));

	if (said && fl_str_starts(said, "degraded: "))
		fl_log(FL_LOG_WARN, "%s/%s: cloud-init did not do all that it was told: %s; "
		       "/var/log/cloud-init.log in the guest has more", vm->name_space, vm->name,
		       said + strlen("degraded: "));
}

static int say_met(const struct waiting *waiting, const struct fl_vm *vm, struct fl_err *err)
{
	const char *what = waiting->conditions.items[waiting->met].text;
	fl_cleanup_json fl_json *answer = NULL;
	fl_cleanup_free char *line = NULL;

	if (waiting->conditions.items[waiting->met].what == FL_CONDITION_CLOUD_INIT)
		tell_degraded(vm);
	if (fl_args_flag(waiting->args, "json")) {
		answer = fl_json_new_object();
		fl_json_set(answer, "namespace", fl_json_new_text(vm->name_space));
		fl_json_set(answer, "name", fl_json_new_text(vm->name));
		fl_json_set(answer, "uid", fl_json_new_text(vm->uid));
		fl_json_set(answer, "is", fl_json_new_text(what));
		return fl_cli_print_json(answer, err);
	}
	if (waiting->conditions.count == 1)
		return 0;
	line = fl_asprintf("%s/%s  %s\n", vm->name_space, vm->name, what);
	return fl_cli_print(line, strlen(line), err);
}

static int wait_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	struct waiting *waiting = arg;

	waiting->vm = vm;
	if (wait_until(waiting, vm, err) == 0) {
		waiting->worst = waiting->met > waiting->worst ? waiting->met : waiting->worst;
		return say_met(waiting, vm, err);
	}
	return err->kind == FL_ERR_TIMEOUT ? say_timeout(waiting, vm, err) : -1;
}

int fl_wait(struct fl_args *args, struct fl_err *err)
{
	struct waiting waiting = { .args = args };
	uint64_t timeout;
	const char *text;
	int rc = fl_args_duration(args, "timeout", 300000, &timeout, err);

	for (size_t i = 0; rc == 0 && (text = fl_args_each(args, "for", i)); i++)
		rc = add_condition(&waiting, text, err);
	if (rc == 0 && !waiting.conditions.count)
		rc = add_condition(&waiting, "running", err);
	waiting.end = fl_clock_ms() + (int64_t)(timeout < INT32_MAX ? timeout : INT32_MAX);
	if (rc == 0)
		rc = fl_life_each(args, wait_one, &waiting, err);
	free(waiting.conditions.items);
	if (rc == 0 && waiting.worst)
		args->exit_status = STATUS_BEFORE + (int)waiting.worst + 1;
	return rc;
}
