/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/listener.h"

#include "common/cleanup.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 8

int fl_listener_open(const char *path, struct fl_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	fl_cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return fl_err_set(err, FL_ERR_SYSTEM, "%s: no socket can be made there", path);
	strcpy(address.sun_path, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0600) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return fl_err_errno(err, errno, "%s: no socket can be made there", path);
	return fl_steal_fd(&fd);
}
