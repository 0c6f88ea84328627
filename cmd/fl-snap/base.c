/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/base.h"

#include "cmd/fl-snap/inflate.h"
#include "cmd/fl-snap/layer.h"
#include "cmd/fl-snap/regions.h"
#include "common/alloc.h"
#include "common/io.h"
#include "common/path.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1ull << 20)
#define SMALLEST (8 * MIB)
#define MOST_THREADS 16
#define PER_INODE (18ull << 10) /* bytes: ext4 has one in 16 KiB */
#define MOST_TRIES 16

struct build {
	const struct fl_base_options *options;
	const struct fl_base_layer *layers;
	struct fl_layer_load *loads;
	size_t count;
	uint64_t *sizes; /* of the tars, rounded: a guess until all were read */
	bool in_a_row;   /* one layer, or a disk that has no room for regions */
	size_t *order;   /* largest first */
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

static void sort_by_size(struct build *build)
{
	const struct fl_base_layer *layers = build->layers;

	for (size_t i = 0; i < build->count; i++) {
		size_t at = i;

		for (; at && packed_size(&layers[build->order[at - 1]]) < packed_size(&layers[i]); at--)
			build->order[at] = build->order[at - 1];
		build->order[at] = i;
	}
}

static void take_region(struct fl_layer_load *load, uint64_t want)
{
	uint64_t count = fl_disk_take(load->disk, want, &load->next);

	load->end = load->next + count;
}

static void give_rest(struct fl_layer_load *load)
{
	fl_disk_give(load->disk, load->next, load->end - load->next);
}

/* Each layer into a region of its own. */
static void load_side_by_side(struct build *build, struct fl_disk *disk)
{
	uint64_t *wants = fl_alloc_zero(build->count, sizeof(*wants));

	fl_regions_share(build->sizes, build->count, fl_disk_blocks(disk), wants);
	for (size_t i = 0; i < build->count; i++)
		take_region(&build->loads[i], wants[i]);
	free(wants);
	run_threads(build);
	for (size_t i = build->count; i; i--)
		give_rest(&build->loads[i - 1]);
}

/* One behind the other, none of the room lost. */
static void load_in_a_row(struct build *build)
{
	bool goes_on = true;

	for (size_t i = 0; i < build->count && goes_on; i++) {
		struct fl_err err = { 0 };

		take_region(&build->loads[i], UINT64_MAX);
		if (fl_layer_load(&build->loads[i], &err) < 0)
			fail(build, &err);
		give_rest(&build->loads[i]);
		goes_on = build->err.kind == FL_ERR_NONE && !build->loads[i].is_full;
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

enum outcome {
	BUILT,
	FAILED,
	TOO_SMALL,   /* the disk, or a layer's region */
	OTHER_SIZES, /* than were guessed, and now known: the regions would be others */
};

static bool learn_sizes(struct build *build)
{
	bool is_new = false;

	for (size_t i = 0; i < build->count; i++) {
		uint64_t size = fl_regions_round(build->loads[i].tar_size);

		is_new |= size != build->sizes[i];
		build->sizes[i] = size;
	}
	return is_new;
}

static bool is_full(const struct build *build)
{
	for (size_t i = 0; i < build->count; i++)
		if (build->loads[i].is_full)
			return true;
	return false;
}

static enum outcome settle(struct build *build, struct fl_disk *disk, struct fl_base_result *result,
			   struct fl_err *err)
{
	if (build->err.kind != FL_ERR_NONE) {
		fl_err_pass(err, &build->err);
		return FAILED;
	}
	/* Where neither the disk nor the regions follow from them, they do not count. */
	if (!(build->in_a_row && build->options->size) && learn_sizes(build))
		return OTHER_SIZES;
	if (is_full(build)) {
		fl_disk_refuse(disk, err);
		return TOO_SMALL;
	}
	if (emit(build, disk, result, err) == 0)
		return BUILT;
	return err->kind == FL_ERR_INVALID ? TOO_SMALL : FAILED;
}

static void prepare(struct build *build, struct fl_disk *disk)
{
	const struct fl_base_options *options = build->options;
	uint64_t total = 0;

	build->next = 0;
	build->done = 0;
	build->budget = (struct fl_budget){ .max_bytes = options->max_bytes,
					    .max_entries = options->max_entries,
					    .cancelled = options->cancelled, .arg = options->arg };
	for (size_t i = 0; i < build->count; i++)
		total += packed_size(&build->layers[i]);
	for (size_t i = 0; i < build->count; i++)
		build->loads[i] = (struct fl_layer_load){ .disk = disk, .layer = &build->layers[i],
							  .options = options, .budget = &build->budget,
							  .done = &build->done, .total = total };
}

static enum outcome build_at(struct build *build, int fd, const char *name,
			     struct fl_base_result *result, struct fl_err *err)
{
	struct fl_disk *disk;
	enum outcome outcome;

	if (fl_io_make_empty(fd, name, err) < 0)
		return FAILED;
	disk = fl_disk_create(fd, name, result->size, build->options->uuid, err);
	if (!disk)
		return err->kind == FL_ERR_INVALID ? TOO_SMALL : FAILED;
	prepare(build, disk);
	if (build->in_a_row)
		load_in_a_row(build);
	else
		load_side_by_side(build, disk);
	outcome = settle(build, disk, result, err);
	for (size_t i = 0; i < build->count; i++)
		fl_layer_finish(&build->loads[i]);
	fl_disk_destroy(disk);
	return outcome;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Until it fits. Each time all layers are read to their ends, and what comes out depends on what is
 * in them alone. The budget ends it before the tries do. */
static int build_until_it_fits(struct build *build, int fd, const char *name,
			       struct fl_base_result *result, struct fl_err *err)
{
	uint64_t asked = build->options->size, least = 0;
	struct fl_err why = { 0 };

	for (int tries = 0; tries < MOST_TRIES; tries++) {
		uint64_t likely = fl_regions_disk_size(build->sizes, build->count);

		*result = (struct fl_base_result){ .size = asked ? asked : larger(likely, least) };
		why = (struct fl_err){ 0 };
		switch (build_at(build, fd, name, result, &why)) {
		case BUILT:
			return 0;
		case FAILED:
			return fl_err_pass(err, &why);
		case OTHER_SIZES: /* once: what was read is known */
			fl_err_set(&why, FL_ERR_CORRUPT, "%s: the layers change while they are read", name);
			continue;
		case TOO_SMALL:
			break;
		}
		if (asked && build->in_a_row)
			break;
		build->in_a_row |= asked != 0;
		/* Tars of tiny files grow on a disk, and each wants an inode. */
		least = larger(result->size * 2, (result->entries * PER_INODE + MIB - 1) & ~(MIB - 1));
	}
	return fl_err_pass(err, &why);
}

static void guess_sizes(struct build *build)
{
	uint64_t most = build->options->max_bytes ? build->options->max_bytes : FL_BUDGET_BYTES;

	for (size_t i = 0; i < build->count; i++) {
		uint64_t guess = fl_inflate_guess(build->layers[i].path);

		build->sizes[i] = fl_regions_round(guess < most ? guess : most);
	}
}

int fl_base_build(int fd, const char *name, const struct fl_base_layer *layers, size_t count,
		  const struct fl_base_options *options, struct fl_base_result *result,
		  struct fl_err *err)
{
	struct build build = { .options = options, .layers = layers, .count = count,
			       .in_a_row = count == 1 };
	int rc;

	if (options->size && (options->size < SMALLEST || options->size % MIB))
		return fl_err_set(err, FL_ERR_INVALID, "%s: the size must be whole MiB, at least %llu",
				  name, SMALLEST / MIB);
	build.loads = fl_alloc_zero(count, sizeof(*build.loads));
	build.sizes = fl_alloc_zero(count, sizeof(*build.sizes));
	build.order = fl_alloc_zero(count, sizeof(*build.order));
	pthread_mutex_init(&build.mutex, NULL);
	sort_by_size(&build);
	guess_sizes(&build);
	rc = build_until_it_fits(&build, fd, name, result, err);
	pthread_mutex_destroy(&build.mutex);
	free(build.loads);
	free(build.sizes);
	free(build.order);
	return rc;
}
