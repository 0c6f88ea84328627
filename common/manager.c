/* SPDX-License-Identifier: MPL-2.0 */
#include "common/manager.h"

#include "common/cleanup.h"
#include "common/macro.h"
#include "common/num.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_SOCKET 3

/* A variable that is meant for this process, not for its parent. */
static uint64_t number_for_us(const char *pid_name, const char *name)
{
	const char *pid_text = getenv(pid_name), *text = getenv(name);
	uint64_t pid, number;

	if (!text || fl_num_u64(text, 0, INT64_MAX, &number, NULL) < 0)
		return 0;
	if (pid_text && (fl_num_u64(pid_text, 1, INT32_MAX, &pid, NULL) < 0 || pid != (uint64_t)getpid()))
		return 0;
	return number;
}

/* Whether the index-th of names, joined by colons, is name. */
static bool is_named(const char *names, uint64_t index, const char *name)
{
	for (; names && index; index--) {
		names = strchr(names, ':');
		names += names ? 1 : 0;
	}
	return names && strcspn(names, ":") == strlen(name) &&
	       strncmp(names, name, strlen(name)) == 0;
}

int fl_manager_socket(const char *name)
{
	uint64_t count = getenv("LISTEN_PID") ? number_for_us("LISTEN_PID", "LISTEN_FDS") : 0;
	const char *names = getenv("LISTEN_FDNAMES");
	bool is_only = count == 1 && strcmp(name, "grpc") == 0 && !is_named(names, 0, "local");

	for (uint64_t i = 0; i < count && i < 64; i++) {
		int fd = FIRST_SOCKET + (int)i;

		if ((!is_only && !is_named(names, i, name)) || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			continue;
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		return fd;
	}
	return -1;
}

void fl_manager_tell(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	fl_cleanup_close int fd = -1;
	size_t size = path ? strlen(path) : 0;

	if (!size || size >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, size);
	if (*path == '@') /* of Linux's abstract names */
		address.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
}

uint64_t fl_manager_watchdog_us(void)
{
	return number_for_us("WATCHDOG_PID", "WATCHDOG_USEC");
}
