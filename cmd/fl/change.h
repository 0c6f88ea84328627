/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a microVM that is there can become. It is stopped for another spec, and must not be for one
 * that fl-snap or fl-net will refuse.
 *
 *     if (fl_change_check(&state, record, &spec, err) < 0) return -1;
 *     ... the images are fetched ...
 *     if (fl_change_check_images(&state, record, &spec, platform, err) < 0) return -1;
 */
#pragma once

#include "common/state.h"

/* FL_ERR_INVALID for a volume that would become smaller, FL_ERR_NOT_FOUND for a bridge that is neither
 * here nor known. */
int fl_change_check(const struct fl_state *state, const fl_json *record, const struct fl_spec *spec,
		    struct fl_err *err);

/* FL_ERR_PRECONDITION for a volume that holds data and was made from another image than is meant now.
 * platform: of the images; NULL: this host's. What is not in the store is not looked at. */
int fl_change_check_images(const struct fl_state *state, const fl_json *record,
			   const struct fl_spec *spec, const char *platform, struct fl_err *err);
