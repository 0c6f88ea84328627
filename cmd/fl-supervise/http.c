/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/http.h"

#include "cmd/fl-supervise/stream.h"
#include "common/alloc.h"
#include "common/num.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LARGEST_BODY (1 << 20)

bool fl_http_api_send(struct fl_monitor *monitor, enum fl_order order,
		      const struct fl_http_call *call)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (monitor->asked_count == FL_MONITOR_ORDERS)
		return false;
	fl_str_addf(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n",
		    call->method, call->path);
	if (call->body)
		fl_str_addf(&text, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			    strlen(call->body));
	fl_str_addf(&text, "\r\n%s", call->body ? call->body : "");
	if (!fl_stream_send(monitor->fd, text.data, text.len))
		return false;
	monitor->asked[monitor->asked_count++] = order;
	return true;
}

/* Of the head that ends at end; 0 without one. */
static size_t body_size(const char *head, const char *end)
{
	static const char name[] = "content-length:";
	uint64_t size;
	char digits[16] = "";

	for (const char *line = head; line && line < end; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, name, strlen(name)) != 0)
			continue;
		line += strlen(name) + strspn(line + strlen(name), " \t");
		snprintf(digits, sizeof(digits), "%.*s", (int)strspn(line, "0123456789"), line);
		return fl_num_u64(digits, 0, LARGEST_BODY, &size, NULL) < 0 ? 0 : (size_t)size;
	}
	return 0;
}

static int status_of(const char *head)
{
	const char *space = strchr(head, ' ');
	uint64_t status;
	char digits[4] = "";

	if (space)
		snprintf(digits, sizeof(digits), "%.3s", space + 1);
	return fl_num_u64(digits, 100, 599, &status, NULL) < 0 ? 0 : (int)status;
}

static enum fl_order shift(struct fl_monitor *monitor)
{
	enum fl_order first = monitor->asked[0];

	monitor->asked_count--;
	memmove(monitor->asked, monitor->asked + 1, monitor->asked_count * sizeof(first));
	return first;
}

bool fl_http_api_take(struct fl_monitor *monitor, struct fl_http_answer *answer)
{
	struct fl_str *in = &monitor->in;
	const char *end = in->len ? strstr(in->data, "\r\n\r\n") : NULL;
	size_t head, size;

	if (!end)
		return false;
	head = (size_t)(end - in->data) + 4;
	size = body_size(in->data, end);
	if (in->len < head + size)
		return false;
	*answer = (struct fl_http_answer){ .status = status_of(in->data) };
	if (size)
		answer->body = fl_strndup(in->data + head, size);
	fl_stream_drop(in, head + size);
	if (!monitor->asked_count) {
		free(answer->body);
		return false;
	}
	answer->order = shift(monitor);
	return true;
}
