/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/thin/pools.h"

#include "cmd/fl-snap/thin/base.h"
#include "common/alloc.h"
#include "common/atomic.h"
#include "common/log.h"

#include <string.h>

struct walk {
	const struct fl_site *site;
	struct fl_table *table;
	struct fl_garbage *garbage;
	struct fl_thin_pool *pool;
	const char *name;   /* of the base that goes */
	uint64_t bases, volumes;
	bool seen; /* the pool that new volumes go to, or a base that went */
};

static void show_row(struct walk *walk, const struct fl_thin_row *row)
{
	fl_json *out = fl_json_new_object();
	const char *kind = fl_thin_row_is_volume(row) ? "volumes" : "thin";

	fl_json_set(out, "kind", fl_json_new_text(kind));
	fl_json_set(out, "name", fl_json_new_text(row->name));
	fl_json_set(out, "size", fl_json_new_int((int64_t)(row->sectors * FL_SECTOR)));
	fl_json_set(out, "used", fl_json_new_int((int64_t)row->used));
	fl_json_set(out, "pool", fl_json_new_text(walk->pool->name));
	fl_table_row(walk->table, out);
}

static int list_row(void *arg, struct fl_thin_row *row, struct fl_err *err)
{
	(void)err;
	if (!fl_thin_row_is_volume(row))
		show_row(arg, row);
	return 0;
}

/* Opens the folder of a key; a pool that is not there has its folder all the same, and missing
 * says why it is not. */
static int open_key(struct walk *walk, const char *key, struct fl_thin_pool *pool,
		    struct fl_err *missing, struct fl_err *err)
{
	walk->pool = pool;
	*missing = (struct fl_err){ 0 };
	if (fl_thin_pool_open_key(pool, walk->site->state_dir, key, missing) < 0 && pool->dirfd < 0)
		return fl_err_pass(err, missing);
	return 0;
}

static int list_key(void *arg, const char *key, struct fl_err *err)
{
	fl_cleanup_thin_pool struct fl_thin_pool pool = FL_THIN_POOL_INIT;
	struct fl_err missing;

	if (open_key(arg, key, &pool, &missing, err) < 0)
		return -1;
	return fl_thin_row_each(&pool, list_row, arg, err);
}

int fl_thin_list(const struct fl_site *site, struct fl_table *table, struct fl_err *err)
{
	struct walk walk = { .site = site, .table = table };

	return fl_thin_pool_each_key(site->state_dir, list_key, &walk, err);
}

static int remove_from(void *arg, const char *key, struct fl_err *err)
{
	struct walk *walk = arg;
	fl_cleanup_thin_pool struct fl_thin_pool pool = FL_THIN_POOL_INIT;
	fl_cleanup_thin_row struct fl_thin_row row = { 0 };
	struct fl_err why = { 0 };
	bool missing = fl_thin_pool_open_key(&pool, walk->site->state_dir, key, &why) < 0;
	int found = pool.dirfd < 0 ? 0 : fl_thin_row_find(&pool, walk->name, &row, err);

	if (found <= 0)
		return found;
	if (missing)
		return fl_err_pass(err, &why);
	walk->seen = true;
	return fl_thin_base_delete(&pool, &row, err);
}

int fl_thin_remove_base(const struct fl_site *site, const char *name, struct fl_err *err)
{
	struct walk walk = { .site = site, .name = name };

	if (fl_thin_pool_each_key(site->state_dir, remove_from, &walk, err) < 0)
		return -1;
	return walk.seen;
}

/* Volumes without a microVM, bases without an image, and what was never finished. */
static bool is_garbage(const struct fl_garbage *garbage, const struct fl_thin_row *row)
{
	size_t len = strcspn(row->name, fl_thin_row_is_volume(row) ? "/" : "-");
	fl_cleanup_free char *owner = fl_strndup(row->name, len);

	if (fl_thin_row_is_volume(row))
		return !fl_json_get(garbage->uids, owner);
	return row->state != FL_THIN_READY || !fl_json_get(garbage->chains, owner);
}

static int collect_row(void *arg, struct fl_thin_row *row, struct fl_err *err)
{
	struct walk *walk = arg;

	if (!is_garbage(walk->garbage, row))
		return 0;
	show_row(walk, row);
	if (walk->garbage->is_dry)
		return 0;
	return fl_thin_row_is_volume(row) ? fl_thin_delete(walk->pool, row, err)
					  : fl_thin_base_delete(walk->pool, row, err);
}

static int collect_key(void *arg, const char *key, struct fl_err *err)
{
	fl_cleanup_thin_pool struct fl_thin_pool pool = FL_THIN_POOL_INIT;
	struct walk *walk = arg;
	struct fl_err missing;

	if (open_key(walk, key, &pool, &missing, err) < 0)
		return -1;
	if (missing.kind != FL_ERR_NONE) {
		fl_log(FL_LOG_WARN, "thin pool %s is not there, and left as it is", pool.name);
		return 0;
	}
	if (!walk->garbage->is_dry)
		fl_atomic_sweep(pool.dirfd);
	return fl_thin_row_each(&pool, collect_row, walk, err);
}

int fl_thin_collect(struct fl_garbage *garbage, struct fl_err *err)
{
	struct walk walk = { .site = garbage->site, .table = garbage->table, .garbage = garbage };

	return fl_thin_pool_each_key(garbage->site->state_dir, collect_key, &walk, err);
}

static int count_row(void *arg, struct fl_thin_row *row, struct fl_err *err)
{
	struct walk *walk = arg;

	(void)err;
	if (fl_thin_row_is_volume(row))
		walk->volumes++;
	else
		walk->bases++;
	return 0;
}

static void add_numbers(fl_json *row, const struct fl_thin_pool *pool,
			const struct fl_thin_pool_state *state)
{
	const struct fl_mapper_pool_status *status = &state->status;

	fl_json_set(row, "size", fl_json_new_int((int64_t)(status->data_total * pool->block)));
	fl_json_set(row, "used", fl_json_new_int((int64_t)(status->data_used * pool->block)));
	fl_json_set(row, "metadata_size", fl_json_new_int((int64_t)status->metadata_total * FL_THIN_METADATA_BLOCK));
	fl_json_set(row, "metadata_used", fl_json_new_int((int64_t)status->metadata_used * FL_THIN_METADATA_BLOCK));
	fl_json_set(row, "block_size", fl_json_new_int((int64_t)pool->block));
	fl_json_set(row, "zeroes", fl_json_new_bool(!pool->leaves_stale));
	fl_json_set(row, "fails_when_full", fl_json_new_bool(status->fails_when_full));
}

static void add_pool(struct walk *walk, const struct fl_thin_pool *pool, const char *missing)
{
	fl_json *row = fl_json_new_object();
	struct fl_thin_pool_state state = { 0 };
	struct fl_err why = { 0 };

	fl_json_set(row, "backend", fl_json_new_text("thin"));
	fl_json_set(row, "name", fl_json_new_text(pool->name));
	if (!missing && fl_thin_pool_state(pool, &state, &why) < 0)
		missing = why.text;
	fl_json_set(row, "state",
		    fl_json_new_text(missing ? "missing" : fl_thin_health_name(state.health)));
	if (!missing)
		add_numbers(row, pool, &state);
	fl_json_set(row, "bases", fl_json_new_int((int64_t)walk->bases));
	fl_json_set(row, "volumes", fl_json_new_int((int64_t)walk->volumes));
	fl_json_set(row, "text", fl_json_new_text(missing ? missing : state.text));
	fl_table_row(walk->table, row);
}

static int status_key(void *arg, const char *key, struct fl_err *err)
{
	struct walk *walk = arg;
	fl_cleanup_thin_pool struct fl_thin_pool pool = FL_THIN_POOL_INIT;
	struct fl_err missing;

	if (open_key(walk, key, &pool, &missing, err) < 0)
		return -1;
	walk->bases = walk->volumes = 0;
	if (fl_thin_row_each(&pool, count_row, walk, err) < 0)
		return -1;
	add_pool(walk, &pool, missing.kind != FL_ERR_NONE ? missing.text : NULL);
	walk->seen |= walk->name && strcmp(walk->name, pool.key) == 0;
	return 0;
}

int fl_thin_status(const struct fl_site *site, struct fl_table *table, struct fl_err *err)
{
	struct fl_thin_pool pool = FL_THIN_POOL_INIT;
	struct walk walk = { .site = site, .table = table };
	int found = fl_thin_pool_find(site->pool, &pool, NULL);

	walk.name = found > 0 ? pool.key : NULL;
	if (fl_thin_pool_each_key(site->state_dir, status_key, &walk, err) < 0)
		return -1;
	walk.bases = walk.volumes = 0;
	if (found > 0 && !walk.seen)
		add_pool(&walk, &pool, NULL);
	return 0;
}
