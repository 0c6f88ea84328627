/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A CNI network as its administrator wrote it: a list of plugins in a file.
 * Format: CNI specification 1.1, section 1 (https://www.cni.dev/docs/spec/).
 *
 *     fl_cleanup_json fl_json *list = fl_cni_list_find("/etc/cni/net.d", "mynet", err);
 *     const fl_json *plugins = fl_json_get(list, "plugins");
 */
#pragma once

#include "common/json.h"

/* The list of that name among the folder's .conflist, .conf and .json files. Caller owns it;
 * FL_ERR_NOT_FOUND, or what fl_cni_list_read says of a file. */
fl_json *fl_cni_list_find(const char *folder, const char *name, struct fl_err *err);

/* A document (a list, or a single plugin's as CNI 0.3 had them) as a list of ours: name,
 * cniVersion (the highest one that both sides know), disableCheck, disableGC, and plugins, each
 * with its type. where is what errors call it. Caller owns it; FL_ERR_INVALID,
 * FL_ERR_UNSUPPORTED (no version of it is known). */
fl_json *fl_cni_list_read(const fl_json *document, const char *where, struct fl_err *err);

/* Whether the list's version is that one or a later one. */
bool fl_cni_list_is_since(const fl_json *list, const char *version);

/* Whether a plugin of the list takes that part of runtimeConfig. */
bool fl_cni_list_can(const fl_json *list, const char *capability);
