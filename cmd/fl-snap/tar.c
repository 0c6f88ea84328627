/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/tar.h"

#include "cmd/fl-snap/stream.h"
#include "common/alloc.h"
#include "common/path.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <sys/stat.h>

struct fl_tar {
	struct fl_stream *in;
	struct archive *archive;
	struct archive_entry *entry;
	struct fl_err fault; /* of the source, which libarchive cannot carry */
	const char *name;
	char *path;
};

static ssize_t read_source(struct archive *archive, void *arg, const void **data)
{
	struct fl_tar *tar = arg;
	ssize_t got = fl_stream_next(tar->in, data, &tar->fault);

	if (got < 0)
		archive_set_error(archive, ARCHIVE_FATAL, "%s", tar->fault.text);
	return got;
}

static int fail(struct fl_tar *tar, struct fl_err *err)
{
	const char *why = archive_error_string(tar->archive);

	if (tar->fault.kind != FL_ERR_NONE)
		return fl_err_pass(err, &tar->fault);
	return fl_err_set(err, FL_ERR_CORRUPT, "layer %s: not a good tar: %s", tar->name,
			  why ? why : "damaged");
}

struct fl_tar *fl_tar_open(const char *path, const char *diff_id, struct fl_budget *budget,
			   struct fl_err *err)
{
	struct fl_stream *in = fl_stream_open(path, diff_id, budget, err);
	struct fl_tar *tar;

	if (!in)
		return NULL;
	tar = fl_alloc_zero(1, sizeof(*tar));
	tar->in = in;
	tar->path = fl_strdup(path);
	tar->name = fl_path_last(tar->path);
	tar->archive = archive_read_new();
	if (!tar->archive)
		abort();
	archive_read_support_filter_none(tar->archive);
	archive_read_support_format_tar(tar->archive);
	archive_read_support_format_empty(tar->archive);
	/* Names are bytes: no conversion may drop or refuse one. */
	archive_read_set_options(tar->archive, "hdrcharset=BINARY");
	if (archive_read_open(tar->archive, tar, NULL, read_source, NULL) != ARCHIVE_OK) {
		fail(tar, err);
		fl_tar_close(tar);
		return NULL;
	}
	return tar;
}

void fl_tar_close(struct fl_tar *tar)
{
	if (!tar)
		return;
	archive_read_free(tar->archive);
	fl_stream_close(tar->in);
	free(tar->path);
	free(tar);
}

/* libarchive stops at the end mark; packing and digest are only verified at the true end. */
static int drain(struct fl_tar *tar, struct fl_err *err)
{
	const void *data;
	ssize_t got;

	while ((got = fl_stream_next(tar->in, &data, err)) > 0)
		;
	return (int)got;
}

static void take(struct archive_entry *from, struct fl_tar_entry *entry)
{
	*entry = (struct fl_tar_entry){
		.path = archive_entry_pathname(from),
		.hard_link = archive_entry_hardlink(from),
		.mode = archive_entry_mode(from),
		.uid = (uint32_t)archive_entry_uid(from),
		.gid = (uint32_t)archive_entry_gid(from),
		.mtime = archive_entry_mtime(from),
		.mtime_ns = (uint32_t)archive_entry_mtime_nsec(from),
	};
	/* "-5.25" is read as -5 and .25; what is meant lies before -5. */
	if (entry->mtime < 0 && entry->mtime > INT64_MIN && entry->mtime_ns > 0) {
		entry->mtime--;
		entry->mtime_ns = 1000000000 - entry->mtime_ns;
	}
	if (archive_entry_filetype(from) == AE_IFLNK) {
		entry->symlink = archive_entry_symlink(from);
		entry->mode = S_IFLNK | 0777; /* Linux knows no other */
	}
	if (archive_entry_filetype(from) == AE_IFREG && archive_entry_size(from) > 0)
		entry->size = (uint64_t)archive_entry_size(from);
	if (archive_entry_filetype(from) == AE_IFBLK || archive_entry_filetype(from) == AE_IFCHR) {
		entry->major = (uint32_t)archive_entry_rdevmajor(from);
		entry->minor = (uint32_t)archive_entry_rdevminor(from);
	}
}

int fl_tar_next(struct fl_tar *tar, struct fl_tar_entry *entry, struct fl_err *err)
{
	int rc = archive_read_next_header(tar->archive, &tar->entry);

	if (rc == ARCHIVE_EOF)
		return drain(tar, err);
	if (rc < ARCHIVE_WARN)
		return fail(tar, err);
	take(tar->entry, entry);
	if (!entry->path || (archive_entry_filetype(tar->entry) == AE_IFLNK && !entry->symlink))
		return fl_err_set(err, FL_ERR_CORRUPT, "layer %s: an entry has no name", tar->name);
	archive_entry_xattr_reset(tar->entry);
	return 1;
}

ssize_t fl_tar_data(struct fl_tar *tar, const void **data, uint64_t *offset, struct fl_err *err)
{
	la_int64_t at;
	size_t size;
	int rc;

	do {
		rc = archive_read_data_block(tar->archive, data, &size, &at);
	} while (rc == ARCHIVE_OK && size == 0);
	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc < ARCHIVE_WARN)
		return fail(tar, err);
	*offset = (uint64_t)at;
	return (ssize_t)size;
}

int fl_tar_xattr(struct fl_tar *tar, const char **name, const void **value, size_t *size)
{
	return archive_entry_xattr_next(tar->entry, name, value, size) == ARCHIVE_OK;
}

uint64_t fl_tar_taken(const struct fl_tar *tar)
{
	return fl_stream_taken(tar->in);
}

uint64_t fl_tar_size(const struct fl_tar *tar)
{
	return fl_stream_given(tar->in);
}
