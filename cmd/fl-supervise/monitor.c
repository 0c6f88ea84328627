/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/monitor.h"

#include "cmd/fl-supervise/stream.h"
#include "common/num.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LONGEST_MESSAGE (1 << 20)

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

bool fl_monitor_order(struct fl_monitor *monitor, enum fl_order order)
{
	return monitor->fd >= 0 && monitor->protocol->send(monitor, order);
}

void fl_monitor_read(struct fl_monitor *monitor)
{
	if (monitor->fd < 0)
		return;
	if (!fl_stream_read(monitor->fd, &monitor->in)) {
		close(monitor->fd);
		monitor->fd = -1;
		monitor->ready = false;
		return;
	}
	while (monitor->protocol->take(monitor))
		;
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
	monitor->disks = monitor->sums = NULL;
	monitor->asked_count = 0;
}

const char *fl_monitor_disk(const struct fl_monitor *monitor, const char *id)
{
	uint64_t index;

	if (*id != 'd' || fl_num_u64(id + 1, 0, 1000, &index, NULL) < 0)
		return NULL;
	return fl_json_text(fl_json_item(fl_json_get(monitor->launch, "disks"), index));
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
