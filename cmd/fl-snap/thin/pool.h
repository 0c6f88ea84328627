/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Thin pools: found by the names that flintlock's recipes and LVM give them, known again by
 * their UUID, asked how they are, told what to do. What we have in a pool is in
 * STATE/thin/KEY, one folder per pool.
 *
 *     struct fl_thin_pool pool = FL_THIN_POOL_INIT;
 *     int found = fl_thin_pool_find("flintlock/thinpool", &pool, err);   // 1, 0, -1
 *     fl_thin_pool_open(&pool, state_dir, true, err);
 *     fl_thin_pool_send(&pool, err, "create_thin %u", id);
 *     fl_thin_pool_close(&pool);
 *
 * A pool has other users, such as LVM and containerd: their devices are left alone, and so
 * is the pool's transaction id.
 */
#pragma once

#include "cmd/fl-snap/thin/mapper.h"
#include "common/cleanup.h"
#include "common/json.h"

struct fl_thin_pool {
	char name[FL_MAPPER_NAME]; /* of the device-mapper device */
	char key[FL_MAPPER_UUID + 8]; /* the same for as long as the pool is the same */
	uint32_t major, minor;
	uint64_t block;     /* bytes that are given out at once */
	uint64_t low_water; /* blocks; fewer are few */
	bool leaves_stale;  /* what was in a block before is seen where nothing was written */
	int dirfd;          /* STATE/thin/KEY; -1 before it is opened */
};

#define FL_THIN_POOL_INIT { .dirfd = -1 }

/* 1 found, 0 there is none, -1. asked: a device's name or VG/LV; NULL: those of the recipes.
 * What was asked for and is no thin pool is FL_ERR_PRECONDITION. */
int fl_thin_pool_find(const char *asked, struct fl_thin_pool *pool, struct fl_err *err);

/* Opens its folder; made: as far as it is missing, else FL_ERR_NOT_FOUND. */
int fl_thin_pool_open(struct fl_thin_pool *pool, const char *state_dir, bool make,
		      struct fl_err *err);
void fl_thin_pool_close(struct fl_thin_pool *pool);
#define fl_cleanup_thin_pool FL_CLEANUP(fl_thin_pool_close)

/* Opens the folder of a key, and finds its pool again; FL_ERR_PRECONDITION when that is not
 * there. The folder is open in both cases, and the name is the last known. */
int fl_thin_pool_open_key(struct fl_thin_pool *pool, const char *state_dir, const char *key,
			  struct fl_err *err);

/* Calls each for the key of every pool that has a folder; goes on until it returns -1. */
int fl_thin_pool_each_key(const char *state_dir,
			  int (*each)(void *arg, const char *key, struct fl_err *err), void *arg,
			  struct fl_err *err);

/* A message; -1 with errno as the kernel had it, and err says how the pool is. */
int fl_thin_pool_send(const struct fl_thin_pool *pool, struct fl_err *err, const char *fmt, ...)
	FL_PRINTF(3, 4);

#define FL_THIN_METADATA_BLOCK 4096 /* bytes, whatever the pool's own blocks are */

enum fl_thin_health {
	FL_THIN_OK,
	FL_THIN_LOW,       /* little data or metadata space is left */
	FL_THIN_FULL,      /* no data space is */
	FL_THIN_READ_ONLY, /* metadata ran out, or wants to be checked */
	FL_THIN_FAILED
};

struct fl_thin_pool_state {
	enum fl_thin_health health;
	struct fl_mapper_pool_status status;
	uint64_t free;  /* bytes */
	char text[320]; /* what is wrong and what to do; "" when all is well */
};

int fl_thin_pool_state(const struct fl_thin_pool *pool, struct fl_thin_pool_state *state,
		       struct fl_err *err);
const char *fl_thin_health_name(enum fl_thin_health health);

/* 0 when something of that many bytes can be made in it; FL_ERR_EXHAUSTED, FL_ERR_PRECONDITION. */
int fl_thin_pool_check(const struct fl_thin_pool *pool, uint64_t bytes, struct fl_err *err);

/* Likewise before a new volume: it logs, too, that space is low. */
int fl_thin_pool_admit(const struct fl_thin_pool *pool, uint64_t bytes, struct fl_err *err);
