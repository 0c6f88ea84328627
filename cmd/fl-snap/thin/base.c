/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/thin/base.h"

#include "cmd/fl-snap/thin/fill.h"
#include "common/alloc.h"
#include "common/lock.h"
#include "common/ulid.h"

#include <string.h>

#define TRY_EVERY_MS 20

static char *lock_name(const char *name)
{
	return fl_asprintf(".lock-%s", name);
}

/* Two who want one base make it once. */
static int lock_base(const struct fl_thin_pool *pool, const char *name,
		     const struct fl_cancel *cancel, struct fl_err *err)
{
	fl_cleanup_free char *file = lock_name(name);
	struct fl_err why = { 0 };
	int lock;

	while ((lock = fl_lock_file(pool->dirfd, file, FL_LOCK_EXCLUSIVE, 0, &why)) < 0) {
		if (why.kind != FL_ERR_BUSY)
			return fl_err_pass(err, &why);
		if (fl_cancel_wait(cancel, -1, TRY_EVERY_MS, err) < 0)
			return -1;
	}
	return lock;
}

static void init_row(const struct fl_volume_call *call, const char *name, struct fl_thin_row *base)
{
	char random[FL_ULID_TEXT];

	fl_thin_row_finish(base);
	fl_ulid_new(random);
	base->name = fl_strdup(name);
	base->device = fl_asprintf("fl-base-%s", random);
	base->sectors = (call->mib << 20) / FL_SECTOR;
	fl_uuid_of("base", call->image->chain_id, &base->uuid);
}

/* Whether the pool has a device of the row's id, whoever made it: 1, 0, -1. */
static int is_taken(const struct fl_thin_pool *pool, const struct fl_thin_row *base,
		    struct fl_err *err)
{
	struct fl_err why = { 0 };

	if (fl_thin_on(pool, base, true, &why) < 0)
		return errno == ENODATA ? 0 : fl_err_pass(err, &why);
	return fl_thin_off(base, err) < 0 ? -1 : 1;
}

/* An empty device under an id that no stranger has; its row is on disk before it is made. */
static int create(const struct fl_thin_pool *pool, struct fl_thin_row *base, struct fl_err *err)
{
	for (unsigned turn = 0;;) {
		int taken;

		if (fl_thin_row_claim(pool, base, &turn, err) < 0)
			return -1;
		taken = is_taken(pool, base, err);
		if (taken < 0)
			return -1;
		if (!taken && fl_thin_pool_send(pool, err, "create_thin %u", base->id) == 0)
			return 0;
		if (!taken && errno != EEXIST) {
			fl_thin_row_drop(pool, base, NULL);
			return -1;
		}
		if (fl_thin_row_drop(pool, base, err) < 0)
			return -1;
	}
}

/* From here on the device is ours without a doubt, whatever is in it. */
static int write_content(const struct fl_thin_pool *pool, const struct fl_volume_call *call,
			 int from, struct fl_thin_row *base, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_thin_path(base);

	base->state = FL_THIN_FILLING;
	if (fl_thin_row_save(pool, base, true, err) < 0 || fl_thin_on(pool, base, false, err) < 0 ||
	    fl_fill(from, path, pool->block, call->watch->cancel, &base->used, err) < 0 ||
	    fl_thin_off(base, err) < 0)
		return -1;
	base->state = FL_THIN_READY;
	return fl_thin_row_save(pool, base, true, err);
}

static int make(const struct fl_thin_pool *pool, const struct fl_volume_call *call,
		const char *name, struct fl_thin_row *base, struct fl_err *err)
{
	fl_cleanup_close int from = fl_cache_base_fd(call->cache, call->image, call->mib,
						     call->watch, err);
	uint64_t used;

	if (from < 0 || fl_fill_measure(from, pool->block, &used, err) < 0 ||
	    fl_thin_pool_check(pool, used, err) < 0)
		return -1;
	init_row(call, name, base);
	if (create(pool, base, err) < 0)
		return -1;
	if (write_content(pool, call, from, base, err) == 0)
		return 0;
	fl_thin_delete(pool, base, NULL);
	return -1;
}

/* What a killed maker left is taken away: the content is had again from the image. */
static int find_ready(const struct fl_thin_pool *pool, const char *name, struct fl_thin_row *base,
		      struct fl_err *err)
{
	int found = fl_thin_row_find(pool, name, base, err);

	if (found <= 0 || base->state == FL_THIN_READY)
		return found;
	if (fl_thin_delete(pool, base, err) < 0)
		return -1;
	return 0;
}

int fl_thin_base(const struct fl_thin_pool *pool, const struct fl_volume_call *call,
		 const char *name, struct fl_thin_row *base, struct fl_err *err)
{
	fl_cleanup_close int lock = -1;
	int found = fl_thin_row_find(pool, name, base, err);

	if (found < 0 || (found && base->state == FL_THIN_READY))
		return found < 0 ? -1 : 0;
	fl_thin_row_finish(base);
	lock = lock_base(pool, name, call->watch->cancel, err);
	found = lock < 0 ? -1 : find_ready(pool, name, base, err);
	if (found != 0)
		return found < 0 ? -1 : 0;
	return make(pool, call, name, base, err);
}

int fl_thin_base_delete(const struct fl_thin_pool *pool, struct fl_thin_row *base,
			struct fl_err *err)
{
	fl_cleanup_free char *lock = lock_name(base->name);

	if (fl_thin_delete(pool, base, err) < 0)
		return -1;
	unlinkat(pool->dirfd, lock, 0);
	return 0;
}
