/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pack/layout.h"

#include "cmd/fl-pack/tar.h"
#include "common/alloc.h"
#include "common/io.h"
#include "common/lock.h"
#include "common/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static bool is_archive(const char *path)
{
	struct stat st;

	return fl_str_ends(path, ".tar") && !(stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/* Who names a file so does not mean a folder. */
static int check_name(const char *path, struct fl_err *err)
{
	static const char *const packed[] = { ".tgz", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2" };
	struct stat st;

	for (size_t i = 0; i < FL_COUNT(packed); i++)
		if (fl_str_ends(path, packed[i]) && stat(path, &st) < 0)
			return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: an image's archive is not packed, its "
					  "layers are; write FILE.tar, or an existing folder", path);
	return 0;
}

static int open_archive(struct fl_pack_layout *layout, const char *path, struct fl_err *err)
{
	fl_cleanup_free char *scratch = fl_asprintf("%s.XXXXXX", path);

	if (fl_atomic_open_path(&layout->archive, path, 0644, err) < 0)
		return -1;
	if (!mkdtemp(scratch))
		return fl_err_errno(err, errno, "%s: cannot be made", scratch);
	layout->scratch = fl_steal(&scratch);
	return fl_store_open_folder(&layout->store, layout->scratch, err);
}

int fl_pack_layout_open(struct fl_pack_layout *layout, const char *path, struct fl_err *err)
{
	*layout = (struct fl_pack_layout){ .store = { .dirfd = -1, .blobs = -1 }, .lock = -1,
					   .archive = FL_ATOMIC_INIT };
	if (is_archive(path))
		return open_archive(layout, path, err);
	if (check_name(path, err) < 0)
		return -1;
	if (fl_store_open_folder(&layout->store, path, err) < 0)
		return -1;
	/* Only the local store has a collector, and this lock. */
	if (faccessat(layout->store.dirfd, ".lock", F_OK, 0) < 0)
		return 0;
	layout->lock = fl_store_lock(&layout->store, false, err);
	return layout->lock < 0 ? -1 : 0;
}

static int into_archive(void *arg, const void *data, size_t size, struct fl_err *err)
{
	const struct fl_atomic *archive = arg;

	return fl_io_write(archive->fd, data, size, archive->name, err);
}

int fl_pack_layout_close(struct fl_pack_layout *layout, struct fl_err *err)
{
	/* Nothing of the archive tells who packed it when. */
	const struct fl_pack_tree tree = { .has_owner = true, .has_epoch = true };

	if (!layout->scratch)
		return 0;
	unlinkat(layout->store.dirfd, ".index.lock", 0);
	if (fl_pack_tar_of_tree(layout->scratch, &tree, into_archive, &layout->archive, err) < 0)
		return -1;
	return fl_atomic_publish(&layout->archive, true, err);
}

void fl_pack_layout_finish(struct fl_pack_layout *layout)
{
	if (layout->lock >= 0)
		close(layout->lock);
	fl_store_close(&layout->store);
	if (layout->scratch)
		fl_path_remove_tree(AT_FDCWD, layout->scratch, NULL);
	free(layout->scratch);
	fl_atomic_finish(&layout->archive);
}
