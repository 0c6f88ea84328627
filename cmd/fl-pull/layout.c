/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/layout.h"

#include "cmd/fl-pull/docker.h"
#include "cmd/fl-pull/spool.h"
#include "common/alloc.h"
#include "common/image.h"
#include "common/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int fl_layout_open_folder(struct fl_layout *layout, const char *folder, struct fl_err *err)
{
	*layout = (struct fl_layout){ .path = fl_strdup(folder), .tar = FL_TAR_INIT };
	layout->dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layout->dirfd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", folder);
	return 0;
}

static bool has(const struct fl_layout *layout, const char *name)
{
	return fl_tar_find(&layout->tar, name) != NULL;
}

int fl_layout_open_archive(struct fl_layout *layout, const char *file, bool is_docker,
			   const struct fl_cancel *cancel, struct fl_err *err)
{
	bool is_stdin = strcmp(file, "-") == 0;
	int fd = is_stdin ? fl_spool_stdin(cancel, err) : open(file, O_RDONLY | O_CLOEXEC);

	*layout = (struct fl_layout){
		.path = fl_strdup(is_stdin ? "standard input" : file), .dirfd = -1,
		.tar = FL_TAR_INIT, .texts = fl_json_new_object(), .places = fl_json_new_object(),
	};
	if (fd < 0)
		return is_stdin ? -1 : fl_err_errno(err, errno, "%s: cannot be opened", file);
	if (fl_tar_open(&layout->tar, fd, layout->path, err) < 0)
		return -1;
	if (!has(layout, is_docker ? "manifest.json" : "index.json") &&
	    !(is_stdin && has(layout, "manifest.json")))
		return fl_err_set(err, FL_ERR_INVALID, "%s: no %s in it: not %s archive",
				  layout->path, is_docker ? "manifest.json" : "index.json",
				  is_docker ? "a docker" : "an OCI");
	if (is_docker || !has(layout, "index.json"))
		return fl_docker_arrange(layout, err);
	return 0;
}

void fl_layout_close(struct fl_layout *layout)
{
	fl_tar_close(&layout->tar);
	fl_json_unref(layout->texts);
	fl_json_unref(layout->places);
	if (layout->dirfd >= 0)
		close(layout->dirfd);
	free(layout->path);
	*layout = (struct fl_layout)FL_LAYOUT_INIT;
}

static const struct fl_tar_member *find_member(const struct fl_layout *layout, const char *name,
					       struct fl_err *err)
{
	const char *place = fl_json_text(fl_json_get(layout->places, name));
	const struct fl_tar_member *member = fl_tar_find(&layout->tar, place ? place : name);

	if (!member)
		fl_err_set(err, FL_ERR_NOT_FOUND, "%s: has no %s", layout->path,
			   place ? place : name);
	return member;
}

static int read_from_archive(const struct fl_layout *layout, const char *name,
			     struct fl_str *text, struct fl_err *err)
{
	const char *made = fl_json_text(fl_json_get(layout->texts, name));
	const struct fl_tar_member *member;

	fl_str_add(text, made ? made : "");
	if (made)
		return 0;
	member = find_member(layout, name, err);
	if (!member)
		return -1;
	if (member->size > FL_MANIFEST_LIMIT)
		return fl_err_set(err, FL_ERR_INVALID, "%s: %s is larger than %d bytes",
				  layout->path, name, FL_MANIFEST_LIMIT);
	fl_str_reserve(text, member->size + 1);
	if (fl_io_pread(layout->tar.fd, text->data, member->size, member->offset, layout->path,
			err) < 0)
		return -1;
	text->len = member->size;
	text->data[text->len] = 0;
	return 0;
}

int fl_layout_read(const struct fl_layout *layout, const char *name, struct fl_str *text,
		   struct fl_err *err)
{
	if (layout->dirfd < 0)
		return read_from_archive(layout, name, text, err);
	if (fl_io_read_file(layout->dirfd, name, FL_MANIFEST_LIMIT, text, err) < 0)
		return fl_err_prefix(err, "%s", layout->path);
	return 0;
}

int fl_layout_open_blob(const struct fl_layout *layout, const char *digest,
			struct fl_span *span, struct fl_err *err)
{
	fl_cleanup_free char *name = fl_asprintf("blobs/sha256/%s", fl_digest_hex(digest));
	fl_cleanup_close int fd = -1;
	struct stat st;

	if (layout->dirfd < 0) {
		const struct fl_tar_member *member = find_member(layout, name, err);

		if (!member)
			return -1;
		*span = (struct fl_span){ .fd = dup(layout->tar.fd), .offset = member->offset,
					  .size = member->size };
		return span->fd < 0 ? fl_err_errno(err, errno, "%s", layout->path) : 0;
	}
	fd = openat(layout->dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fl_err_errno(err, errno, "%s/%s: cannot be opened", layout->path, name);
	*span = (struct fl_span){ .fd = fl_steal_fd(&fd), .size = (uint64_t)st.st_size };
	return 0;
}
