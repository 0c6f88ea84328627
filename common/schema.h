/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The messages of flintlock.types as one table, and what proto3-JSON makes of it: names
 * in snake_case or camelCase are taken, enums by name or number, 64-bit numbers as text.
 * Format: the proto3 JSON mapping; the messages of flintlock's api/types/microvm.proto.
 *
 *     fl_json *canonical = fl_schema_canonical(FL_SCHEMA_SPEC, input, err);
 */
#pragma once

#include "common/json.h"

enum fl_schema_message { FL_SCHEMA_MICROVM, FL_SCHEMA_SPEC };

/* A copy of input with proto field names in the order of the table, enum names, numbers as
 * numbers; null members are left out; unknown members are kept behind the known ones. -1
 * style failure: NULL, FL_ERR_INVALID naming the member by its path. Caller owns it. */
fl_json *fl_schema_canonical(enum fl_schema_message message, const fl_json *input,
			     struct fl_err *err);

/* Without the members that are unknown; caller unrefs. */
fl_json *fl_schema_known(enum fl_schema_message message, const fl_json *canonical);

/* Calls each for every member of a canonical document that the table does not have: with its path
 * and the known name that it may have been meant for, NULL when none is near. */
void fl_schema_strangers(enum fl_schema_message message, const fl_json *canonical,
			 void (*each)(void *arg, const char *path, const char *meant), void *arg);
