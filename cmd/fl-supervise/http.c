/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/http.h"

#include "cmd/fl-supervise/stream.h"
#include "common/alloc.h"
#include "common/num.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LARGEST_HEAD (16 << 10)
#define LARGEST_BODY (1 << 20)
#define TOO_LARGE SIZE_MAX

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

/* Of the head that ends at end; 0 without one, TOO_LARGE when nobody would send that. */
static size_t body_size(const char *head, const char *end)
{
	static const char name[] = "content-length:";
	uint64_t size;
	char digits[24] = "";

	for (const char *line = head; line && line < end; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, name, strlen(name)) != 0)
			continue;
		line += strlen(name) + strspn(line + strlen(name), " \t");
		snprintf(digits, sizeof(digits), "%.*s", (int)strspn(line, "0123456789"), line);
		return fl_num_u64(digits, 0, LARGEST_BODY, &size, NULL) < 0 ? TOO_LARGE : (size_t)size;
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

/* Of Firecracker's {"fault_message":…}, of Cloud Hypervisor's list of causes the first one. */
static const char *words_of(const fl_json *body)
{
	const char *words = fl_json_text(fl_json_get(body, "fault_message"));

	if (!words && fl_json_is_array(body))
		words = fl_json_text(fl_json_item(body, fl_json_count(body) - 1));
	return words ? words : "without a word";
}

static void refuse(struct fl_monitor *monitor, const struct fl_http_answer *answer)
{
	static const char *const names[] = {
		[FL_ORDER_POWER_OFF] = "asking the guest to power off",
		[FL_ORDER_PAUSE] = "to pause", [FL_ORDER_RESUME] = "to resume",
		[FL_ORDER_QUIT] = "to quit",   [FL_ORDER_COUNTERS] = "its counters",
		[FL_ORDER_RESIZE] = "a disk's new size",
	};
	size_t size = answer->body ? strlen(answer->body) : 0;
	fl_cleanup_json fl_json *body = size ? fl_json_parse(answer->body, size, "answer", NULL) : NULL;

	fl_monitor_refuse(monitor, answer->order, "the VMM refuses %s: %s (HTTP status %d)",
			  names[answer->order], words_of(body), answer->status);
	/* Not for a terminal to obey. */
	for (char *c = monitor->refusal; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

/* The size of the first answer, its head's in *head; 0: it is not whole. */
static size_t find_answer(struct fl_monitor *monitor, size_t *head)
{
	static const char start[] = "HTTP/1.";
	const struct fl_str *in = &monitor->in;
	const char *end = in->len ? strstr(in->data, "\r\n\r\n") : NULL;
	size_t known = in->len < strlen(start) ? in->len : strlen(start), size;

	if (known && memcmp(in->data, start, known) != 0)
		monitor->broken = "answers what is not HTTP";
	else if (!end && in->len > LARGEST_HEAD)
		monitor->broken = "answers with a head larger than 16 KiB";
	if (monitor->broken || !end)
		return 0;
	*head = (size_t)(end - in->data) + 4;
	size = body_size(in->data, end);
	if (size == TOO_LARGE)
		monitor->broken = "answers with a body larger than 1 MiB";
	else if (!monitor->asked_count)
		monitor->broken = "answers what it was not asked";
	return monitor->broken || in->len < *head + size ? 0 : *head + size;
}

bool fl_http_api_take(struct fl_monitor *monitor, struct fl_http_answer *answer)
{
	struct fl_str *in = &monitor->in;
	size_t head, size = find_answer(monitor, &head);

	if (!size)
		return false;
	*answer = (struct fl_http_answer){ .status = status_of(in->data) };
	if (size > head)
		answer->body = fl_strndup(in->data + head, size - head);
	fl_stream_drop(in, size);
	answer->order = shift(monitor);
	answer->good = answer->status >= 200 && answer->status < 300;
	if (!answer->good)
		refuse(monitor, answer);
	return true;
}
