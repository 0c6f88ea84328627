/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Metadata holds secrets: outside the state folder its values stand as
 * {"sha256":…,"size":…}, and come back in as what they were.
 *
 *     fl_cleanup_json fl_json *shown = fl_mask_put_on(record);
 *     fl_cleanup_json fl_json *spec = fl_mask_lift(spec_from_outside, saved_spec, err);
 */
#pragma once

#include "common/json.h"

/* A copy of the record with the values of spec.metadata masked; masks stay as they are.
 * Caller owns it. */
fl_json *fl_mask_put_on(const fl_json *record);

/* A copy of spec in which every mask is replaced by the saved value it fits; one that fits
 * none is FL_ERR_INVALID. Caller owns it. */
fl_json *fl_mask_lift(const fl_json *spec, const fl_json *saved, struct fl_err *err);
