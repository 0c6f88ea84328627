/* SPDX-License-Identifier: MPL-2.0 */
/* How a pool is, and what to do about it. */
#include "cmd/fl-snap/thin/pool.h"

#include "common/log.h"
#include "common/num.h"

#include <stdio.h>

#define FEW_PERCENT 20 /* LVM's profile of the recipe extends a pool at 80 % */
/* What one more device changes in the trees of a pool's metadata, and a commit copies, in blocks;
 * and what is noted of each mapped block when the leaves are half full, in bytes. */
#define METADATA_RESERVE 16
#define BYTES_PER_MAPPING 32

static bool has_little_metadata(const struct fl_mapper_pool_status *status)
{
	return status->metadata_total - status->metadata_used <
	       status->metadata_total * FEW_PERCENT / 100;
}

static bool is_low(const struct fl_thin_pool *pool, const struct fl_mapper_pool_status *status)
{
	uint64_t data = status->data_total - status->data_used;

	/* The recipe's mark is above all that a small pool has. */
	return (data <= pool->low_water && pool->low_water < status->data_total) ||
	       data < status->data_total * FEW_PERCENT / 100 ||
	       has_little_metadata(status);
}

static enum fl_thin_health judge(const struct fl_thin_pool *pool,
				 const struct fl_mapper_pool_status *status)
{
	if (status->failed)
		return FL_THIN_FAILED;
	if (status->needs_check || (status->read_only && !status->out_of_data))
		return FL_THIN_READ_ONLY;
	if (status->out_of_data || status->data_used >= status->data_total)
		return FL_THIN_FULL;
	return is_low(pool, status) ? FL_THIN_LOW : FL_THIN_OK;
}

const char *fl_thin_health_name(enum fl_thin_health health)
{
	static const char *const names[] = { "ok", "low", "full", "read-only", "failed" };

	return names[health];
}

static void explain(struct fl_thin_pool_state *state)
{
	const struct fl_mapper_pool_status *status = &state->status;
	static const char *const advice[] = {
		[FL_THIN_OK] = "",
		[FL_THIN_LOW] = "extend it (lvextend), or take microVMs away (fl down) and bases "
				"(fl-snap gc)",
		[FL_THIN_FULL] = "guests' writes fail or wait; extend it (lvextend), or take "
				 "microVMs away (fl down) and bases (fl-snap gc)",
		[FL_THIN_READ_ONLY] = "stop its users, switch it off, then lvconvert --repair, or "
				      "thin_repair and thin_check --clear-needs-check-flag",
		[FL_THIN_FAILED] = "stop its users, look at dmesg and its disks, then lvconvert "
				   "--repair or thin_repair",
	};
	/* What is aborted at the end gives a few blocks back. */
	bool ran_out = state->health == FL_THIN_READ_ONLY && has_little_metadata(status);
	char free[16];

	if (state->health == FL_THIN_OK)
		return;
	fl_num_print_size(state->free, free);
	snprintf(state->text, sizeof(state->text), "%s, %s and %llu %% of metadata are free: %s",
		 state->health == FL_THIN_LOW ? "low on space" : fl_thin_health_name(state->health),
		 free,
		 status->metadata_total ? (unsigned long long)((status->metadata_total -
				status->metadata_used) * 100 / status->metadata_total) : 0,
		 ran_out ? "it ran out of metadata; stop its users, switch it off, then lvconvert "
			   "--repair and lvextend --poolmetadatasize, or thin_repair to a larger "
			   "device and thin_check --clear-needs-check-flag"
			 : advice[state->health]);
}

int fl_thin_pool_state(const struct fl_thin_pool *pool, struct fl_thin_pool_state *state,
		       struct fl_err *err)
{
	*state = (struct fl_thin_pool_state){ 0 };
	if (fl_mapper_pool_status(pool->name, &state->status, err) < 0)
		return -1;
	state->free = (state->status.data_total - state->status.data_used) * pool->block;
	state->health = judge(pool, &state->status);
	explain(state);
	return 0;
}

/* A pool without metadata turns read-only under all of its guests; who begins something new is
 * stopped before. */
static int check_metadata(const struct fl_thin_pool *pool,
			  const struct fl_mapper_pool_status *status, uint64_t bytes,
			  struct fl_err *err)
{
	uint64_t left = status->metadata_total - status->metadata_used;
	uint64_t mappings = bytes / pool->block * BYTES_PER_MAPPING;
	uint64_t want = METADATA_RESERVE + mappings / FL_THIN_METADATA_BLOCK;
	char left_text[16], want_text[16];

	if (want <= left)
		return 0;
	fl_num_print_size(left * FL_THIN_METADATA_BLOCK, left_text);
	fl_num_print_size(want * FL_THIN_METADATA_BLOCK, want_text);
	return fl_err_set(err, FL_ERR_EXHAUSTED, "thin pool %s has %s of metadata left where %s are "
			  "needed; extend it (lvextend --poolmetadatasize), or take microVMs away "
			  "(fl down) and bases (fl-snap gc)", pool->name, left_text, want_text);
}

static int check(const struct fl_thin_pool *pool, const struct fl_thin_pool_state *state,
		 uint64_t bytes, struct fl_err *err)
{
	char want[16], have[16];

	if (state->health >= FL_THIN_FULL)
		return fl_err_set(err, state->health == FL_THIN_FULL ? FL_ERR_EXHAUSTED
								    : FL_ERR_PRECONDITION,
				  "thin pool %s is %s", pool->name, state->text);
	if (bytes > state->free) {
		fl_num_print_size(bytes, want);
		fl_num_print_size(state->free, have);
		return fl_err_set(err, FL_ERR_EXHAUSTED, "thin pool %s has %s left where %s are "
				  "needed; extend it (lvextend), or take microVMs away (fl down) "
				  "and bases (fl-snap gc)", pool->name, have, want);
	}
	return check_metadata(pool, &state->status, bytes, err);
}

int fl_thin_pool_check(const struct fl_thin_pool *pool, uint64_t bytes, struct fl_err *err)
{
	struct fl_thin_pool_state state;

	return fl_thin_pool_state(pool, &state, err) < 0 ? -1 : check(pool, &state, bytes, err);
}

int fl_thin_pool_admit(const struct fl_thin_pool *pool, uint64_t bytes, struct fl_err *err)
{
	struct fl_thin_pool_state state;

	if (fl_thin_pool_state(pool, &state, err) < 0)
		return -1;
	if (state.health == FL_THIN_LOW)
		fl_log(FL_LOG_WARN, "thin pool %s is %s", pool->name, state.text);
	return check(pool, &state, bytes, err);
}
