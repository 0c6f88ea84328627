/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/scan.h"

#include "cmd/fl-snap/blob.h"
#include "common/io.h"
#include "common/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_KEPT (1ull << 30) /* bytes of a file that may be another's in the end */
#define BLOCK 4096

void fl_scan_output_init(struct fl_scan_output *output, int fd, size_t count)
{
	*output = (struct fl_scan_output){ .fd = fd, .settled = count };
	pthread_mutex_init(&output->mutex, NULL);
	pthread_cond_init(&output->changed, NULL);
}

void fl_scan_output_finish(struct fl_scan_output *output)
{
	pthread_cond_destroy(&output->changed);
	pthread_mutex_destroy(&output->mutex);
}

static int take_entry(struct fl_scan *scan, const struct fl_tar_entry *from, uint64_t number,
		      struct fl_err *err)
{
	size_t before = scan->arena.size;
	struct fl_entry entry = { .path = fl_tree_clean(&scan->arena, from->path) };

	if (entry.path && from->hard_link)
		entry.hard_link = fl_tree_clean(&scan->arena, from->hard_link);
	if (!entry.path || (from->hard_link && !entry.hard_link))
		return fl_err_set(err, FL_ERR_CORRUPT, "layer %s: entry \"%.300s\": leaves the image "
				  "with \"..\"", fl_path_last(scan->layer->path), from->path);
	if (!from->hard_link) {
		entry.inode = fl_arena_zero(&scan->arena, sizeof(*entry.inode));
		entry.inode->mode = (uint16_t)from->mode;
		entry.inode->size = from->size;
		entry.inode->extent_count = scan->number;
		entry.inode->first_block = number;
		if (S_ISLNK(from->mode) && from->symlink)
			entry.inode->symlink = fl_arena_text(&scan->arena, from->symlink,
							     strlen(from->symlink));
	}
	FL_VEC_ADD(&scan->names, entry);
	fl_sought_look(&scan->sought, &entry);
	return fl_budget_memory(&scan->budget, scan->arena.size - before, err);
}

/* Kernels are full of zeros. */
static int write_data(int fd, const char *data, size_t size, uint64_t offset, struct fl_err *err)
{
	size_t from = 0, at = 0;

	while (at < size) {
		size_t step = BLOCK - (offset + at) % BLOCK;
		size_t end = size - at < step ? size : at + step;
		bool zero = fl_io_is_zero(data + at, end - at);

		if (zero && at > from &&
		    fl_io_pwrite(fd, data + from, at - from, offset + from, "the file", err) < 0)
			return -1;
		from = zero ? end : from;
		at = end;
	}
	return fl_io_pwrite(fd, data + from, size - from, offset + from, "the file", err);
}

int fl_scan_copy_data(struct fl_tar *tar, uint64_t size, int fd, struct fl_err *err)
{
	const void *data;
	uint64_t offset;
	ssize_t got;

	if (fl_io_make_empty(fd, "the file", err) < 0)
		return -1;
	if (ftruncate(fd, (off_t)size) < 0)
		return fl_err_errno(err, errno, "the file cannot be written");
	while ((got = fl_tar_data(tar, &data, &offset, err)) > 0)
		if (write_data(fd, data, (size_t)got, offset, err) < 0)
			return -1;
	return (int)got;
}

/* Until those above have had their word. */
static int wait_for_turn(struct fl_scan *scan, struct fl_err *err)
{
	struct fl_scan_output *output = scan->output;

	pthread_mutex_lock(&output->mutex);
	while (output->settled > scan->number + 1 && !atomic_load(&scan->budget.stop))
		pthread_cond_wait(&output->changed, &output->mutex);
	pthread_mutex_unlock(&output->mutex);
	return fl_budget_check_stop(&scan->budget, err);
}

/* Most often the file has the very name that was asked for, and the uppermost one counts. */
static int keep_data(struct fl_scan *scan, struct fl_tar *tar, struct fl_err *err)
{
	const struct fl_entry *entry = &scan->names.items[scan->names.count - 1];

	if (!fl_sought_is(&scan->sought, entry) || entry->inode->size > MOST_KEPT)
		return 0;
	if (wait_for_turn(scan, err) < 0)
		return -1;
	if (scan->output->kept)
		return 0;
	scan->kept = entry->inode;
	return fl_scan_copy_data(tar, entry->inode->size, scan->output->fd, err);
}

static int read_names(struct fl_scan *scan, struct fl_err *err)
{
	const struct fl_base_layer *layer = scan->layer;
	struct fl_tar *tar = fl_tar_open(layer->path, layer->digest ? NULL : layer->diff_id,
					 &scan->budget, err);
	struct fl_tar_entry entry;
	uint64_t at = 0;
	int more = tar ? 1 : -1;

	while (more > 0 && (more = fl_tar_next(tar, &entry, err)) > 0)
		if (fl_budget_entry(&scan->budget, err) < 0 ||
		    take_entry(scan, &entry, at++, err) < 0 || keep_data(scan, tar, err) < 0)
			more = -1;
	fl_tar_close(tar);
	return more < 0 ? -1 : 0;
}

/* Of a blob that is not what it should be, that is what is said, whatever came of it. */
static int scan_layer(struct fl_scan *scan, struct fl_err *err)
{
	const struct fl_base_layer *layer = scan->layer;
	struct fl_err why = { 0 };
	struct fl_blob_check *check =
		layer->digest ? fl_blob_check(layer->path, layer->digest, &scan->budget) : NULL;
	int rc = read_names(scan, &why);
	bool is_other = rc < 0 && why.kind != FL_ERR_CORRUPT;

	if (is_other)
		atomic_store(&scan->budget.stop, true);
	if (check && fl_blob_checked(check, is_other ? NULL : &why) < 0)
		rc = -1;
	return rc < 0 ? fl_err_pass(err, &why) : 0;
}

static void *run(void *arg)
{
	struct fl_scan *scan = arg;

	scan->rc = scan_layer(scan, &scan->fault);
	return NULL;
}

void fl_scan_start(struct fl_scan *scan)
{
	scan->is_started = true;
	scan->has_thread = pthread_create(&scan->thread, NULL, run, scan) == 0;
}

int fl_scan_join(struct fl_scan *scan, struct fl_err *err)
{
	/* Where no thread can be had it is done now. */
	if (scan->has_thread)
		pthread_join(scan->thread, NULL);
	else
		run(scan);
	scan->is_started = false;
	return scan->rc < 0 ? fl_err_pass(err, &scan->fault) : 0;
}

void fl_scan_settle(struct fl_scan *scan)
{
	struct fl_scan_output *output = scan->output;

	pthread_mutex_lock(&output->mutex);
	output->settled = scan->number;
	if (scan->kept)
		output->kept = scan->kept;
	pthread_cond_broadcast(&output->changed);
	pthread_mutex_unlock(&output->mutex);
}

static void stop(struct fl_scan *scan)
{
	pthread_mutex_lock(&scan->output->mutex);
	atomic_store(&scan->budget.stop, true);
	pthread_cond_broadcast(&scan->output->changed);
	pthread_mutex_unlock(&scan->output->mutex);
}

void fl_scan_finish(struct fl_scan *scan)
{
	if (scan->is_started && scan->has_thread) {
		stop(scan);
		pthread_join(scan->thread, NULL);
	}
	free(scan->names.items);
	fl_arena_finish(&scan->arena);
}
