/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Saving a record: the part that making and changing a microVM share. For the modules of
 * the state folder; everyone else calls fl_vm_change().
 */
#pragma once

#include "common/state.h"

/* Writes record.json aside, adds the line to the journal, renames. what is the line's. */
int fl_record_save(const struct fl_vm *vm, const fl_json *record, const char *what,
		   enum fl_save how, struct fl_err *err);
