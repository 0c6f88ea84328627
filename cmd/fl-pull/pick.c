/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/pick.h"

#include <string.h>

static void add(struct fl_pick *pick, fl_json *descriptor)
{
	const char *digest = fl_json_text(fl_json_get(descriptor, "digest"));

	for (size_t i = 0; i < fl_json_count(pick->blobs); i++)
		if (fl_str_equal(fl_json_text(fl_json_get(fl_json_item(pick->blobs, i), "digest")),
				 digest))
			return;
	fl_json_add(pick->blobs, fl_json_ref(descriptor));
	pick->size += (uint64_t)fl_json_int(fl_json_get(descriptor, "size"));
}

/* Of a digest the first that leads to it; the image is the same under each name. */
static fl_json *find_digest(const struct fl_store *store, const char *digest)
{
	fl_cleanup_json fl_json *list = fl_store_list(store, NULL);

	for (size_t i = 0; i < fl_json_count(list); i++)
		if (fl_str_equal(fl_json_text(fl_json_get(fl_json_item(list, i), "digest")), digest))
			return fl_json_ref(fl_json_item(list, i));
	return NULL;
}

static int find(const struct fl_store *store, const char *text, const char *platform,
		struct fl_pick *pick, fl_json **found, struct fl_err *err)
{
	bool is_digest = fl_digest_is_valid(text);
	const char *digest;

	if (is_digest)
		pick->reference = fl_reference_of_digest(text);
	else if (fl_reference_parse(text, &pick->reference, err) < 0)
		return -1;
	*found = is_digest ? find_digest(store, text)
			   : fl_store_find(store, pick->reference.text, platform);
	digest = fl_json_text(fl_json_get(*found, "digest"));
	if (digest && fl_digest_is_valid(digest))
		return 0;
	if (is_digest)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: not in the store; see \"fl-pull ls\"", text);
	return fl_err_set(err, FL_ERR_NOT_FOUND,
			  "%s: not in the store for %s; \"fl-pull get\" "
			  "brings it",
			  pick->reference.text, platform);
}

int fl_pick(const struct fl_store *store, const char *text, const char *platform,
	    struct fl_pick *pick, struct fl_err *err)
{
	fl_cleanup_json fl_json *found = NULL;
	const fl_json *layers;
	const char *digest;

	*pick = (struct fl_pick){ .blobs = fl_json_new_array() };
	if (find(store, text, platform, pick, &found, err) < 0)
		return -1;
	digest = fl_json_text(fl_json_get(found, "digest"));
	pick->manifest = fl_store_read(store, digest, err);
	if (!pick->manifest || fl_image_check_manifest(pick->manifest, digest, err) < 0)
		return -1;
	pick->descriptor = fl_json_copy(found);
	fl_json_set(pick->descriptor, "annotations", NULL);
	layers = fl_json_get(pick->manifest, "layers");
	for (size_t i = 0; i < fl_json_count(layers); i++)
		add(pick, fl_json_item(layers, i));
	add(pick, fl_json_get(pick->manifest, "config"));
	add(pick, pick->descriptor);
	return 0;
}

void fl_pick_finish(struct fl_pick *pick)
{
	fl_reference_finish(&pick->reference);
	fl_json_unref(pick->manifest);
	fl_json_unref(pick->descriptor);
	fl_json_unref(pick->blobs);
	*pick = (struct fl_pick){ 0 };
}
