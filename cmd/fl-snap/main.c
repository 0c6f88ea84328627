/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/backend.h"
#include "cmd/fl-snap/copy.h"
#include "cmd/fl-snap/gc.h"
#include "cmd/fl-snap/kept.h"
#include "cmd/fl-snap/limits.h"
#include "cmd/fl-snap/uuid.h"
#include "cmd/fl-snap/volumes.h"
#include "common/alloc.h"
#include "common/arch.h"
#include "common/progress.h"
#include "common/reference.h"
#include "common/uuid.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

static const struct fl_step step = {
	.name = "snap", .up = fl_volumes_up, .down = fl_volumes_down, .plan = fl_volumes_plan,
	.claims = true
};

static int run_up(struct fl_args *args, struct fl_err *err)
{
	return fl_step_up(&step, args, err);
}

static int run_down(struct fl_args *args, struct fl_err *err)
{
	return fl_step_down(&step, args, err);
}

/* The image of a reference or digest, as the store has it. */
static int find_image(const struct fl_args *args, const struct fl_store *store, const char *text,
		      struct fl_image *image, struct fl_err *err)
{
	fl_cleanup_reference struct fl_reference reference = { 0 };
	fl_cleanup_json fl_json *found = NULL;
	const char *platform = fl_args_text(args, "platform", fl_arch_host()->platform);
	const char *digest = text;

	memset(image, 0, sizeof(*image));
	if (!fl_digest_is_valid(text)) {
		if (fl_reference_parse(text, &reference, err) < 0)
			return -1;
		found = fl_store_find(store, reference.text, platform);
		digest = fl_json_text(fl_json_get(found, "digest"));
	}
	if (!digest)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: not in the store for %s; \"fl-pull get "
				  "--platform %s %s\" brings it", text, platform, platform, text);
	return fl_image_load(store, digest, image, err);
}

/* --size in whole MiB; 0 when it is not given. */
static int take_mib(const struct fl_args *args, uint64_t *mib, struct fl_err *err)
{
	uint64_t size;

	if (fl_args_size(args, "size", 0, &size, err) < 0)
		return -1;
	*mib = (size + (1 << 20) - 1) >> 20;
	return 0;
}

static int run_export(struct fl_args *args, struct fl_err *err)
{
	const char *ref = args->operands.items[0], *path = args->operands.items[1];
	fl_cleanup_cache struct fl_cache cache = { .bases = -1, .files = -1 };
	fl_cleanup_image struct fl_image image = { 0 };
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	fl_cleanup_close int lock = -1;
	struct fl_progress bar;
	struct fl_cache_watch watch = { NULL, fl_progress_update, &bar };
	uint64_t mib;
	int rc;

	if (take_mib(args, &mib, err) < 0 ||
	    fl_cache_open(&cache, fl_args_state_dir(args), err) < 0 ||
	    fl_limits_take(args, &cache.limits, err) < 0 ||
	    fl_progress_start(&bar, path, args, err) < 0)
		return -1;
	lock = fl_store_lock(&cache.store, false, err);
	if (lock < 0 || find_image(args, &cache.store, ref, &image, err) < 0 ||
	    fl_atomic_open_path(&file, path, 0644, err) < 0)
		return -1;
	rc = fl_cache_build(&cache, file.fd, path, &image, mib, &watch, err);
	fl_progress_end(&bar);
	return rc < 0 ? -1 : fl_atomic_publish(&file, false, err);
}

static int run_create(struct fl_args *args, struct fl_err *err)
{
	const char *ref = args->operands.items[0], *path = args->operands.items[1];
	fl_cleanup_cache struct fl_cache cache = { .bases = -1, .files = -1 };
	fl_cleanup_image struct fl_image image = { 0 };
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	fl_cleanup_free char *base = NULL;
	fl_cleanup_close int from = -1;
	struct fl_progress bar;
	struct fl_cache_watch watch = { NULL, fl_progress_update, &bar };
	enum fl_copy_kind how;
	struct fl_uuid uuid;
	char random[FL_ULID_TEXT];
	uint64_t mib;
	int rc;

	if (take_mib(args, &mib, err) < 0 ||
	    fl_cache_open(&cache, fl_args_state_dir(args), err) < 0 ||
	    fl_limits_take(args, &cache.limits, err) < 0 ||
	    fl_progress_start(&bar, path, args, err) < 0 ||
	    find_image(args, &cache.store, ref, &image, err) < 0)
		return -1;
	mib = mib ? mib : fl_cache_default_mib(&image);
	rc = fl_cache_base(&cache, &image, mib, &watch, &base, err);
	fl_progress_end(&bar);
	if (rc < 0)
		return -1;
	from = open(base, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", base);
	fl_ulid_new(random);
	fl_uuid_of(random, path, &uuid);
	if (fl_atomic_open_path(&file, path, 0600, err) < 0 ||
	    fl_copy_file(from, file.fd, path, NULL, &how, err) < 0 ||
	    fl_ext4_set_uuid(file.fd, path, uuid.byte, err) < 0)
		return -1;
	fl_cache_settle_later(&cache);
	return fl_atomic_publish(&file, false, err);
}

/* As "up" keeps it; its name is told. */
static int keep_file(const struct fl_args *args, struct fl_cache *cache, const struct fl_image *image,
		     struct fl_err *err)
{
	fl_cleanup_free char *path = NULL;
	fl_cleanup_free char *line = NULL;
	struct fl_cache_watch watch = { 0 };

	if (fl_cache_file(cache, image, args->operands.items[1], &watch, &path, err) < 0)
		return -1;
	line = fl_asprintf("%s\n", path);
	return fl_cli_print(line, strlen(line), err);
}

static int run_file(struct fl_args *args, struct fl_err *err)
{
	const char *ref = args->operands.items[0], *path = args->operands.items[2];
	fl_cleanup_cache struct fl_cache cache = { .bases = -1, .files = -1 };
	fl_cleanup_image struct fl_image image = { 0 };
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	struct fl_cache_watch watch = { 0 };

	if (fl_cache_open(&cache, fl_args_state_dir(args), err) < 0 ||
	    fl_limits_take(args, &cache.limits, err) < 0 ||
	    find_image(args, &cache.store, ref, &image, err) < 0)
		return -1;
	if (args->operands.count < 3)
		return keep_file(args, &cache, &image, err);
	if (fl_atomic_open_path(&file, path, 0644, err) < 0 ||
	    fl_cache_write_file(&cache, &image, args->operands.items[1], file.fd, &watch, err) < 0)
		return -1;
	return fl_atomic_publish(&file, false, err);
}

#define SIZE_OPTION { "size", 's', "SIZE", "of the file system, such as 10G (in whole MiB)" }
#define PLATFORM_OPTION { "platform", 'p', "OS/ARCH", "the platform to take (this machine's)" }

static const struct fl_option up_options[] = { FL_STEP_UP_OPTIONS, FL_BACKEND_OPTIONS,
					       FL_LIMIT_OPTIONS, FL_PROGRESS_OPTION, { 0 } };
static const struct fl_option down_options[] = { FL_STEP_DOWN_OPTIONS, { 0 } };
static const struct fl_option make_options[] = { SIZE_OPTION, PLATFORM_OPTION, FL_LIMIT_OPTIONS,
						 FL_PROGRESS_OPTION, { 0 } };

static const struct fl_option file_options[] = { PLATFORM_OPTION, FL_LIMIT_OPTIONS, { 0 } };

static const struct fl_command commands[] = {
	{ "up", "[FILE…]", "make the disks of specs or records", up_options, 0, -1, run_up },
	{ "down", "[NAMESPACE/NAME|UID…]", "remove them", down_options, 0, -1, run_down },
	{ "create", "REF FILE", "a disk of its own from the image's base", make_options, 2, 2,
	  run_create },
	{ "export", "REF FILE", "write an image's file system as raw ext4", make_options, 2, 2,
	  run_export },
	{ "file", "REF PATH [FILE]", "take one file, such as a kernel, out of an image", file_options,
	  2, 3, run_file },
	{ "grow", "NAMESPACE/NAME|UID VOLUME SIZE", "make a volume larger", NULL, 3, 3,
	  fl_kept_grow },
	{ "rm", "NAME…", "remove bases or files from the cache", NULL, 1, -1, fl_kept_remove },
	{ "ls", "", "list bases and files", NULL, 0, 0, fl_kept_list },
	{ "gc", "", "remove what no image and no microVM leads to", fl_gc_options, 0, 0, fl_gc },
	{ "status", "", "say how the places of volumes are", fl_kept_status_options, 0, 0,
	  fl_kept_status },
	{ 0 },
};

static const struct fl_synonym synonyms[] = {
	{ "list", "ls" }, { "remove", "rm" }, { "delete", "rm" }, { "prune", "gc" },
	{ "resize", "grow" }, { 0 },
};

static const struct fl_program program = {
	.name = "fl-snap", .help = "images into disks of microVMs", .commands = commands,
	.synonyms = synonyms,
};

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
