/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/change.h"

#include "common/alloc.h"
#include "common/arch.h"
#include "common/image.h"
#include "common/path.h"
#include "common/reference.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static int check_bridge(const struct fl_state *state, const char *bridge, struct fl_err *err)
{
	fl_cleanup_free char *here = fl_asprintf("/sys/class/net/%s/bridge", bridge);
	fl_cleanup_free char *known = fl_asprintf("net/%s.json", bridge);

	if (access(here, F_OK) == 0 || faccessat(state->dirfd, known, F_OK, 0) == 0)
		return 0;
	return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: there is no bridge of that name; \"fl-net bridge "
			  "create\" makes one", bridge);
}

/* As fl-snap noted it; NULL: it was not made, or holds nothing of its own. */
static const fl_json *made_volume(const fl_json *record, const struct fl_volume *volume)
{
	fl_cleanup_free char *at = fl_asprintf("host.volumes.%s", volume->id);

	return volume->read_only ? NULL : fl_json_at(record, at);
}

static int check_size(const fl_json *record, const struct fl_volume *volume, struct fl_err *err)
{
	int64_t has = fl_json_int(fl_json_get(made_volume(record, volume), "size_mb"));

	if (!volume->size_mb || volume->size_mb >= has)
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "volume %s: %u MiB are asked for, and it has %" PRId64
			  ": a volume is never made smaller", volume->id, volume->size_mb, has);
}

int fl_change_check(const struct fl_state *state, const fl_json *record, const struct fl_spec *spec,
		    struct fl_err *err)
{
	for (size_t i = 0; i < spec->volume_count; i++)
		if (check_size(record, &spec->volumes[i], err) < 0)
			return -1;
	for (size_t i = 0; i < spec->interface_count; i++) {
		const struct fl_interface *in = &spec->interfaces[i];

		if (in->type == FL_INTERFACE_TAP && in->bridge && fl_path_is_name(in->bridge) &&
		    check_bridge(state, in->bridge, err) < 0)
			return -1;
	}
	return 0;
}

/* The chain id of an image in the store, or "". */
static void chain_of(const struct fl_store *store, const char *image, const char *platform,
		     char chain_id[static FL_DIGEST_TEXT])
{
	fl_cleanup_reference struct fl_reference reference = { 0 };
	fl_cleanup_image struct fl_image found = { 0 };
	fl_cleanup_json fl_json *descriptor = NULL;
	const char *digest;

	*chain_id = 0;
	if (fl_reference_parse(image, &reference, NULL) < 0)
		return;
	descriptor = fl_store_find(store, reference.text, platform ? platform : fl_arch_host()->platform);
	digest = fl_json_text(fl_json_get(descriptor, "digest"));
	if (digest && fl_digest_is_valid(digest) && fl_image_load(store, digest, &found, NULL) == 0)
		snprintf(chain_id, FL_DIGEST_TEXT, "%s", found.chain_id);
}

static int check_image(const struct fl_store *store, const fl_json *record,
		       const struct fl_volume *volume, const char *platform, struct fl_err *err)
{
	const char *was = fl_json_text(fl_json_get(made_volume(record, volume), "chain_id"));
	char is[FL_DIGEST_TEXT];

	if (!was || !volume->image)
		return 0;
	chain_of(store, volume->image, platform, is);
	if (!*is || strcmp(is, was) == 0)
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION, "volume %s was made from another image than %s and "
			  "holds data; put the spec back, or make the microVM anew (fl down, fl up)",
			  volume->id, volume->image);
}

int fl_change_check_images(const struct fl_state *state, const fl_json *record,
			   const struct fl_spec *spec, const char *platform, struct fl_err *err)
{
	fl_cleanup_store struct fl_store store = { .dirfd = -1, .blobs = -1 };

	if (fl_store_open(&store, state->dir, false, NULL) < 0)
		return 0;
	for (size_t i = 0; i < spec->volume_count; i++)
		if (check_image(&store, record, &spec->volumes[i],
				spec->asked.platform ? spec->asked.platform : platform, err) < 0)
			return -1;
	return 0;
}
