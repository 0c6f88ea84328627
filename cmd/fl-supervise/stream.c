/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/stream.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define AT_ONCE 16384

/* The VMM that made the socket may have been broken into, and must not lead us to another by a
 * symbolic link in its place. */
int fl_stream_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	fl_cleanup_close int at = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	fl_cleanup_close int fd = -1;
	struct stat st;

	if (at < 0 || fstat(at, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", at);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return fl_steal_fd(&fd);
}

bool fl_stream_read(int fd, struct fl_str *in)
{
	ssize_t got = read(fd, fl_str_reserve(in, AT_ONCE), AT_ONCE);

	if (got > 0) {
		in->len += (size_t)got;
		in->data[in->len] = 0;
	}
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

bool fl_stream_send(int fd, const char *data, size_t size)
{
	return send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

void fl_stream_drop(struct fl_str *in, size_t used)
{
	memmove(in->data, in->data + used, in->len - used);
	in->len -= used;
	in->data[in->len] = 0;
}
