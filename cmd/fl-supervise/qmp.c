/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/qmp.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

bool fl_qmp_connect(struct fl_qmp *qmp, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (qmp->fd >= 0)
		return true;
	if (strlen(path) >= sizeof(address.sun_path))
		return false;
	strcpy(address.sun_path, path);
	qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (qmp->fd >= 0 && connect(qmp->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return true;
	fl_qmp_finish(qmp);
	return false;
}

void fl_qmp_finish(struct fl_qmp *qmp)
{
	if (qmp->fd >= 0)
		close(qmp->fd);
	qmp->fd = -1;
	qmp->ready = qmp->paused = false;
	fl_json_unref(qmp->blocks);
	qmp->blocks = NULL;
	fl_str_finish(&qmp->in);
}

bool fl_qmp_send(struct fl_qmp *qmp, const char *command)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "{\"execute\":\"%s\"}\r\n", command);

	return qmp->fd >= 0 && send(qmp->fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

static void take_event(struct fl_qmp *qmp, const fl_json *doc, const char *event)
{
	const char *reason = fl_json_text(fl_json_at(doc, "data.reason"));

	if (strcmp(event, "SHUTDOWN") == 0 && reason)
		snprintf(qmp->reason, sizeof(qmp->reason), "%s", reason);
	if (strcmp(event, "STOP") == 0)
		qmp->paused = true;
	if (strcmp(event, "RESUME") == 0)
		qmp->paused = false;
}

static void take(struct fl_qmp *qmp, const char *line, size_t size)
{
	fl_cleanup_json fl_json *doc = fl_json_parse(line, size, "qmp", NULL);
	const char *event = fl_json_text(fl_json_get(doc, "event"));

	if (fl_json_get(doc, "QMP"))
		fl_qmp_send(qmp, "qmp_capabilities");
	else if (event)
		take_event(qmp, doc, event);
	else if (fl_json_get(doc, "return"))
		qmp->ready = true;
	/* Of what is sent here, only query-blockstats is answered by a list. */
	if (fl_json_is_array(fl_json_get(doc, "return"))) {
		fl_json_unref(qmp->blocks);
		qmp->blocks = fl_json_ref(fl_json_get(doc, "return"));
	}
}

void fl_qmp_read(struct fl_qmp *qmp)
{
	ssize_t got = read(qmp->fd, fl_str_reserve(&qmp->in, 4096), 4096);
	char *newline;

	if (got <= 0 && (got == 0 || (errno != EAGAIN && errno != EINTR))) {
		fl_qmp_finish(qmp);
		return;
	}
	qmp->in.len += got > 0 ? (size_t)got : 0;
	while (qmp->in.len && (newline = memchr(qmp->in.data, '\n', qmp->in.len))) {
		size_t used = (size_t)(newline - qmp->in.data) + 1;

		take(qmp, qmp->in.data, used);
		memmove(qmp->in.data, qmp->in.data + used, qmp->in.len - used);
		qmp->in.len -= used;
	}
	/* Anything that long is not for us. */
	if (qmp->in.len > 1 << 20)
		qmp->in.len = 0;
}
