/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/base.h"

#include "cmd/fl-snap/inflate.h"
#include "cmd/fl-snap/layer.h"
#include "common/alloc.h"
#include "common/io.h"
#include "common/path.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK FL_DISK_BLOCK
#define MIB (1ull << 20)
#define SMALLEST (8 * MIB)
#define MOST_THREADS 16
#define PER_INODE (18ull << 10) /* bytes: ext4 has one in 16 KiB */

struct build {
	const struct fl_base_options *options;
	struct fl_layer_load *loads;
	size_t count;
	size_t *order; /* largest first */
	atomic_size_t next;
	struct fl_budget budget;
	_Atomic uint64_t done;
	pthread_mutex_t mutex; /* of err */
	struct fl_err err;     /* the first failure */
};

static uint64_t packed_size(const struct fl_base_layer *layer)
{
	struct stat st;

	return stat(layer->path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* A tar has a header per file, a disk a partly filled block. */
static uint64_t blocks_of(uint64_t tar_size)
{
	return tar_size / BLOCK + tar_size / (2 * BLOCK) + 64;
}

static void fail(struct build *build, const struct fl_err *err)
{
	pthread_mutex_lock(&build->mutex);
	if (build->err.kind == FL_ERR_NONE)
		build->err = *err;
	pthread_mutex_unlock(&build->mutex);
	atomic_store(&build->budget.stop, true);
}

static void *work(void *arg)
{
	struct build *build = arg;

	for (;;) {
		size_t turn = atomic_fetch_add(&build->next, 1);
		struct fl_err err = { 0 };

		if (turn >= build->count)
			return NULL;
		if (fl_layer_load(&build->loads[build->order[turn]], &err) < 0)
			fail(build, &err);
	}
}

static void run_threads(struct build *build)
{
	unsigned want = build->options->threads ? build->options->threads : 2;
	pthread_t threads[MOST_THREADS];
	unsigned started = 0;

	want = want < build->count ? want : (unsigned)build->count;
	want = want < MOST_THREADS ? want : MOST_THREADS;
	/* The caller's thread works too, also when no other can be had. */
	while (started + 1 < want && pthread_create(&threads[started], NULL, work, build) == 0)
		started++;
	work(build);
	while (started)
		pthread_join(threads[--started], NULL);
}

static void sort_by_size(struct build *build, const struct fl_base_layer *layers)
{
	for (size_t i = 0; i < build->count; i++) {
		size_t at = i;

		for (; at && packed_size(&layers[build->order[at - 1]]) < packed_size(&layers[i]); at--)
			build->order[at] = build->order[at - 1];
		build->order[at] = i;
	}
}

/* What the layer may need, and no more than there is: files say of themselves what they like. */
static uint64_t region_of(const struct fl_base_layer *layer, uint64_t blocks)
{
	uint64_t want = blocks_of(fl_inflate_guess(layer->path));

	return want < blocks ? want : blocks;
}

/* Every layer its own region, bottom first, so that places do not depend on timing. Where
 * there is not room for all guesses, each gets its share. */
static void give_regions(struct build *build, struct fl_disk *disk,
			 const struct fl_base_layer *layers)
{
	uint64_t total = 0, wanted = 0, blocks = fl_disk_blocks(disk);

	for (size_t i = 0; i < build->count; i++) {
		total += packed_size(&layers[i]);
		wanted += region_of(&layers[i], blocks);
	}
	for (size_t i = 0; i < build->count; i++) {
		struct fl_layer_load *load = &build->loads[i];
		uint64_t want = region_of(&layers[i], blocks), count;

		*load = (struct fl_layer_load){ .disk = disk, .layer = &layers[i],
						.options = build->options, .budget = &build->budget,
						.done = &build->done, .total = total };
		if (wanted > blocks)
			want = (uint64_t)((double)want / (double)wanted * (double)blocks);
		if (want && fl_disk_take(disk, want, &load->next, &count, NULL) == 0)
			load->end = load->next + count;
	}
}

typedef FL_VEC(struct fl_extent) extents;

/* Neighbours become one: each is a call to the kernel. */
static void add_dead(extents *dead, const struct fl_extent *extent)
{
	struct fl_extent *last = dead->count ? &dead->items[dead->count - 1] : NULL;

	if (last && last->index + last->count == extent->index &&
	    last->count <= UINT32_MAX - extent->count)
		last->count += extent->count;
	else
		FL_VEC_ADD(dead, *extent);
}

/* Data of files that an upper layer hid: their inodes got no number. */
static void find_dead(const struct build *build, extents *dead)
{
	for (size_t i = 0; i < build->count; i++)
		for (size_t k = 0; k < build->loads[i].entries.count; k++) {
			const struct fl_inode *inode = build->loads[i].entries.items[k].inode;

			if (!inode || !S_ISREG(inode->mode) || inode->links)
				continue;
			for (uint32_t e = 0; e < inode->extent_count; e++)
				add_dead(dead, &inode->extents[e]);
		}
}

static int emit(struct build *build, struct fl_disk *disk, struct fl_base_result *result,
		struct fl_err *err)
{
	struct fl_tree tree;
	extents dead = { 0 };
	int rc = 0;

	fl_tree_init(&tree);
	for (size_t i = 0; rc == 0 && i < build->count; i++) {
		struct fl_layer_load *load = &build->loads[i];

		result->entries += load->entries.count;
		rc = fl_tree_apply(&tree, load->entries.items, load->entries.count,
				   fl_path_last(load->layer->path), err);
	}
	if (rc == 0) {
		find_dead(build, &dead);
		rc = fl_disk_emit(disk, &tree, dead.items, dead.count, err);
	}
	free(dead.items);
	fl_tree_finish(&tree);
	return rc;
}

static int build_on(struct fl_disk *disk, const struct fl_base_layer *layers, size_t count,
		    const struct fl_base_options *options, struct fl_base_result *result,
		    struct fl_err *err)
{
	struct build build = {
		.options = options, .count = count,
		.budget = { .max_bytes = options->max_bytes, .max_entries = options->max_entries,
			    .cancelled = options->cancelled, .arg = options->arg },
	};
	int rc;

	build.loads = fl_alloc_zero(count, sizeof(*build.loads));
	build.order = fl_alloc_zero(count, sizeof(*build.order));
	pthread_mutex_init(&build.mutex, NULL);
	sort_by_size(&build, layers);
	give_regions(&build, disk, layers);
	run_threads(&build);
	rc = build.err.kind == FL_ERR_NONE
		     ? emit(&build, disk, result, err)
		     : fl_err_pass(err, &build.err);
	for (size_t i = 0; i < count; i++)
		fl_layer_finish(&build.loads[i]);
	pthread_mutex_destroy(&build.mutex);
	free(build.loads);
	free(build.order);
	return rc;
}

/* What the content may need, for a caller who does not care. */
static uint64_t guess_size(const struct fl_base_layer *layers, size_t count)
{
	uint64_t blocks = 0;

	for (size_t i = 0; i < count; i++)
		blocks += blocks_of(fl_inflate_guess(layers[i].path));
	return (blocks * BLOCK + blocks * BLOCK / 8 + 80 * MIB) & ~(MIB - 1);
}

static int build_at(int fd, const char *name, uint64_t size, const struct fl_base_layer *layers,
		    size_t count, const struct fl_base_options *options,
		    struct fl_base_result *result, struct fl_err *err)
{
	struct fl_disk *disk;
	int rc;

	*result = (struct fl_base_result){ .size = size };
	if (fl_io_make_empty(fd, name, err) < 0)
		return -1;
	disk = fl_disk_create(fd, name, size, options->uuid, err);
	if (!disk)
		return -1;
	rc = build_on(disk, layers, count, options, result, err);
	fl_disk_destroy(disk);
	return rc;
}

int fl_base_build(int fd, const char *name, const struct fl_base_layer *layers, size_t count,
		  const struct fl_base_options *options, struct fl_base_result *result,
		  struct fl_err *err)
{
	uint64_t size = options->size ? options->size : guess_size(layers, count);
	struct fl_err why = { 0 };

	if (size < SMALLEST || size % MIB)
		return fl_err_set(err, FL_ERR_INVALID, "%s: the size must be whole MiB, at least %llu",
				  name, SMALLEST / MIB);
	/* A guess may be short: tar files of tiny files grow on a disk, and each wants an inode, and
	 * a gzip does not say how often 4 GiB there are. The budget ends it before the tries do. */
	for (int tries = 0; tries < 16; tries++) {
		if (build_at(fd, name, size, layers, count, options, result, &why) == 0)
			return 0;
		if (options->size || why.kind != FL_ERR_INVALID)
			break;
		size = size * 2 > result->entries * PER_INODE ? size * 2
							      : result->entries * PER_INODE;
		size = (size + MIB - 1) & ~(MIB - 1);
	}
	return fl_err_pass(err, &why);
}
