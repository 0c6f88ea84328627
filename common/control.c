/* SPDX-License-Identifier: MPL-2.0 */
#include "common/control.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/io.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int connect_to(const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_free char *run = fl_vm_run_path(vm);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	fl_cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/supervisor.sock", run);

	if (fd < 0 || len >= (int)sizeof(address.sun_path) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fl_err_set(err, FL_ERR_UNAVAILABLE,
				  "%s/%s: its supervisor does not answer on %s", vm->name_space,
				  vm->name, address.sun_path);
	return fl_steal_fd(&fd);
}

static fl_json *silent(enum fl_err_kind kind, struct fl_err *err)
{
	fl_err_set(err, kind, "the supervisor does not answer");
	return NULL;
}

static fl_json *read_line(int fd, int64_t end, struct fl_err *err)
{
	fl_cleanup_str struct fl_str line = FL_STR_INIT;

	while (!line.len || line.data[line.len - 1] != '\n') {
		int64_t left = end - fl_clock_ms();
		int ready = fl_cancel_wait(NULL, fd, left > 0 ? (int)left : 0, err);
		ssize_t got;

		if (ready < 0)
			return NULL;
		if (!ready)
			return silent(FL_ERR_TIMEOUT, err);
		got = read(fd, fl_str_reserve(&line, 4096), 4096);
		if (got <= 0 || line.len > 1 << 20)
			return silent(FL_ERR_UNAVAILABLE, err);
		line.len += (size_t)got;
		line.data[line.len] = 0;
	}
	return fl_json_parse(line.data, line.len, "supervisor", err);
}

static int check_hello(const fl_json *hello, struct fl_err *err)
{
	const fl_json *spoken = fl_json_get(hello, "protocols");

	for (size_t i = 0; i < fl_json_count(spoken); i++) {
		int64_t one = fl_json_int(fl_json_item(spoken, i));

		if (one == FL_CONTROL_PROTOCOL || (one > 0 && one == FL_CONTROL_PROTOCOL - 1))
			return 0;
	}
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "the supervisor speaks another protocol (version %s)",
			  fl_json_text(fl_json_get(hello, "version")));
}

fl_json *fl_control_query(const struct fl_vm *vm, const fl_json *request, int timeout_ms,
			  struct fl_err *err)
{
	int64_t end = fl_clock_ms() + timeout_ms;
	fl_cleanup_close int fd = connect_to(vm, err);
	fl_cleanup_json fl_json *hello = fd < 0 ? NULL : read_line(fd, end, err);
	fl_cleanup_json fl_json *answer = NULL;
	fl_cleanup_str struct fl_str line = FL_STR_INIT;
	const char *why;

	if (!hello || check_hello(hello, err) < 0)
		return NULL;
	fl_json_print(request, false, &line);
	fl_str_add(&line, "\n");
	if (fl_io_write(fd, line.data, line.len, "supervisor", err) < 0)
		return NULL;
	answer = read_line(fd, end, err);
	why = fl_json_text(fl_json_get(answer, "error"));
	if (!why)
		return fl_steal(&answer);
	fl_err_set(err, FL_ERR_UNSUPPORTED, "supervisor: %s", why);
	return NULL;
}

int fl_control_ask(const struct fl_vm *vm, const fl_json *request, struct fl_err *err)
{
	fl_cleanup_json fl_json *answer =
		fl_control_query(vm, request, FL_CONTROL_ANSWER_MS, err);

	return answer ? 0 : -1;
}
