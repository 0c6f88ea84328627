/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/layout.h"

#include "common/alloc.h"
#include "common/image.h"
#include "common/io.h"

#include <fcntl.h>
#include <sys/stat.h>

int fl_layout_open_folder(struct fl_layout *layout, const char *folder, struct fl_err *err)
{
	*layout = (struct fl_layout){ .path = fl_strdup(folder) };
	layout->dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layout->dirfd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", folder);
	return 0;
}

void fl_layout_close(struct fl_layout *layout)
{
	if (layout->dirfd >= 0)
		close(layout->dirfd);
	free(layout->path);
	*layout = (struct fl_layout)FL_LAYOUT_INIT;
}

int fl_layout_read(const struct fl_layout *layout, const char *name, struct fl_str *text,
		   struct fl_err *err)
{
	if (fl_io_read_file(layout->dirfd, name, FL_MANIFEST_LIMIT, text, err) < 0)
		return fl_err_prefix(err, "%s", layout->path);
	return 0;
}

int fl_layout_open_blob(const struct fl_layout *layout, const char *digest,
			struct fl_span *span, struct fl_err *err)
{
	fl_cleanup_free char *name = fl_asprintf("blobs/sha256/%s", fl_digest_hex(digest));
	fl_cleanup_close int fd = openat(layout->dirfd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fl_err_errno(err, errno, "%s/%s: cannot be opened", layout->path, name);
	*span = (struct fl_span){ .fd = fl_steal_fd(&fd), .size = (uint64_t)st.st_size };
	return 0;
}
