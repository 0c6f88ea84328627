/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table of device ids in a pool: one file per id, STATE/thin/KEY/ID. It is on disk before
 * the pool is asked to make the device, so that whatever a kill or a power loss left there is
 * found, and nothing of a stranger's is taken for ours.
 *
 *     struct fl_thin_row row = { .name = fl_strdup("01J…/root"), … };
 *     int found = fl_thin_row_find(&pool, "01J…/root", &row, err);
 *     for (unsigned turn = 0; fl_thin_row_claim(&pool, &row, &turn, err) == 0;) {
 *             create the device row.id; when a stranger has it: fl_thin_row_drop, and on
 *     }
 *     row.state = FL_THIN_READY;
 *     fl_thin_row_save(&pool, &row, true, err);
 *
 * Ids are in the upper half of the 24 bits: others count from 0 up. Where a name's search
 * starts is made of its SHA-256, so that no list has to be read to find it.
 */
#pragma once

#include "cmd/fl-snap/thin/pool.h"
#include "common/uuid.h"

#define FL_THIN_TURNS 64 /* ids that a name may have */

enum fl_thin_state {
	FL_THIN_CREATING, /* the device may be there, with nothing of its own in it */
	FL_THIN_FILLING,  /* it is there and ours; its content is not whole */
	FL_THIN_READY,
	FL_THIN_REMOVING
};

struct fl_thin_row {
	uint32_t id; /* in the pool; 0: none yet */
	enum fl_thin_state state;
	char *name;   /* of a base, or UID/VOLUME; owned */
	char *device; /* of device-mapper, when it is switched on; owned */
	char *base;   /* of a volume: the base's name; owned, may be NULL */
	struct fl_uuid uuid;      /* of the file system that we wrote */
	struct fl_uuid base_uuid; /* and of the one that it is a snapshot of */
	uint64_t sectors;
	uint64_t used; /* bytes of a base's content */
	bool read_only;
};

void fl_thin_row_finish(struct fl_thin_row *row);
#define fl_cleanup_thin_row FL_CLEANUP(fl_thin_row_finish)

/* Whether it is a microVM's, and not a base. */
bool fl_thin_row_is_volume(const struct fl_thin_row *row);

/* 1 found, 0 not, -1. Row is zeroed first; caller finishes. */
int fl_thin_row_find(const struct fl_thin_pool *pool, const char *name, struct fl_thin_row *row,
		     struct fl_err *err);

/* Takes the first free id from the turn-th on and notes the row on disk as being created;
 * *turn becomes the next one. FL_ERR_EXHAUSTED after the last. */
int fl_thin_row_claim(const struct fl_thin_pool *pool, struct fl_thin_row *row, unsigned *turn,
		      struct fl_err *err);

int fl_thin_row_save(const struct fl_thin_pool *pool, const struct fl_thin_row *row, bool sync,
		     struct fl_err *err);

/* Takes the row out of the table; the device is another matter. */
int fl_thin_row_drop(const struct fl_thin_pool *pool, struct fl_thin_row *row,
		     struct fl_err *err);

/* Calls each for every row, in no order; goes on until it returns -1. */
int fl_thin_row_each(const struct fl_thin_pool *pool,
		     int (*each)(void *arg, struct fl_thin_row *row, struct fl_err *err),
		     void *arg, struct fl_err *err);
