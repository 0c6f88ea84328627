/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The options that bound what an image may cost, for the commands that build.
 *
 *     static const struct fl_option options[] = { FL_LIMIT_OPTIONS, { 0 } };
 *     if (fl_limits_take(args, &cache.limits, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-snap/cache.h"
#include "common/cli.h"

#define FL_LIMIT_OPTIONS                                                                       \
	{ "max-size", 0, "SIZE", "refuse layers that unpack to more (64G)" },                  \
	{ "max-entries", 0, "N", "refuse layers with more entries (2000000)" },                \
	{ "max-builds", 0, "N", "builds at once on this host (as many as processors)" }

int fl_limits_take(const struct fl_args *args, struct fl_cache_limits *limits,
		   struct fl_err *err);
