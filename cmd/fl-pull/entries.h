/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which image of an index is the one for a platform.
 *
 *     const fl_json *chosen = fl_entries_choose(source, &index, err);
 *     if (!chosen) return -1;
 */
#pragma once

#include "cmd/fl-pull/source.h"

/* The descriptor that fits source->wanted best, borrowed from the index; NULL with err, which names
 * what there is. When none that says its platform fits, those that do not are looked into: images have
 * it in their config, and an index within the index counts with its own entries. Then index, which the
 * caller owns, is replaced by one in which all of that is said. */
const fl_json *fl_entries_choose(struct fl_source *source, fl_json **index, struct fl_err *err);

/* Whether a document is an index. */
bool fl_entries_is_index(const fl_json *doc);
