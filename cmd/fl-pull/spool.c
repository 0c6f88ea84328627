/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/spool.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/io.h"

#include <fcntl.h>
#include <sys/stat.h>

#define AT_ONCE (1 << 20)
#define NAME "standard input"

static int copy(int to, const struct fl_cancel *cancel, struct fl_err *err)
{
	fl_cleanup_free char *buffer = fl_alloc(AT_ONCE);

	for (;;) {
		ssize_t got;

		if (fl_cancel_wait(cancel, STDIN_FILENO, -1, err) < 0)
			return -1;
		got = read(STDIN_FILENO, buffer, AT_ONCE);
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return fl_err_errno(err, errno, NAME ": cannot be read");
		if (got == 0)
			return 0;
		if (got > 0 && fl_io_write(to, buffer, (size_t)got, "the copy of " NAME, err) < 0)
			return -1;
	}
}

int fl_spool_stdin(const struct fl_cancel *cancel, struct fl_err *err)
{
	const char *folder = getenv("TMPDIR");
	fl_cleanup_close int fd = -1;
	struct stat st;

	if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode)) {
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? fl_err_errno(err, errno, NAME) : fl_steal_fd(&fd);
	}
	folder = folder && *folder ? folder : "/var/tmp";
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return fl_err_errno(err, errno, "%s: no temporary file can be made; set TMPDIR",
				    folder);
	return copy(fd, cancel, err) < 0 ? -1 : fl_steal_fd(&fd);
}
