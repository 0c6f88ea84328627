/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/control.h"

#include "cmd/fl-supervise/listener.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int fl_control_listen(struct fl_control *control, const char *path, const char *uid,
		      struct fl_err *err)
{
	memset(control, 0, sizeof(*control));
	memset(control->clients, -1, sizeof(control->clients));
	snprintf(control->path, sizeof(control->path), "%s", path);
	snprintf(control->uid, sizeof(control->uid), "%s", uid);
	control->listener = fl_listener_open(path, err);
	return control->listener < 0 ? -1 : 0;
}

void fl_control_finish(struct fl_control *control)
{
	for (size_t i = 0; i < FL_CONTROL_CLIENTS; i++)
		if (control->clients[i] >= 0)
			close(control->clients[i]);
	if (control->listener >= 0)
		close(control->listener);
	if (*control->path)
		unlink(control->path);
	control->listener = -1;
}

/* A client that does not read is not waited for. */
static void say(int fd, const fl_json *value)
{
	fl_cleanup_str struct fl_str line = FL_STR_INIT;

	fl_json_print(value, false, &line);
	fl_str_add(&line, "\n");
	if (send(fd, line.data, line.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		shutdown(fd, SHUT_RDWR);
}

static fl_json *hello(const struct fl_control *control)
{
	fl_json *doc = fl_json_new_object(), *versions = fl_json_new_array();

	if (FL_CONTROL_PROTOCOL > 1)
		fl_json_add(versions, fl_json_new_int(FL_CONTROL_PROTOCOL - 1));
	fl_json_add(versions, fl_json_new_int(FL_CONTROL_PROTOCOL));
	fl_json_set(doc, "hello", fl_json_new_text("fl-supervise"));
	fl_json_set(doc, "version", fl_json_new_text(FL_VERSION));
	fl_json_set(doc, "protocols", versions);
	fl_json_set(doc, "uid", fl_json_new_text(control->uid));
	fl_json_set(doc, "pid", fl_json_new_int(getpid()));
	return doc;
}

static void accept_one(struct fl_control *control)
{
	fl_cleanup_json fl_json *greeting = NULL;
	int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (size_t i = 0; i < FL_CONTROL_CLIENTS; i++)
		if (control->clients[i] < 0) {
			control->clients[i] = fd;
			control->waits[i] = 0;
			greeting = hello(control);
			say(fd, greeting);
			return;
		}
	close(fd);
}

static void drop(int *fd)
{
	close(*fd);
	*fd = -1;
}

/* A request is one line that arrives at once; requests are a few dozen bytes. */
static void serve(int *fd, int *waits, fl_control_handler *handle, void *arg)
{
	char line[1024];
	ssize_t got = read(*fd, line, sizeof(line));
	fl_cleanup_json fl_json *request = NULL;
	fl_cleanup_json fl_json *answer = NULL;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		drop(fd);
		return;
	}
	request = fl_json_parse(line, (size_t)got, "request", NULL);
	if (!request) {
		drop(fd);
		return;
	}
	*waits = 0;
	answer = handle(arg, request, waits);
	if (answer)
		say(*fd, answer);
}

void fl_control_poll(struct fl_control *control, fl_control_handler *handle, void *arg)
{
	accept_one(control);
	for (size_t i = 0; i < FL_CONTROL_CLIENTS; i++)
		if (control->clients[i] >= 0)
			serve(&control->clients[i], &control->waits[i], handle, arg);
}

void fl_control_answer(struct fl_control *control, int waits, fl_json *answer)
{
	fl_cleanup_json fl_json *taken = answer;

	for (size_t i = 0; i < FL_CONTROL_CLIENTS; i++) {
		if (!control->waits[i] || (waits && control->waits[i] != waits))
			continue;
		if (control->clients[i] >= 0)
			say(control->clients[i], taken);
		control->waits[i] = 0;
	}
}
