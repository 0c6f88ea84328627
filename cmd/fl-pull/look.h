/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What an image is, from the store, or from where it comes from without pulling it.
 *
 *     fl_cleanup_json fl_json *seen = fl_look(state_dir, "host/name:1", &options, err);
 */
#pragma once

#include "cmd/fl-pull/options.h"

/* {"ref":…,"digest":…,"media_type":…,"platform":…,"platforms":[…],"size":…,"config":{…},
 * "layers":[{"digest":…,"diff_id":…,"media_type":…,"size":…}]}: size is the layers', config
 * the image's own config. The store is asked before the source as options->policy says, and
 * not at all when a signature is to be checked.
 * Caller owns it; NULL with err. */
fl_json *fl_look(const char *state_dir, const char *text, const struct fl_get_options *options,
		 struct fl_err *err);
