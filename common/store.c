/* SPDX-License-Identifier: MPL-2.0 */
/* The store: an OCI image layout, blobs and names. */
#include "common/image.h"

#include "common/alloc.h"
#include "common/io.h"
#include "common/lock.h"
#include "common/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define INDEX_LIMIT (64 << 20)
#define INDEX "index.json"
#define INDEX_BEFORE ".index.before" /* the last that is known to be on disk */
#define NO_IMAGES "{\"schemaVersion\":2,\"manifests\":[]}\n"

/* An empty one is what a loss of power left. */
static int write_if_missing(int dirfd, const char *name, const char *text, struct fl_err *err)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, 0) == 0 && st.st_size)
		return 0;
	return fl_atomic_write(dirfd, name, 0644, text, strlen(text), false, err);
}

static int make_layout(const char *path, struct fl_err *err)
{
	fl_cleanup_free char *blobs = fl_asprintf("%s/blobs/sha256", path);
	fl_cleanup_close int dirfd = -1;
	struct stat st;

	if (fl_path_make_folders(blobs, 0755, err) < 0)
		return -1;
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	if (write_if_missing(dirfd, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}\n", err) < 0)
		return -1;
	if (fstatat(dirfd, INDEX_BEFORE, &st, 0) == 0 && st.st_size)
		return 0;
	return write_if_missing(dirfd, INDEX, NO_IMAGES, err);
}

/* Takes path. */
static int open_store(struct fl_store *store, char *path, bool make, struct fl_err *err)
{
	*store = (struct fl_store){ .path = path, .dirfd = -1, .blobs = -1 };
	if (make && make_layout(store->path, err) < 0)
		return -1;
	store->dirfd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dirfd >= 0)
		store->blobs = openat(store->dirfd, "blobs/sha256",
				      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->blobs < 0)
		return fl_err_errno(err, errno, "%s: the image store cannot be opened",
				    store->path);
	return 0;
}

int fl_store_open(struct fl_store *store, const char *state_dir, bool make, struct fl_err *err)
{
	if (open_store(store, fl_asprintf("%s/images", state_dir), make, err) < 0)
		return fl_path_deny_state(err);
	return 0;
}

/* Anything there that is not a layout's own must not get one mixed in. */
static int check_foreign(const char *path, struct fl_err *err)
{
	fl_cleanup_dir DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	if (faccessat(dirfd(dir), "oci-layout", F_OK, 0) == 0)
		return 0;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return fl_err_set(err, FL_ERR_EXISTS, "%s: the folder is not empty and no "
					  "OCI image layout; name another", path);
	return 0;
}

int fl_store_open_folder(struct fl_store *store, const char *path, struct fl_err *err)
{
	*store = (struct fl_store){ .dirfd = -1, .blobs = -1 };
	return check_foreign(path, err) < 0 ? -1 : open_store(store, fl_strdup(path), true, err);
}

void fl_store_close(struct fl_store *store)
{
	if (store->dirfd >= 0)
		close(store->dirfd);
	if (store->blobs >= 0)
		close(store->blobs);
	free(store->path);
	*store = (struct fl_store){ .dirfd = -1, .blobs = -1 };
}

int fl_store_lock(const struct fl_store *store, bool exclusive, struct fl_err *err)
{
	int fd = fl_lock_file(store->dirfd, ".lock", exclusive ? FL_LOCK_EXCLUSIVE : FL_LOCK_SHARED,
			      exclusive ? 0 : FL_LOCK_FOREVER, err);

	return fd < 0 ? fl_err_prefix(err, "%s", store->path) : fd;
}

bool fl_store_has(const struct fl_store *store, const char *digest, uint64_t size)
{
	struct stat st;

	return fstatat(store->blobs, fl_digest_hex(digest), &st, 0) == 0 &&
	       (uint64_t)st.st_size == size &&
	       fl_durable_is_good(store->blobs, fl_digest_hex(digest));
}

int fl_store_open_blob(const struct fl_store *store, const char *digest, struct fl_err *err)
{
	int fd = openat(store->blobs, fl_digest_hex(digest), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: not in the store; pull the image again",
				    digest);
	return fd;
}

fl_json *fl_store_read(const struct fl_store *store, const char *digest, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_close int fd = fl_store_open_blob(store, digest, err);
	char real[FL_DIGEST_TEXT];

	if (fd < 0 || fl_io_read_all(fd, FL_MANIFEST_LIMIT, &text, digest, err) < 0)
		return NULL;
	fl_digest_of(text.data, text.len, real);
	if (strcmp(real, digest) == 0)
		return fl_json_parse(text.data, text.len, digest, err);
	fl_err_set(err, FL_ERR_CORRUPT, "%s: the store holds other bytes (%s); remove the file and "
		   "pull the image again", digest, real);
	return NULL;
}

int fl_store_put(const struct fl_store *store, const void *data, size_t size,
		 char digest[static FL_DIGEST_TEXT], struct fl_err *err)
{
	fl_cleanup_durable struct fl_durable durable = FL_DURABLE_INIT;
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	int have;

	fl_digest_of(data, size, digest);
	have = fl_durable_begin(&durable, store->blobs, fl_digest_hex(digest), true, NULL,
				err);
	if (have != 0)
		return have < 0 ? -1 : 0;
	if (fl_atomic_open(&file, store->blobs, fl_digest_hex(digest), 0444, err) < 0 ||
	    fl_io_write(file.fd, data, size, digest, err) < 0)
		return -1;
	return fl_durable_publish(&durable, &file, err);
}

static fl_json *read_index_file(const struct fl_store *store, const char *name,
				struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_json *index;

	if (fl_io_read_file(store->dirfd, name, INDEX_LIMIT, &text, err) < 0)
		return NULL;
	index = fl_json_parse(text.data ? text.data : "", text.len, name, err);
	if (index && !fl_json_is_object(index)) {
		fl_json_unref(index);
		fl_err_set(err, FL_ERR_INVALID, "%s: not a JSON object", name);
		return NULL;
	}
	if (index && !fl_json_is_array(fl_json_get(index, "manifests")))
		fl_json_set(index, "manifests", fl_json_new_array());
	return index;
}

/* A new index.json is not waited for: a loss of power may leave one that is empty. Then the
 * one before counts, and names given since are given again when they are wanted. */
static fl_json *read_index(const struct fl_store *store, struct fl_err *err)
{
	struct fl_err why = { 0 };
	fl_json *index = read_index_file(store, INDEX, &why);

	if (!index && (why.kind == FL_ERR_INVALID || why.kind == FL_ERR_NOT_FOUND))
		index = read_index_file(store, INDEX_BEFORE, NULL);
	if (!index)
		fl_err_pass(err, &why);
	return index;
}

const char *fl_store_name_of(const fl_json *descriptor)
{
	return fl_json_text(fl_json_get(fl_json_get(descriptor, "annotations"), FL_STORE_NAME));
}

bool fl_store_is_named(const fl_json *descriptor, const char *text)
{
	return fl_str_equal(fl_store_name_of(descriptor), text);
}

fl_json *fl_store_list(const struct fl_store *store, struct fl_err *err)
{
	fl_cleanup_json fl_json *index = read_index(store, err);

	return index ? fl_json_ref(fl_json_get(index, "manifests")) : NULL;
}

fl_json *fl_store_find(const struct fl_store *store, const char *text, const char *platform)
{
	fl_cleanup_json fl_json *list = fl_store_list(store, NULL);
	fl_json *best = NULL;
	int best_rank = 0;

	for (size_t i = 0; i < fl_json_count(list); i++) {
		fl_json *descriptor = fl_json_item(list, i);
		const fl_json *has = fl_json_get(descriptor, "platform");
		int rank = has ? fl_image_rank(has, platform) : 1;

		if (!fl_store_is_named(descriptor, text) || rank <= best_rank)
			continue;
		best = descriptor;
		best_rank = rank;
	}
	return best ? fl_json_ref(best) : NULL;
}

/* One that names no platform, such as an index, stands for all of them. */
static bool takes_place_of(const fl_json *descriptor, const fl_json *old)
{
	const fl_json *platform = fl_json_get(descriptor, "platform");
	const fl_json *before = fl_json_get(old, "platform");

	return !platform || !before || fl_json_equal(platform, before);
}

static void replace(fl_json *index, const char *text, fl_json *descriptor)
{
	const fl_json *old = fl_json_get(index, "manifests");
	fl_json *list = fl_json_new_array();

	for (size_t i = 0; i < fl_json_count(old); i++) {
		fl_json *one = fl_json_item(old, i);

		if (!fl_store_is_named(one, text) || !takes_place_of(descriptor, one))
			fl_json_add(list, fl_json_ref(one));
	}
	fl_json_add(list, descriptor);
	fl_json_set(index, "manifests", list);
}

/* What is on disk for sure is kept until the next is. */
static int keep_before(const struct fl_store *store, struct fl_err *err)
{
	fl_cleanup_json fl_json *good = NULL;

	if (fl_durable_is_noted(store->dirfd, INDEX))
		return 0;
	good = read_index_file(store, INDEX, NULL);
	if (good && unlinkat(store->dirfd, INDEX_BEFORE, 0) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, INDEX_BEFORE ": cannot be replaced");
	if (good && linkat(store->dirfd, INDEX, store->dirfd, INDEX_BEFORE, 0) < 0 &&
	    errno != EEXIST)
		return fl_err_errno(err, errno, INDEX_BEFORE ": cannot be made");
	return fl_durable_note(store->dirfd, INDEX, err);
}

static int write_index(const struct fl_store *store, const fl_json *index, struct fl_err *err)
{
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	/* A layout of the user's has no lock, and nothing in it but what belongs there. */
	bool is_ours = faccessat(store->dirfd, ".lock", F_OK, 0) == 0;

	if (is_ours && keep_before(store, err) < 0)
		return -1;

	fl_json_print(index, true, &out);
	fl_str_add(&out, "\n");
	return fl_atomic_write(store->dirfd, INDEX, 0644, out.data, out.len, !is_ours, err);
}

int fl_store_name(const struct fl_store *store, const char *text, fl_json *descriptor,
		  struct fl_err *err)
{
	fl_cleanup_close int lock = fl_lock_file(store->dirfd, ".index.lock", FL_LOCK_EXCLUSIVE,
						 FL_LOCK_FOREVER, err);
	fl_cleanup_json fl_json *index = lock < 0 ? NULL : read_index(store, err);

	if (!fl_json_is_object(fl_json_get(descriptor, "annotations")))
		fl_json_set(descriptor, "annotations", fl_json_new_object());
	fl_json_set(fl_json_get(descriptor, "annotations"), FL_STORE_NAME, fl_json_new_text(text));
	if (!index) {
		fl_json_unref(descriptor);
		return -1;
	}
	replace(index, text, descriptor);
	return write_index(store, index, err);
}

int fl_store_keep(const struct fl_store *store, bool (*keep)(void *arg, const fl_json *descriptor),
		  void *arg, struct fl_err *err)
{
	fl_cleanup_close int lock = fl_lock_file(store->dirfd, ".index.lock", FL_LOCK_EXCLUSIVE,
						 FL_LOCK_FOREVER, err);
	fl_cleanup_json fl_json *index = lock < 0 ? NULL : read_index(store, err);
	fl_cleanup_json fl_json *list = fl_json_new_array();
	fl_json *old = fl_json_get(index, "manifests");
	int gone;

	if (!index)
		return -1;
	for (size_t i = 0; i < fl_json_count(old); i++)
		if (keep(arg, fl_json_item(old, i)))
			fl_json_add(list, fl_json_ref(fl_json_item(old, i)));
	gone = (int)(fl_json_count(old) - fl_json_count(list));
	fl_json_set(index, "manifests", fl_json_ref(list));
	return gone && write_index(store, index, err) < 0 ? -1 : gone;
}

void fl_store_settle_later(const struct fl_store *store)
{
	const int folders[] = { store->blobs, store->dirfd };

	fl_durable_settle_later(folders, FL_COUNT(folders));
}
