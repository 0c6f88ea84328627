/* SPDX-License-Identifier: MPL-2.0 */
/* What a VMM says to its supervisor, who asked for everything: the first byte says which VMM, the
 * second where its events begin that it writes to a fifo. */
#include "cmd/fl-supervise/monitor.h"
#include "t/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const providers[] = { "qemu", "firecracker", "cloudhypervisor" };

static fl_json *launch_of(const char *provider)
{
	static const char text[] = "{\"disks\":[\"root\",\"data\"],\"disk_paths\":[\"/a\",\"/b\"],"
				   "\"links\":[\"eth0\"]}";
	fl_json *launch = fl_json_parse(text, sizeof(text) - 1, "launch", NULL);

	MUST(launch);
	fl_json_set(launch, "provider", fl_json_new_text(provider));
	return launch;
}

static void say(int fd, const uint8_t *data, size_t size)
{
	MUST(write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static void check(const struct fl_monitor *monitor)
{
	MUST(memchr(monitor->reason, 0, sizeof(monitor->reason)));
	MUST(memchr(monitor->refusal, 0, sizeof(monitor->refusal)));
	MUST(monitor->asked_count <= FL_MONITOR_ORDERS);
	MUST(!monitor->disks || fl_json_is_array(monitor->disks));
	MUST(monitor->fd >= 0 || !monitor->ready);
}

static void hear(struct fl_monitor *monitor, const uint8_t *data, size_t size)
{
	int ends[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
	monitor->fd = ends[0];
	monitor->ready = true;
	for (enum fl_order order = FL_ORDER_POWER_OFF; order <= FL_ORDER_COUNTERS; order++)
		fl_monitor_order(monitor, order);
	fl_monitor_resize(monitor, "data", 1 << 20);
	say(ends[1], data, size);
	while (monitor->fd >= 0) {
		fl_monitor_read(monitor);
		check(monitor);
	}
}

static void hear_events(struct fl_monitor *monitor, const uint8_t *data, size_t size)
{
	int ends[2];

	if (!monitor->protocol->event_end)
		return;
	MUST(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
	monitor->events = ends[0];
	say(ends[1], data, size);
	for (size_t i = 0; i < 4; i++)
		fl_monitor_read_events(monitor);
	check(monitor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t which = size > 1 ? data[0] % 3 : 0, events;
	fl_cleanup_json fl_json *launch = launch_of(providers[which]);
	struct fl_monitor monitor;

	if (size < 2)
		return 0;
	data += 2;
	size -= 2;
	events = (size_t)data[-1] * size / 255;
	fl_monitor_init(&monitor, launch);
	hear(&monitor, data, events);
	hear_events(&monitor, data + events, size - events);
	fl_monitor_end(&monitor);
	return 0;
}
