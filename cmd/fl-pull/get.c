/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/get.h"

#include "cmd/fl-pull/fetch.h"
#include "cmd/fl-pull/origin.h"
#include "cmd/fl-pull/verify.h"
#include "common/alloc.h"
#include "common/slot.h"
#include "common/state.h"

#include <string.h>

/* The annotation of a name in the store: the key that its signature was checked with. */
#define VERIFIED_WITH "io.flintlock.verified-with"

struct get {
	const struct fl_store *store;
	const struct fl_get_options *options;
	struct fl_reference reference;
	struct fl_image *image;
	char *name; /* in the store; NULL: what standard input says */
	struct fl_str key;          /* that it must be signed with; empty: it need not be */
	char key_id[FL_DIGEST_TEXT]; /* its digest, which is noted with the image */
};

void fl_get_options_finish(struct fl_get_options *options)
{
	fl_registry_options_finish(&options->registry);
}

static void add_blob(const struct fl_store *store, const fl_json *descriptor,
		     struct fl_fetch_blob *blobs, size_t *count)
{
	const char *digest = fl_json_text(fl_json_get(descriptor, "digest"));
	uint64_t size = (uint64_t)fl_json_int(fl_json_get(descriptor, "size"));

	for (size_t i = 0; i < *count; i++)
		if (strcmp(blobs[i].digest, digest) == 0)
			return;
	if (!fl_store_has(store, digest, size))
		blobs[(*count)++] = (struct fl_fetch_blob){ digest, size };
}

static int fetch_missing(struct get *get, struct fl_source *source, const fl_json *manifest,
			 struct fl_err *err)
{
	const fl_json *layers = fl_json_get(manifest, "layers");
	size_t most = fl_json_count(layers) + 1, count = 0;
	fl_cleanup_free struct fl_fetch_blob *blobs = fl_alloc_zero(most, sizeof(*blobs));

	add_blob(get->store, fl_json_get(manifest, "config"), blobs, &count);
	for (size_t i = 0; i < fl_json_count(layers); i++)
		add_blob(get->store, fl_json_item(layers, i), blobs, &count);
	return fl_fetch(get->store, source, blobs, count, get->options, err);
}

/* Of the config; a variant that only the index knows is kept, lest two become one. */
static fl_json *platform_of(const struct fl_source *source, const struct fl_image *image)
{
	fl_json *platform = fl_image_platform(image);
	fl_json *variant = fl_json_get(source->platform, "variant");

	if (variant && !fl_json_get(platform, "variant"))
		fl_json_set(platform, "variant", fl_json_ref(variant));
	return platform;
}

/* Takes platform. */
static fl_json *descriptor_of(const struct get *get, const fl_json *manifest, size_t size,
			      fl_json *platform)
{
	const struct fl_image *image = get->image;
	fl_json *descriptor = fl_json_new_object();
	const char *type = fl_json_text(fl_json_get(manifest, "mediaType"));

	fl_json_set(descriptor, "mediaType",
		    fl_json_new_text(type ? type : FL_IMAGE_MANIFEST));
	fl_json_set(descriptor, "digest", fl_json_new_text(image->digest));
	fl_json_set(descriptor, "size", fl_json_new_int((int64_t)size));
	fl_json_set(descriptor, "platform", platform);
	if (get->key.len) {
		fl_json_set(descriptor, "annotations", fl_json_new_object());
		fl_json_set(fl_json_get(descriptor, "annotations"), VERIFIED_WITH,
			    fl_json_new_text(get->key_id));
	}
	return descriptor;
}

/* Manifest and name last: what is named is whole. */
static int finish(struct get *get, struct fl_source *source, const struct fl_str *text,
		  const fl_json *manifest, struct fl_err *err)
{
	struct fl_image *image = get->image;
	char digest[FL_DIGEST_TEXT];
	fl_json *platform;

	if (!get->name)
		get->name = fl_steal(&source->own_name);
	if (!get->name)
		return fl_err_set(err, FL_ERR_INVALID, "the archive does not say the image's name; "
				  "use --name");
	if (fl_store_put(get->store, text->data, text->len, digest, err) < 0 ||
	    fl_image_load(get->store, digest, image, err) < 0)
		return -1;
	platform = platform_of(source, image);
	if (fl_image_rank(platform, get->options->platform))
		return fl_store_name(get->store, get->name,
				     descriptor_of(get, manifest, text->len, platform), err);
	fl_json_unref(platform);
	fl_err_set(err, FL_ERR_UNSUPPORTED,
		   "the image is for %s, not for %s; choose with --platform", image->platform,
		   get->options->platform);
	fl_image_finish(image);
	return -1;
}

static bool is_stdin(const struct fl_reference *reference)
{
	return reference->archive && strcmp(reference->archive, "-") == 0;
}

static bool is_whole(struct get *get, const char *digest)
{
	struct fl_image *image = get->image;

	if (!digest || !fl_digest_is_valid(digest) ||
	    fl_image_load(get->store, digest, image, NULL) < 0)
		return false;
	for (size_t i = 0; i < image->layer_count; i++)
		if (!fl_store_has(get->store, image->layers[i].digest, image->layers[i].size)) {
			fl_image_finish(image);
			return false;
		}
	return true;
}

/* Whether the store has it whole under that name already. */
static bool have(struct get *get)
{
	fl_cleanup_json fl_json *found =
		get->name ? fl_store_find(get->store, get->name, get->options->platform) : NULL;
	const char *digest = fl_json_text(fl_json_get(found, "digest"));
	const fl_json *platform = fl_json_get(found, "platform");

	if (get->key.len &&
	    !fl_str_equal(
		    fl_json_text(fl_json_get(fl_json_get(found, "annotations"), VERIFIED_WITH)),
		    get->key_id))
		return false;
	/* The registry may have a better one than what fits in some way. */
	if (get->options->policy == FL_GET_MISSING && platform &&
	    fl_image_rank(platform, get->options->platform) < FL_IMAGE_FITS_EXACTLY)
		return false;
	return is_whole(get, digest);
}

/* Whether a folder has another image under that name by now; in one that is gone nothing changes. */
static bool has_changed(struct get *get)
{
	fl_cleanup_source struct fl_source source = FL_SOURCE_INIT;
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *manifest = NULL;
	char digest[FL_DIGEST_TEXT];

	if (!get->reference.folder ||
	    fl_source_open_layout(&source, &get->reference, get->options->platform,
				  get->options->cancel, NULL) < 0)
		return false;
	manifest = fl_source_manifest(&source, &text, NULL);
	if (!manifest)
		return false;
	fl_digest_of(text.data, text.len, digest);
	return strcmp(digest, get->image->digest) != 0;
}

/* Whether what the store has will do. */
static bool is_there(struct get *get)
{
	const struct fl_get_options *options = get->options;

	if (options->policy == FL_GET_ALWAYS || is_stdin(&get->reference))
		return false;
	/* Of a signature only the name knows. */
	if (!get->key.len && options->pinned && is_whole(get, options->pinned))
		return true;
	if (!have(get))
		return false;
	if (options->policy == FL_GET_NEVER || !has_changed(get))
		return true;
	fl_image_finish(get->image);
	return false;
}

static int bring_from(void *arg, struct fl_source *source, struct fl_err *err)
{
	struct get *get = arg;
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *manifest = fl_source_manifest(source, &text, err);
	char digest[FL_DIGEST_TEXT];

	if (!manifest)
		return -1;
	fl_digest_of(text.data, text.len, digest);
	if (get->key.len && fl_verify(source, get->key.data, digest, err) < 0)
		return -1;
	if (fetch_missing(get, source, manifest, err) < 0)
		return -1;
	return finish(get, source, &text, manifest, err);
}

int fl_get_parse(const char *text, struct fl_reference *reference, struct fl_err *err)
{
	if (strcmp(text, "-") != 0)
		return fl_reference_parse(text, reference, err);
	*reference = (struct fl_reference){ .archive = fl_strdup(text), .text = fl_strdup(text) };
	return 0;
}

static int take_name(struct get *get, struct fl_err *err)
{
	fl_cleanup_reference struct fl_reference reference = { 0 };

	if (get->options->name && fl_reference_parse(get->options->name, &reference, err) < 0)
		return fl_err_prefix(err, "option --name");
	if (get->options->name)
		get->name = fl_strdup(reference.text);
	else if (!is_stdin(&get->reference))
		get->name = fl_strdup(get->reference.text);
	return 0;
}

/* The policy is that of the image's host, whichever mirror it comes from. */
static int take_key(struct get *get, struct fl_err *err)
{
	const char *file = get->options->verify_key;

	if (!file && get->reference.host)
		file = fl_config_host(&get->options->registry.config, get->reference.host)
			       .verify_key;
	if (!file)
		return 0;
	if (fl_verify_read_key(file, &get->key, err) < 0)
		return -1;
	fl_digest_of(get->key.data, get->key.len, get->key_id);
	return 0;
}

/* A place among the pulls of this host: blobs are locked by those who have one only, so that
 * waiting for a blob with a place in hand ends. */
static int take_place(const struct fl_get_options *options, struct fl_slot *slot,
		      struct fl_err *err)
{
	fl_cleanup_free char *folder = fl_state_run_folder();

	return fl_slot_take(slot, folder, "pull", options->pulls, options->cancel, err);
}

static int bring(struct get *get, struct fl_err *err)
{
	const struct fl_get_options *options = get->options;
	fl_cleanup_slot struct fl_slot slot = FL_SLOT_INIT;
	struct fl_origin origin = {
		.reference = &get->reference, .wanted = options->platform,
		.options = &options->registry, .cancel = options->cancel,
		.use = bring_from, .arg = get,
	};

	if (take_key(get, err) < 0)
		return -1;
	if (is_there(get))
		return 0;
	if (options->policy == FL_GET_NEVER)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "not in the store%s, and --pull=never",
				  get->key.len ? " with a signature that was checked" : "");
	return take_place(options, &slot, err) < 0 ? -1 : fl_origin_use(&origin, err);
}

int fl_get(const struct fl_store *store, const char *text, const struct fl_get_options *options,
	   struct fl_image *image, char **name, struct fl_err *err)
{
	struct get get = { .store = store, .options = options, .image = image };
	fl_cleanup_close int lock = -1;
	int rc;

	if (fl_digest_is_valid(text))
		return fl_err_set(err, FL_ERR_INVALID, "%s: a digest alone does not say where the image is; "
				  "write HOST/NAME@%s", text, text);
	if (fl_get_parse(text, &get.reference, err) < 0)
		return -1;
	lock = take_name(&get, err) < 0 ? -1 : fl_store_lock(store, false, err);
	rc = lock < 0 ? -1 : bring(&get, err);
	if (rc < 0)
		fl_err_prefix(err, "%s", get.reference.text);
	else
		fl_durable_touch(store->blobs, fl_digest_hex(image->digest));
	if (rc == 0 && name)
		*name = fl_steal(&get.name);
	free(get.name);
	fl_str_finish(&get.key);
	fl_reference_finish(&get.reference);
	return rc;
}
