/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/monitor.h"

#include "cmd/fl-supervise/stream.h"
#include "common/clock.h"
#include "common/num.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LONGEST_MESSAGE (1 << 20)
#define ANSWER_WITHIN_MS 10000 /* less than anybody waits for what was asked */

static const char *launch_text(const struct fl_monitor *monitor, const char *key)
{
	return fl_json_text(fl_json_get(monitor->launch, key));
}

void fl_monitor_init(struct fl_monitor *monitor, const fl_json *launch)
{
	static const struct fl_protocol *const protocols[] = {
		&fl_protocol_qemu, &fl_protocol_firecracker, &fl_protocol_cloudhypervisor
	};

	*monitor = (struct fl_monitor){ .protocol = protocols[0], .launch = launch, .fd = -1,
					.events = -1 };
	for (size_t i = 0; i < FL_COUNT(protocols); i++)
		if (fl_str_equal(launch_text(monitor, "provider"), protocols[i]->provider))
			monitor->protocol = protocols[i];
}

int fl_monitor_open_events(struct fl_monitor *monitor, int dirfd, struct fl_err *err)
{
	const char *name = launch_text(monitor, "events");

	if (!name)
		return 0;
	unlinkat(dirfd, name, 0);
	/* Open for both, it never ends, and the VMM finds a reader. */
	if (mkfifoat(dirfd, name, 0600) == 0)
		monitor->events = openat(dirfd, name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (monitor->events < 0)
		return fl_err_errno(err, errno, "%s: the fifo cannot be made", name);
	return 0;
}

bool fl_monitor_connect(struct fl_monitor *monitor)
{
	const char *path = launch_text(monitor, "monitor");

	if (monitor->fd < 0 && path)
		monitor->fd = fl_stream_connect(path);
	if (monitor->fd >= 0 && !monitor->protocol->greets)
		monitor->ready = true;
	return monitor->fd >= 0;
}

void fl_monitor_refuse(struct fl_monitor *monitor, enum fl_order order, const char *fmt, ...)
{
	va_list args;

	monitor->refused |= 1U << order;
	if (order == FL_ORDER_RESIZE)
		monitor->resized = -1;
	va_start(args, fmt);
	vsnprintf(monitor->refusal, sizeof(monitor->refusal), fmt, args);
	va_end(args);
}

/* What was asked is not going to be answered. Whether the VMM did it is not known; one that was
 * asked to end, and ends, is not to be taken for one that refused. */
static void hang_up(struct fl_monitor *monitor, const char *why)
{
	for (size_t i = 0; i < monitor->asked_count; i++) {
		enum fl_order order = monitor->asked[i];

		if (order == FL_ORDER_PAUSE || order == FL_ORDER_RESUME)
			monitor->unsure = true;
		if (order != FL_ORDER_POWER_OFF && order != FL_ORDER_QUIT)
			fl_monitor_refuse(monitor, order, "the VMM's API %s", why);
	}
	close(monitor->fd);
	monitor->fd = -1;
	monitor->ready = monitor->counters_wanted = false;
	monitor->asked_count = 0;
	monitor->broken = NULL;
	fl_str_clear(&monitor->in);
}

/* One that asks first may do so over another connection than before. */
bool fl_monitor_order(struct fl_monitor *monitor, enum fl_order order)
{
	if (!monitor->protocol->greets)
		fl_monitor_connect(monitor);
	if (monitor->fd < 0 || !monitor->protocol->send(monitor, order))
		return false;
	if (monitor->asked_count == 1)
		monitor->answer_by = fl_clock_ms() + ANSWER_WITHIN_MS;
	return true;
}

int64_t fl_monitor_wait_ms(const struct fl_monitor *monitor)
{
	int64_t left = monitor->answer_by - fl_clock_ms();

	if (!monitor->asked_count)
		return -1;
	return left > 0 ? left : 0;
}

void fl_monitor_pass_time(struct fl_monitor *monitor)
{
	if (monitor->fd >= 0 && fl_monitor_wait_ms(monitor) == 0)
		hang_up(monitor, "does not answer");
}

bool fl_monitor_resize(struct fl_monitor *monitor, const char *volume, uint64_t bytes)
{
	monitor->resized = 0;
	monitor->resize.volume = volume;
	monitor->resize.bytes = bytes;
	return fl_monitor_order(monitor, FL_ORDER_RESIZE);
}

void fl_monitor_resized(struct fl_monitor *monitor, const char *words)
{
	if (words)
		fl_monitor_refuse(monitor, FL_ORDER_RESIZE, "%s", words);
	else
		monitor->resized = 1;
}

void fl_monitor_read(struct fl_monitor *monitor)
{
	if (monitor->fd < 0)
		return;
	if (!fl_stream_read(monitor->fd, &monitor->in)) {
		hang_up(monitor, "closed the connection without an answer");
		return;
	}
	while (monitor->protocol->take(monitor))
		monitor->answer_by = fl_clock_ms() + ANSWER_WITHIN_MS;
	if (monitor->broken) {
		hang_up(monitor, monitor->broken);
		return;
	}
	/* Anything that long is not for us. */
	if (monitor->in.len > LONGEST_MESSAGE)
		fl_str_clear(&monitor->in);
}

/* The first document of the events, if it is whole. */
static bool take_event(struct fl_monitor *monitor)
{
	struct fl_str *text = &monitor->event_text;
	const char *mark = monitor->protocol->event_end;
	const char *end = text->len ? strstr(text->data, mark) : NULL;
	fl_cleanup_json fl_json *event = NULL;
	size_t size;

	if (!end)
		return false;
	size = (size_t)(end - text->data) + strlen(mark);
	event = fl_json_parse(text->data, size, "event", NULL);
	if (event)
		monitor->protocol->event(monitor, event);
	fl_stream_drop(text, size);
	return true;
}

void fl_monitor_read_events(struct fl_monitor *monitor)
{
	if (monitor->events < 0)
		return;
	fl_stream_read(monitor->events, &monitor->event_text);
	while (take_event(monitor))
		;
	if (monitor->event_text.len > LONGEST_MESSAGE)
		fl_str_clear(&monitor->event_text);
}

void fl_monitor_end(struct fl_monitor *monitor)
{
	if (monitor->fd >= 0)
		close(monitor->fd);
	if (monitor->events >= 0)
		close(monitor->events);
	fl_str_finish(&monitor->in);
	fl_str_finish(&monitor->event_text);
	fl_json_unref(monitor->disks);
	fl_json_unref(monitor->sums);
	monitor->fd = monitor->events = -1;
	monitor->ready = monitor->paused = monitor->must_end = monitor->counters_wanted = false;
	monitor->unsure = false;
	monitor->stuck[0] = 0;
	monitor->broken = NULL;
	monitor->disks = monitor->sums = NULL;
	monitor->asked_count = 0;
	monitor->resized = 0;
}

const char *fl_monitor_disk(const struct fl_monitor *monitor, const char *id)
{
	uint64_t index;

	if (*id != 'd' || fl_num_u64(id + 1, 0, 1000, &index, NULL) < 0)
		return NULL;
	return fl_json_text(fl_json_item(fl_json_get(monitor->launch, "disks"), index));
}

int fl_monitor_disk_number(const struct fl_monitor *monitor, const char *volume)
{
	const fl_json *disks = fl_json_get(monitor->launch, "disks");

	for (size_t i = 0; i < fl_json_count(disks); i++)
		if (fl_str_equal(fl_json_text(fl_json_item(disks, i)), volume))
			return (int)i;
	return -1;
}

fl_json *fl_monitor_counters(const char *id, const fl_json *counters, const char *const names[][2])
{
	fl_json *disk = fl_json_new_object();

	fl_json_set(disk, "id", fl_json_new_text(id));
	for (; (*names)[0]; names++)
		fl_json_set(disk, (*names)[1],
			    fl_json_new_int(fl_json_int(fl_json_get(counters, (*names)[0]))));
	return disk;
}
