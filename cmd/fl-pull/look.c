/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/look.h"

#include "cmd/fl-pull/origin.h"
#include "cmd/fl-pull/verify.h"
#include "common/alloc.h"

#include <string.h>

struct look {
	struct fl_reference reference;
	const struct fl_get_options *options;
	struct fl_str key; /* that it must be signed with; empty: it need not be */
	fl_json *seen;
};

static fl_json *platform_text(const fl_json *platform)
{
	fl_cleanup_free char *text = fl_image_platform_text(platform);

	return fl_json_new_text(text);
}

/* Of an index's descriptors. */
static fl_json *platforms_of(const fl_json *descriptors)
{
	fl_json *list = fl_json_new_array();

	for (size_t i = 0; i < fl_json_count(descriptors); i++) {
		const fl_json *one = fl_json_item(descriptors, i);
		const fl_json *platform = fl_json_get(one, "platform");

		if (platform && !fl_image_is_attestation(one))
			fl_json_add(list, platform_text(platform));
	}
	return list;
}

static fl_json *layers_of(const fl_json *manifest, const fl_json *config, int64_t *size)
{
	const fl_json *layers = fl_json_get(manifest, "layers");
	const fl_json *ids = fl_json_at(config, "rootfs.diff_ids");
	fl_json *list = fl_json_new_array();

	for (size_t i = 0; i < fl_json_count(layers); i++) {
		const fl_json *layer = fl_json_item(layers, i);
		fl_json *one = fl_json_new_object(), *id = fl_json_item(ids, i);

		fl_json_set(one, "digest", fl_json_ref(fl_json_get(layer, "digest")));
		if (id)
			fl_json_set(one, "diff_id", fl_json_ref(id));
		fl_json_set(one, "media_type", fl_json_ref(fl_json_get(layer, "mediaType")));
		fl_json_set(one, "size", fl_json_ref(fl_json_get(layer, "size")));
		*size += fl_json_int(fl_json_get(layer, "size"));
		fl_json_add(list, one);
	}
	return list;
}

/* Takes platforms. */
static fl_json *describe(const char *ref, const char *digest, const fl_json *manifest,
			 fl_json *config, fl_json *platforms)
{
	const char *type = fl_json_text(fl_json_get(manifest, "mediaType"));
	fl_json *out = fl_json_new_object(), *layers;
	int64_t size = 0;

	layers = layers_of(manifest, config, &size);
	if (!fl_json_count(platforms))
		fl_json_add(platforms, platform_text(config));
	fl_json_set(out, "ref", fl_json_new_text(ref));
	fl_json_set(out, "digest", fl_json_new_text(digest));
	fl_json_set(out, "media_type", fl_json_new_text(type ? type : FL_IMAGE_MANIFEST));
	fl_json_set(out, "platform", platform_text(config));
	fl_json_set(out, "platforms", platforms);
	fl_json_set(out, "size", fl_json_new_int(size));
	fl_json_set(out, "config", fl_json_ref(config));
	fl_json_set(out, "layers", layers);
	return out;
}

static int look_at(void *arg, struct fl_source *source, struct fl_err *err)
{
	struct look *look = arg;
	fl_cleanup_str struct fl_str text = FL_STR_INIT, bytes = FL_STR_INIT;
	fl_cleanup_json fl_json *manifest = fl_source_manifest(source, &text, err);
	fl_cleanup_json fl_json *config = NULL;
	const char *name = fl_json_text(fl_json_at(manifest, "config.digest"));
	char digest[FL_DIGEST_TEXT];

	if (!manifest)
		return -1;
	fl_digest_of(text.data, text.len, digest);
	if ((look->key.len && fl_verify(source, look->key.data, digest, err) < 0) ||
	    fl_source_blob(source, name, &bytes, err) < 0)
		return -1;
	config = fl_json_parse(bytes.data, bytes.len, name, err);
	if (!config)
		return -1;
	look->seen = describe(look->reference.text, digest, manifest, config,
			      platforms_of(fl_json_get(source->index, "manifests")));
	return 0;
}

/* The descriptors of that name, whatever their platform. */
static fl_json *named_in_store(const struct fl_store *store, const char *text)
{
	fl_cleanup_json fl_json *all = fl_store_list(store, NULL);
	fl_json *list = fl_json_new_array();

	for (size_t i = 0; i < fl_json_count(all); i++)
		if (fl_store_is_named(fl_json_item(all, i), text))
			fl_json_add(list, fl_json_ref(fl_json_item(all, i)));
	return list;
}

/* Of a manifest that the store has. Takes platforms. */
static int read_store(struct look *look, const struct fl_store *store, const char *digest,
		      fl_json *platforms, struct fl_err *err)
{
	fl_cleanup_json fl_json *listed = platforms, *config = NULL;
	fl_cleanup_json fl_json *manifest = fl_store_read(store, digest, err);

	if (!manifest || fl_image_check_manifest(manifest, digest, err) < 0)
		return -1;
	config = fl_store_read(store, fl_json_text(fl_json_at(manifest, "config.digest")), err);
	if (!config)
		return -1;
	look->seen = describe(look->reference.text, digest, manifest, config, fl_steal(&listed));
	return 0;
}

static bool look_into_store(struct look *look, const char *state_dir)
{
	fl_cleanup_store struct fl_store store = { .dirfd = -1, .blobs = -1 };
	fl_cleanup_json fl_json *found = NULL, *named = NULL;
	const char *digest;

	if (fl_store_open(&store, state_dir, false, NULL) < 0)
		return false;
	found = fl_store_find(&store, look->reference.text, look->options->platform);
	digest = fl_json_text(fl_json_get(found, "digest"));
	if (!digest || !fl_digest_is_valid(digest))
		return false;
	named = named_in_store(&store, look->reference.text);
	return read_store(look, &store, digest, platforms_of(named), NULL) == 0;
}

/* A digest does not say where else the image might be, nor where its signatures are. */
static int look_at_digest(struct look *look, const char *state_dir, struct fl_err *err)
{
	fl_cleanup_store struct fl_store store = { .dirfd = -1, .blobs = -1 };
	const char *digest = look->reference.digest;
	struct fl_err why = { 0 };

	if (look->options->verify_key)
		return fl_err_set(err, FL_ERR_USAGE, "option --verify-key: a digest alone does not say where "
				  "signatures are; write HOST/NAME@%s", digest);
	if (fl_store_open(&store, state_dir, false, &why) == 0 &&
	    read_store(look, &store, digest, fl_json_new_array(), &why) == 0)
		return 0;
	if (why.kind != FL_ERR_NOT_FOUND)
		return fl_err_pass(err, &why);
	return fl_err_set(err, FL_ERR_NOT_FOUND, "not in the store, and a digest alone does not say where "
			  "else it is; write HOST/NAME@%s", digest);
}

static int look_anywhere(struct look *look, const char *state_dir, struct fl_err *err)
{
	const struct fl_get_options *options = look->options;
	struct fl_origin origin = {
		.reference = &look->reference, .wanted = options->platform,
		.options = &options->registry, .cancel = options->cancel,
		.use = look_at, .arg = look,
	};

	if (options->verify_key && fl_verify_read_key(options->verify_key, &look->key, err) < 0)
		return -1;
	if (options->policy != FL_GET_ALWAYS && !look->key.len && look_into_store(look, state_dir))
		return 0;
	if (options->policy == FL_GET_NEVER)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "not in the store, and --pull=never");
	return fl_origin_use(&origin, err);
}

fl_json *fl_look(const char *state_dir, const char *text, const struct fl_get_options *options,
		 struct fl_err *err)
{
	struct look look = { .options = options };
	bool is_digest = fl_digest_is_valid(text);
	int rc;

	if (is_digest)
		look.reference = fl_reference_of_digest(text);
	else if (fl_get_parse(text, &look.reference, err) < 0)
		return NULL;
	rc = is_digest ? look_at_digest(&look, state_dir, err) : look_anywhere(&look, state_dir, err);
	if (rc < 0)
		fl_err_prefix(err, "%s", look.reference.text);
	fl_str_finish(&look.key);
	fl_reference_finish(&look.reference);
	return look.seen;
}
