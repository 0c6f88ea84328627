/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/cache.h"

#include "cmd/fl-snap/blob.h"
#include "cmd/fl-snap/copy.h"
#include "cmd/fl-snap/extract.h"
#include "common/alloc.h"
#include "common/num.h"
#include "common/path.h"
#include "common/slot.h"
#include "common/state.h"
#include "common/uuid.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_MIB 10240
#define QUESTION (FL_SHA256_HEX + 3) /* bytes of a link's name */

static int open_folder(const char *dir, const char *name, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/%s", dir, name);
	int fd;

	if (fl_path_make_folders(path, 0755, err) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fl_err_errno(err, errno, "%s: cannot be opened", path) : fd;
}

int fl_cache_open(struct fl_cache *cache, const char *state_dir, struct fl_err *err)
{
	*cache = (struct fl_cache){ .bases = -1, .files = -1,
				    .store = { .dirfd = -1, .blobs = -1 } };
	if (fl_store_open(&cache->store, state_dir, true, err) < 0)
		return -1;
	cache->dir = fl_strdup(state_dir);
	cache->bases = open_folder(state_dir, "bases", err);
	cache->files = cache->bases < 0 ? -1 : open_folder(state_dir, "files", err);
	if (cache->files < 0)
		return -1;
	fl_atomic_sweep(cache->bases);
	fl_atomic_sweep(cache->files);
	return 0;
}

void fl_cache_close(struct fl_cache *cache)
{
	fl_store_close(&cache->store);
	if (cache->bases >= 0)
		close(cache->bases);
	if (cache->files >= 0)
		close(cache->files);
	free(cache->dir);
	*cache = (struct fl_cache){ .bases = -1, .files = -1,
				    .store = { .dirfd = -1, .blobs = -1 } };
}

void fl_cache_settle_later(struct fl_cache *cache)
{
	const int folders[] = { cache->bases, cache->files };

	fl_durable_settle_later(folders, FL_COUNT(folders));
}

uint64_t fl_cache_default_mib(const struct fl_image *image)
{
	uint64_t large = (image->size >> 20) * 6;

	return large > DEFAULT_MIB ? large : DEFAULT_MIB;
}

/* The layers as the builder takes them. Caller finishes. */
struct layers {
	struct fl_base_layer *items;
	size_t count;
};

static void layers_finish(struct layers *layers)
{
	for (size_t i = 0; i < layers->count; i++)
		free((void *)layers->items[i].path);
	free(layers->items);
}

static int layers_of(struct fl_cache *cache, const struct fl_image *image, struct layers *layers,
		     struct fl_err *err)
{
	layers->count = image->layer_count;
	layers->items = fl_alloc_zero(image->layer_count, sizeof(*layers->items));
	for (size_t i = 0; i < image->layer_count; i++) {
		const struct fl_layer *layer = &image->layers[i];

		if (!fl_store_has(&cache->store, layer->digest, layer->size))
			return fl_err_set(err, FL_ERR_NOT_FOUND,
					  "layer %s is not in the store; pull the image again",
					  layer->digest);
		layers->items[i].path = fl_asprintf("%s/blobs/sha256/%s", cache->store.path,
						    fl_digest_hex(layer->digest));
		layers->items[i].diff_id = layer->diff_id;
		layers->items[i].digest = layer->digest;
	}
	return 0;
}

/* The builder asks often and from several threads: the answer costs a look at a flag and a
 * non-blocking read at most. */
static bool is_cancelled(void *arg)
{
	const struct fl_cache_watch *watch = arg;

	return fl_cancel_check(watch->cancel, NULL) < 0;
}

static void tell(void *arg, uint64_t done, uint64_t total)
{
	const struct fl_cache_watch *watch = arg;

	if (watch->progress)
		watch->progress(watch->arg, done, total);
}

static struct fl_base_options options_of(const struct fl_cache *cache,
					 const struct fl_cache_watch *watch)
{
	return (struct fl_base_options){ .threads = 2, .cancelled = is_cancelled,
					 .max_bytes = cache->limits.max_bytes,
					 .max_entries = cache->limits.max_entries,
					 .progress = tell, .arg = (void *)watch };
}

unsigned fl_cache_builds(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return processors > 2 ? (unsigned)processors : 2;
}

/* A place among the builds of this host. Taken when all locks are held, given back before the
 * next is wanted: who has one waits for nobody. */
static int take_place(const struct fl_cache *cache, const struct fl_cache_watch *watch,
		      struct fl_slot *slot, struct fl_err *err)
{
	fl_cleanup_free char *folder = fl_state_run_folder();

	return fl_slot_take(slot, folder, "build",
			    cache->limits.builds ? cache->limits.builds : fl_cache_builds(),
			    watch->cancel, err);
}

/* A stop that the builder was told of comes back with its real reason. */
static int explain(const struct fl_cache_watch *watch, struct fl_err *err)
{
	if (err && err->kind == FL_ERR_ABORTED)
		fl_cancel_check(watch->cancel, err);
	return -1;
}

int fl_cache_build(struct fl_cache *cache, int fd, const char *name, const struct fl_image *image,
		   uint64_t mib, const struct fl_cache_watch *watch, struct fl_err *err)
{
	struct fl_base_options options = options_of(cache, watch);
	fl_cleanup_slot struct fl_slot slot = FL_SLOT_INIT;
	struct fl_base_result result;
	struct layers layers = { 0 };
	struct fl_uuid uuid;
	int rc = take_place(cache, watch, &slot, err);

	if (rc == 0)
		rc = layers_of(cache, image, &layers, err);

	fl_uuid_of("base", image->chain_id, &uuid);
	memcpy(options.uuid, uuid.byte, sizeof(options.uuid));
	options.size = mib << 20;
	if (rc == 0)
		rc = fl_base_build(fd, name, layers.items, layers.count, &options, &result, err);
	layers_finish(&layers);
	return rc < 0 ? explain(watch, err) : 0;
}

static int build_base(struct fl_cache *cache, const char *name, const struct fl_image *image,
		      uint64_t mib, const struct fl_cache_watch *watch, struct fl_err *err)
{
	fl_cleanup_durable struct fl_durable durable = FL_DURABLE_INIT;
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	int have = fl_durable_begin(&durable, cache->bases, name, true, watch->cancel, err);

	if (have != 0)
		return have < 0 ? -1 : 0;
	/* libext2fs opens it once more, to write: without root that takes the right to. */
	if (fl_atomic_open(&file, cache->bases, name, 0600, err) < 0 ||
	    fl_cache_build(cache, file.fd, name, image, mib, watch, err) < 0)
		return -1;
	if (fchmod(file.fd, 0444) < 0)
		return fl_err_errno(err, errno, "bases/%s: its mode cannot be set", name);
	return fl_durable_publish(&durable, &file, err);
}

char *fl_cache_base_path(const struct fl_cache *cache, const struct fl_image *image, uint64_t mib)
{
	return fl_asprintf("%s/bases/%s-%llu-v%d", cache->dir, fl_digest_hex(image->chain_id),
			   (unsigned long long)mib, FL_BASE_FORMAT);
}

bool fl_cache_has_other_base(const struct fl_cache *cache, const struct fl_image *image, uint64_t mib,
			     const char *path)
{
	fl_cleanup_free char *any = fl_asprintf("%s/bases/%s-%llu-v", cache->dir, fl_digest_hex(image->chain_id),
						(unsigned long long)mib);

	return fl_str_starts(path, any) && !strchr(path + strlen(any), '/') &&
	       fl_durable_is_good(cache->bases, fl_path_last(path));
}

bool fl_cache_is_base_of(const struct fl_image *image, const char *name, uint64_t *mib)
{
	const char *hex = fl_digest_hex(image->chain_id), *size;
	fl_cleanup_free char *text = NULL;

	if (!fl_str_starts(name, hex) || name[strlen(hex)] != '-')
		return false;
	size = name + strlen(hex) + 1;
	text = fl_strndup(size, strcspn(size, "-"));
	return fl_num_u64(text, 1, UINT32_MAX, mib, NULL) == 0;
}

int fl_cache_base(struct fl_cache *cache, const struct fl_image *image, uint64_t mib,
		  const struct fl_cache_watch *watch, char **path, struct fl_err *err)
{
	fl_cleanup_free char *at = fl_cache_base_path(cache, image, mib);
	fl_cleanup_close int lock = fl_store_lock(&cache->store, false, err);

	if (lock < 0 || build_base(cache, fl_path_last(at), image, mib, watch, err) < 0)
		return -1;
	*path = fl_steal(&at);
	return 0;
}

int fl_cache_base_fd(struct fl_cache *cache, const struct fl_image *image, uint64_t mib,
		     const struct fl_cache_watch *watch, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_cache_base_path(cache, image, mib);
	const char *name = fl_path_last(path);
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;

	if (fl_durable_is_good(cache->bases, name)) {
		int fd = openat(cache->bases, name, O_RDONLY | O_CLOEXEC);

		return fd < 0 ? fl_err_errno(err, errno, "%s: cannot be opened", path) : fd;
	}
	if (fl_atomic_open(&file, cache->bases, name, 0600, err) < 0 ||
	    fl_cache_build(cache, file.fd, name, image, mib, watch, err) < 0)
		return -1;
	return fl_steal_fd(&file.fd);
}

/* Writes one file of the image into the empty file fd. */
static int extract(struct fl_cache *cache, const struct fl_image *image, const char *file, int fd,
		   const struct fl_cache_watch *watch, struct fl_err *err)
{
	fl_cleanup_slot struct fl_slot slot = FL_SLOT_INIT;
	struct fl_base_options options = options_of(cache, watch);
	struct layers layers = { 0 };
	int rc;

	if (take_place(cache, watch, &slot, err) < 0)
		return -1;
	rc = layers_of(cache, image, &layers, err);
	if (rc == 0)
		rc = fl_extract_file(layers.items, layers.count, file, fd, &options, err);
	layers_finish(&layers);
	return rc < 0 ? explain(watch, err) : 0;
}

/* Extracts, then names the file by its content and the question by a symbolic link. */
static int keep_file(struct fl_cache *cache, const char *question, const struct fl_image *image,
		     const char *file, const struct fl_cache_watch *watch, struct fl_err *err)
{
	fl_cleanup_durable struct fl_durable durable = FL_DURABLE_INIT;
	fl_cleanup_atomic struct fl_atomic out = FL_ATOMIC_INIT;
	char digest[FL_DIGEST_TEXT];
	const char *name = fl_digest_hex(digest);
	int have;

	if (fl_atomic_open(&out, cache->files, question, 0444, err) < 0 ||
	    extract(cache, image, file, out.fd, watch, err) < 0)
		return -1;
	if (fl_blob_digest(out.fd, NULL, digest, err) < 0)
		return fl_err_prefix(err, "the extracted file");
	have = fl_durable_begin(&durable, cache->files, name, true, watch->cancel, err);
	if (have < 0)
		return -1;
	free(out.name);
	out.name = fl_strdup(name);
	if (have == 0 && fl_durable_publish(&durable, &out, err) < 0)
		return -1;
	if (symlinkat(name, cache->files, question) < 0 && errno != EEXIST)
		return fl_err_errno(err, errno, "files/%s: cannot be made", question);
	return 0;
}

/* What the link says, when the file behind it is good. */
static bool find_file(struct fl_cache *cache, const char *question, char name[128])
{
	ssize_t len = readlinkat(cache->files, question, name, 127);

	if (len <= 0)
		return false;
	name[len] = 0;
	return fl_durable_is_good(cache->files, name);
}

/* The name of the link. By the layers' own digests, which are what was read: what they say of
 * their tars is not looked at when one file is taken. */
static void ask(const struct fl_image *image, const char *file, char question[QUESTION])
{
	fl_cleanup_str struct fl_str asked = FL_STR_INIT;
	char hex[FL_SHA256_HEX];

	for (size_t i = 0; i < image->layer_count; i++)
		fl_str_addf(&asked, "%s\n", image->layers[i].digest);
	fl_str_add(&asked, file);
	fl_sha256_hex(asked.data, asked.len, hex);
	snprintf(question, QUESTION, "of-%s", hex);
}

int fl_cache_file(struct fl_cache *cache, const struct fl_image *image, const char *file,
		  const struct fl_cache_watch *watch, char **path, struct fl_err *err)
{
	fl_cleanup_close int lock = fl_store_lock(&cache->store, false, err);
	char question[QUESTION], name[128];

	ask(image, file, question);
	if (lock < 0)
		return -1;
	if (!find_file(cache, question, name)) {
		unlinkat(cache->files, question, 0);
		if (keep_file(cache, question, image, file, watch, err) < 0)
			return -1;
		if (!find_file(cache, question, name))
			return fl_err_set(err, FL_ERR_BUSY, "%s: was taken away meanwhile", file);
	}
	*path = fl_asprintf("%s/files/%s", cache->dir, name);
	return 0;
}

int fl_cache_write_file(struct fl_cache *cache, const struct fl_image *image, const char *file,
			int fd, const struct fl_cache_watch *watch, struct fl_err *err)
{
	fl_cleanup_close int lock = fl_store_lock(&cache->store, false, err);
	fl_cleanup_close int from = -1;
	char question[QUESTION], name[128];
	enum fl_copy_kind how;

	ask(image, file, question);
	if (lock < 0)
		return -1;
	if (!find_file(cache, question, name))
		return extract(cache, image, file, fd, watch, err);
	from = openat(cache->files, name, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return fl_err_errno(err, errno, "files/%s: cannot be opened", name);
	return fl_copy_file(from, fd, file, watch->cancel, &how, err);
}
