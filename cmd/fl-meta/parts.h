/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the files of a seed hold. The user's bytes go in as they are; what must be added
 * joins as another key or another part.
 * Formats: cloud-init's NoCloud data source, network configuration version 2, MIME
 * multipart user-data.
 *
 *     fl_parts_meta_data(&spec, user_text, &out, err);
 *     fl_parts_network(record, &spec, &out);
 *     fl_parts_vendor(record, &spec, user_text, &out);
 */
#pragma once

#include "common/spec.h"

/* instance-id and instance_id (the uid) and local-hostname, where absent, joined to the
 * user's meta-data (may be empty). FL_ERR_INVALID when that is not a YAML mapping. */
int fl_parts_meta_data(const struct fl_spec *spec, const struct fl_str *user, struct fl_str *out,
		       struct fl_err *err);

/* Every interface by its MAC: static addresses, else DHCP. */
void fl_parts_network(const fl_json *record, const struct fl_spec *spec, struct fl_str *out);

/* The user's vendor-data, mounts of extra volumes by UUID, and the part that reports on
 * the console when cloud-init is done. */
void fl_parts_vendor(const fl_json *record, const struct fl_spec *spec, const struct fl_str *user,
		     struct fl_str *out);

/* Several files as one user-data, each a part of its own: begin, add for each, end. name is what
 * cloud-init calls the part. */
void fl_parts_begin(struct fl_str *out);
void fl_parts_add(struct fl_str *out, const char *name, const struct fl_str *text);
void fl_parts_end(struct fl_str *out);
