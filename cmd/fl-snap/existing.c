/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/existing.h"

#include "common/alloc.h"
#include "common/path.h"

#include <inttypes.h>

int fl_existing_find(const fl_json *record, const struct fl_volume_call *call,
		     struct fl_existing *existing, struct fl_err *err)
{
	fl_cleanup_free char *at = fl_asprintf("host.volumes.%s", call->id);

	*existing = (struct fl_existing){ .note = fl_json_at(record, at) };
	if (fl_backend_of(call, &existing->backend, err) < 0)
		return -1;
	if (existing->backend)
		existing->mib = (uint64_t)fl_json_int(fl_json_get(existing->note, "size_mb"));
	return 0;
}

static int check_base(const struct fl_volume_call *call, struct fl_existing *existing,
		      uint64_t *base_mib, struct fl_err *err)
{
	const char *was = fl_json_text(fl_json_get(existing->note, "base"));

	if (!was)
		return 0;
	if (!fl_cache_is_base_of(call->image, fl_path_last(was), base_mib))
		return fl_err_set(err, FL_ERR_PRECONDITION, "it was made from another image and holds data; "
				  "put the spec back, or make the microVM anew (fl down, fl up)");
	if (!existing->mib)
		existing->mib = *base_mib;
	return 0;
}

static int check_size(const struct fl_volume_call *call, const struct fl_existing *existing,
		      struct fl_err *err)
{
	if (!call->mib || !existing->mib || call->mib == existing->mib)
		return 0;
	if (call->mib < existing->mib)
		return fl_err_set(err, FL_ERR_INVALID, "%" PRIu64 " MiB are asked for, and it has %" PRIu64
				  ": a volume is never made smaller", call->mib, existing->mib);
	return call->read_only ? fl_err_set(err, FL_ERR_PRECONDITION, "it is read-only, and stays as large "
					    "as it was made, %" PRIu64 " MiB", existing->mib)
			       : 0;
}

int fl_existing_check(const struct fl_volume_call *call, struct fl_existing *existing,
		      uint64_t *base_mib, struct fl_err *err)
{
	if (!existing->backend)
		return 0;
	if (call->image && check_base(call, existing, base_mib, err) < 0)
		return -1;
	return check_size(call, existing, err);
}

/* What is not noted may have been made for an earlier spec. */
int fl_existing_grow(const struct fl_volume_call *call, const struct fl_existing *existing,
		     struct fl_err *err)
{
	if (!existing->backend || call->read_only || !call->mib || call->mib == existing->mib)
		return 0;
	return existing->backend->grow(call, call->mib << 20, err);
}
