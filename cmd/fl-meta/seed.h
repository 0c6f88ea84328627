/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What cloud-init is told, and the NoCloud seed disk that holds it.
 * Format: cloud-init's NoCloud data source.
 *
 *     fl_cleanup_seed struct fl_seed seed = { 0 };
 *     if (fl_seed_compose(record, &spec, &seed, err) < 0 ||
 *         fl_seed_write(&file, &seed, FL_DISK_VFAT, err) < 0)
 *             return -1;
 */
#pragma once

#include "cmd/fl-meta/disk.h"
#include "common/atomic.h"
#include "common/spec.h"

#define FL_SEED_LABEL "CIDATA" /* of the disk */

enum { FL_SEED_META, FL_SEED_USER, FL_SEED_VENDOR, FL_SEED_NETWORK, FL_SEED_FILES };

/* Their names, which are the keys of a spec's metadata, too. */
extern const char *const fl_seed_names[FL_SEED_FILES];

struct fl_seed {
	struct fl_str text[FL_SEED_FILES];
};

/* The bytes of a value of the metadata, "" when there is none. */
void fl_seed_decode(const struct fl_spec *spec, const char *key, struct fl_str *out);

/* The user's files, with what the host has to add. */
int fl_seed_compose(const fl_json *record, const struct fl_spec *spec, struct fl_seed *seed,
		    struct fl_err *err);

/* Into a file that is open for writing aside; publishes it. */
int fl_seed_write(struct fl_atomic *file, const struct fl_seed *seed, enum fl_disk_format format,
		  struct fl_err *err);

void fl_seed_finish(struct fl_seed *seed);
#define fl_cleanup_seed FL_CLEANUP(fl_seed_finish)
