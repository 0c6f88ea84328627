/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The plugins of a CNI network, one after the other.
 * Format: CNI specification 1.1, sections 3 and 4 (https://www.cni.dev/docs/spec/).
 *
 *     struct fl_cni_call call = { .container = uid, .netns = path, … };
 *     fl_cleanup_json fl_json *result = NULL;
 *     if (fl_cni_add(&call, list, parts, &result, err) < 0) fl_cni_del(&call, list, parts, NULL, NULL);
 */
#pragma once

#include "cmd/fl-net/cni/plugin.h"

/* FL_ERR_PRECONDITION when a plugin is in none of the path's folders. */
int fl_cni_look(const fl_json *list, const char *path, struct fl_err *err);

/* parts: what plugins may have as runtimeConfig, by capability ("mac", "ips", "portMappings");
 * each gets what its configuration says it takes. call->command is set here. */

/* result: of the last plugin, the caller's. */
int fl_cni_add(struct fl_cni_call *call, const fl_json *list, const fl_json *parts,
	       fl_json **result, struct fl_err *err);

/* The last one first. result: what fl_cni_add gave; NULL: it did not get so far. May be done
 * again. */
int fl_cni_del(struct fl_cni_call *call, const fl_json *list, const fl_json *parts,
	       const fl_json *result, struct fl_err *err);

/* Whether all is as fl_cni_add left it. Nothing is asked of a list that does not want it, or
 * knows no CHECK. */
int fl_cni_check(struct fl_cni_call *call, const fl_json *list, const fl_json *parts,
		 const fl_json *result, struct fl_err *err);

/* Has the plugins remove what belongs to no container of valid, a list of {"containerID",
 * "ifname"}. 1 done, 0 the list knows no GC or does not want it, -1. */
int fl_cni_gc(struct fl_cni_call *call, const fl_json *list, const fl_json *valid,
	      struct fl_err *err);
