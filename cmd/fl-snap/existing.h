/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A volume that is there already: it is the microVM's own and never made again, whatever the spec says
 * now, as its content cannot be had back. It may grow.
 *
 *     if (fl_existing_find(record, &call, &existing, err) < 0 ||
 *         fl_existing_check(&call, &existing, &base_mib, err) < 0) return -1;
 *     ... existing.backend makes what is missing of it, from a base of base_mib ...
 *     if (fl_existing_grow(&call, &existing, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-snap/backend.h"

struct fl_existing {
	const struct fl_backend *backend; /* NULL: there is none */
	const fl_json *note; /* in the record; a kill may have come before it */
	uint64_t mib;        /* that the spec had when it was noted; 0: not noted */
};

int fl_existing_find(const fl_json *record, const struct fl_volume_call *call,
		     struct fl_existing *existing, struct fl_err *err);

/* FL_ERR_PRECONDITION when it was made from another image, or is read-only and would grow;
 * FL_ERR_INVALID when it would become smaller. base_mib: left as it is where it is not known. */
int fl_existing_check(const struct fl_volume_call *call, struct fl_existing *existing,
		      uint64_t *base_mib, struct fl_err *err);

/* By the spec's word, once: "fl-snap grow" may have gone further since. */
int fl_existing_grow(const struct fl_volume_call *call, const struct fl_existing *existing,
		     struct fl_err *err);
