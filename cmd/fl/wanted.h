/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The specs of a folder, or of one file: all of them read and checked before anything is done.
 *
 *     fl_cleanup_wanted struct fl_wanted wanted = FL_WANTED_INIT;
 *     if (fl_wanted_read(&wanted, "microvms", err) < 0) return -1;
 *     fl_wanted_each(&wanted, plan_one, plan, err);
 */
#pragma once

#include "common/spec.h"
#include "common/vec.h"

struct fl_wanted {
	FL_VEC(struct fl_wanted_one {
		char *file;
		fl_json *spec; /* canonical */
	}) all;
};

#define FL_WANTED_INIT { { 0 } }

/* A file, or a folder's files NAME.json, .jsonl, .yaml and .yml in the order of their names, each
 * with one spec or more. FL_ERR_INVALID when one is wrong or has none, or two are of one name. */
int fl_wanted_read(struct fl_wanted *wanted, const char *path, struct fl_err *err);

bool fl_wanted_has(const struct fl_wanted *wanted, const char *name_space, const char *name);

/* The first that each returns -1 for ends it. */
int fl_wanted_each(const struct fl_wanted *wanted,
		   int (*each)(void *arg, fl_json *spec, struct fl_err *err), void *arg,
		   struct fl_err *err);

void fl_wanted_finish(struct fl_wanted *wanted);
#define fl_cleanup_wanted FL_CLEANUP(fl_wanted_finish)
