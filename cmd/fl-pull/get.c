/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/get.h"

#include "cmd/fl-pull/fetch.h"
#include "common/alloc.h"
#include "common/io.h"
#include "common/log.h"
#include "common/reference.h"

#include <fcntl.h>
#include <string.h>

#define REF_NAME "org.opencontainers.image.ref.name"

struct get {
	const struct fl_store *store;
	const struct fl_get_options *options;
	struct fl_reference reference;
	struct fl_registry registry; /* .http is NULL for a layout */
	struct fl_fetch_source source;
	fl_json *platform; /* of the index's descriptor; NULL: there was no index */
};

void fl_get_options_finish(struct fl_get_options *options)
{
	fl_registry_options_finish(&options->registry);
}

static void close_registry(struct get *get)
{
	if (get->registry.http)
		fl_registry_finish(&get->registry);
	get->source.registry = NULL;
}

static void get_finish(struct get *get)
{
	close_registry(get);
	fl_json_unref(get->platform);
	fl_reference_finish(&get->reference);
}

/* A manifest's or index's bytes by digest from a layout. */
static int read_layout_blob(struct get *get, const char *digest, struct fl_str *text,
			    struct fl_err *err)
{
	fl_cleanup_free char *path = NULL;

	if (fl_digest_check(digest, err) < 0)
		return -1;
	path = fl_asprintf("%s/blobs/sha256/%s", get->reference.folder, fl_digest_hex(digest));
	return fl_io_read_file(AT_FDCWD, path, FL_MANIFEST_LIMIT, text, err);
}

static bool is_tagged(const fl_json *descriptor, const char *tag)
{
	const fl_json *annotations = fl_json_get(descriptor, "annotations");

	return !tag || fl_str_equal(fl_json_text(fl_json_get(annotations, REF_NAME)), tag);
}

/* The digest of the tag in a layout's index.json; without a tag there must be only one. */
static int find_in_layout(struct get *get, char digest[static FL_DIGEST_TEXT], struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/index.json", get->reference.folder);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *index = NULL;
	const fl_json *list, *found = NULL;
	size_t matches = 0;
	int best = 0;

	if (fl_io_read_file(AT_FDCWD, path, FL_MANIFEST_LIMIT, &text, err) < 0)
		return -1;
	index = fl_json_parse(text.data, text.len, path, err);
	if (!index)
		return -1;
	list = fl_json_get(index, "manifests");
	for (size_t i = 0; i < fl_json_count(list); i++) {
		const fl_json *one = fl_json_item(list, i);
		const fl_json *platform = fl_json_get(one, "platform");
		int rank = platform ? fl_image_rank(platform, get->options->platform) : 1;

		if (!is_tagged(one, get->reference.tag) || !rank || rank < best)
			continue;
		matches = rank > best ? 1 : matches + 1;
		best = rank;
		found = one;
	}
	if (matches != 1 || !fl_json_text(fl_json_get(found, "digest")))
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: %s image for %s in this folder; name "
				  "one as oci:FOLDER:TAG", get->reference.text,
				  matches ? "more than one" : "no", get->options->platform);
	snprintf(digest, FL_DIGEST_TEXT, "%s", fl_json_text(fl_json_get(found, "digest")));
	return fl_digest_check(digest, err);
}

static int read_remote(struct get *get, const char *tag_or_digest, struct fl_str *text,
		       struct fl_err *err)
{
	fl_cleanup_str struct fl_str type = FL_STR_INIT;

	return fl_registry_manifest(&get->registry, tag_or_digest, text, &type, err);
}

/* The bytes under a digest, verified. */
static int read_digest(struct get *get, const char *digest, struct fl_str *text,
		       struct fl_err *err)
{
	char real[FL_DIGEST_TEXT];
	int rc = get->registry.http ? read_remote(get, digest, text, err)
				    : read_layout_blob(get, digest, text, err);

	if (rc < 0)
		return -1;
	fl_digest_of(text->data, text->len, real);
	if (strcmp(real, digest) != 0)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: the manifest that came has another "
				  "digest, %s", digest, real);
	return 0;
}

static int read_first(struct get *get, struct fl_str *text, struct fl_err *err)
{
	char digest[FL_DIGEST_TEXT];

	if (get->reference.digest)
		return read_digest(get, get->reference.digest, text, err);
	if (get->registry.http)
		return read_remote(get, get->reference.tag, text, err);
	if (find_in_layout(get, digest, err) < 0)
		return -1;
	return read_digest(get, digest, text, err);
}

static void add_platform(const fl_json *platform, struct fl_str *known)
{
	const char *os = fl_json_text(fl_json_get(platform, "os"));
	const char *arch = fl_json_text(fl_json_get(platform, "architecture"));
	const char *variant = fl_json_text(fl_json_get(platform, "variant"));

	if (os && arch)
		fl_str_addf(known, " %s/%s%s%s", os, arch, variant ? "/" : "",
			    variant ? variant : "");
}

/* The descriptor of the index that fits best, borrowed; NULL with err. */
static const fl_json *choose_platform(const fl_json *index, const char *platform,
				      struct fl_err *err)
{
	const fl_json *list = fl_json_get(index, "manifests"), *best = NULL;
	fl_cleanup_str struct fl_str known = FL_STR_INIT;
	int best_rank = 0;

	for (size_t i = 0; i < fl_json_count(list); i++) {
		const fl_json *one = fl_json_item(list, i), *has = fl_json_get(one, "platform");
		int rank = has ? fl_image_rank(has, platform) : 0;

		if (rank > best_rank) {
			best = one;
			best_rank = rank;
		}
		add_platform(has, &known);
	}
	if (!best)
		fl_err_set(err, FL_ERR_UNSUPPORTED, "no image for platform %s; there are:%s",
			   platform, known.data ? known.data : " none");
	return best;
}

/* From an index to its manifest for the platform: the text and the document. */
static int descend(struct get *get, struct fl_str *text, fl_json **doc, struct fl_err *err)
{
	const fl_json *chosen = choose_platform(*doc, get->options->platform, err);
	const char *given = fl_json_text(fl_json_get(chosen, "digest"));
	char digest[FL_DIGEST_TEXT];

	if (!chosen || fl_digest_check(given ? given : "", err) < 0)
		return -1;
	snprintf(digest, sizeof(digest), "%s", given);
	fl_json_unref(get->platform);
	get->platform = fl_json_ref(fl_json_get(chosen, "platform"));
	fl_str_clear(text);
	if (read_digest(get, digest, text, err) < 0)
		return -1;
	fl_json_unref(*doc);
	*doc = fl_json_parse(text->data ? text->data : "", text->len, digest, err);
	return *doc ? 0 : -1;
}

static bool is_index(const fl_json *doc)
{
	return fl_image_is_index(fl_json_text(fl_json_get(doc, "mediaType"))) ||
	       fl_json_is_array(fl_json_get(doc, "manifests"));
}

/* The manifest for the platform: its bytes in text. */
static int read_manifest(struct get *get, struct fl_str *text, fl_json **manifest,
			 struct fl_err *err)
{
	fl_cleanup_json fl_json *doc = NULL;

	if (read_first(get, text, err) < 0)
		return -1;
	doc = fl_json_parse(text->data ? text->data : "", text->len, "manifest", err);
	if (!doc)
		return -1;
	if (is_index(doc) && descend(get, text, &doc, err) < 0)
		return -1;
	if (fl_image_check_manifest(doc, "the manifest", err) < 0)
		return -1;
	*manifest = fl_json_ref(doc);
	return 0;
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

static int fetch_missing(struct get *get, const fl_json *manifest, struct fl_err *err)
{
	const fl_json *layers = fl_json_get(manifest, "layers");
	size_t most = fl_json_count(layers) + 1, count = 0;
	fl_cleanup_free struct fl_fetch_blob *blobs = fl_alloc_zero(most, sizeof(*blobs));

	add_blob(get->store, fl_json_get(manifest, "config"), blobs, &count);
	for (size_t i = 0; i < fl_json_count(layers); i++)
		add_blob(get->store, fl_json_item(layers, i), blobs, &count);
	return fl_fetch(get->store, &get->source, blobs, count, get->options, err);
}

/* Of the config; a variant that only the index knows is kept, lest two become one. */
static fl_json *platform_of(const struct get *get, const struct fl_image *image)
{
	fl_json *platform = fl_image_platform(image);
	fl_json *variant = fl_json_get(get->platform, "variant");

	if (variant && !fl_json_get(platform, "variant"))
		fl_json_set(platform, "variant", fl_json_ref(variant));
	return platform;
}

/* Takes platform. */
static fl_json *descriptor_of(const struct fl_image *image, const fl_json *manifest, size_t size,
			      fl_json *platform)
{
	fl_json *descriptor = fl_json_new_object();
	const char *type = fl_json_text(fl_json_get(manifest, "mediaType"));

	fl_json_set(descriptor, "mediaType",
		    fl_json_new_text(type ? type : "application/vnd.oci.image.manifest.v1+json"));
	fl_json_set(descriptor, "digest", fl_json_new_text(image->digest));
	fl_json_set(descriptor, "size", fl_json_new_int((int64_t)size));
	fl_json_set(descriptor, "platform", platform);
	return descriptor;
}

/* Manifest and name last: what is named is whole. */
static int finish(struct get *get, const struct fl_str *text, const fl_json *manifest,
		  struct fl_image *image, struct fl_err *err)
{
	char digest[FL_DIGEST_TEXT];
	fl_json *platform;

	if (fl_store_put(get->store, text->data, text->len, digest, err) < 0 ||
	    fl_image_load(get->store, digest, image, err) < 0)
		return -1;
	platform = platform_of(get, image);
	if (fl_image_rank(platform, get->options->platform))
		return fl_store_name(get->store, get->reference.text,
				     descriptor_of(image, manifest, text->len, platform), err);
	fl_json_unref(platform);
	fl_err_set(err, FL_ERR_UNSUPPORTED, "the image is for %s, not for %s; choose with --platform",
		   image->platform, get->options->platform);
	fl_image_finish(image);
	return -1;
}

/* Whether the store has it whole under that name already. */
static bool have(struct get *get, struct fl_image *image)
{
	fl_cleanup_json fl_json *found =
		fl_store_find(get->store, get->reference.text, get->options->platform);
	const char *digest = fl_json_text(fl_json_get(found, "digest"));
	const fl_json *platform = fl_json_get(found, "platform");

	/* The registry may have a better one than what fits in some way. */
	if (get->options->policy == FL_GET_MISSING && platform &&
	    fl_image_rank(platform, get->options->platform) < FL_IMAGE_FITS_EXACTLY)
		return false;
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

static int bring_from_source(struct get *get, struct fl_image *image, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *manifest = NULL;

	fl_json_unref(get->platform);
	get->platform = NULL;
	if (read_manifest(get, &text, &manifest, err) < 0 ||
	    fetch_missing(get, manifest, err) < 0)
		return -1;
	return finish(get, &text, manifest, image, err);
}

static int bring_from_host(struct get *get, const char *host, const char *name,
			   struct fl_image *image, struct fl_err *err)
{
	int rc;

	fl_registry_init(&get->registry, host, name, &get->options->registry,
			 get->options->cancel);
	get->source.registry = &get->registry;
	rc = bring_from_source(get, image, err);
	close_registry(get);
	return rc;
}

/* A mirror that is away, does not know the image, or lies. What the image itself is does not
 * change with whom is asked. */
static bool is_mirrors_fault(enum fl_err_kind kind)
{
	static const enum fl_err_kind kinds[] = {
		FL_ERR_UNAVAILABLE, FL_ERR_NOT_FOUND, FL_ERR_UNAUTHENTICATED, FL_ERR_DENIED,
		FL_ERR_CORRUPT,     FL_ERR_INVALID,
	};

	for (size_t i = 0; i < FL_COUNT(kinds); i++)
		if (kinds[i] == kind)
			return true;
	return false;
}

/* 0 done; 1: the next one is to be asked; -1. mirror is "host[:port][/path]". */
static int try_mirror(struct get *get, const char *mirror, struct fl_image *image,
		      struct fl_err *err)
{
	fl_cleanup_free char *host = fl_strndup(mirror, strcspn(mirror, "/"));
	fl_cleanup_free char *name =
		fl_asprintf("%s%s%s", mirror + strlen(host) + (mirror[strlen(host)] == '/'),
			    mirror[strlen(host)] ? "/" : "", get->reference.name);
	struct fl_err why = { 0 };

	if (bring_from_host(get, host, name, image, &why) == 0) {
		fl_log(FL_LOG_DEBUG, "%s: from the mirror %s", get->reference.text, mirror);
		return 0;
	}
	if (!is_mirrors_fault(why.kind))
		return fl_err_set(err, why.kind, "%s", why.text);
	fl_log(FL_LOG_DEBUG, "%s: not from the mirror %s: %s", get->reference.text, mirror, why.text);
	return 1;
}

static int bring_from_registry(struct get *get, struct fl_image *image, struct fl_err *err)
{
	struct fl_host_config said =
		fl_config_host(&get->options->registry.config, get->reference.host);
	int rc = 1;

	for (size_t i = 0; rc == 1 && i < fl_json_count(said.mirrors); i++)
		rc = try_mirror(get, fl_json_text(fl_json_item(said.mirrors, i)), image, err);
	if (rc != 1)
		return rc;
	return bring_from_host(get, get->reference.host, get->reference.name, image, err);
}

static int bring(struct get *get, struct fl_image *image, struct fl_err *err)
{
	if (get->options->policy != FL_GET_ALWAYS && have(get, image))
		return 0;
	if (get->options->policy == FL_GET_NEVER)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "not in the store, and --pull=never");
	if (!get->reference.folder)
		return bring_from_registry(get, image, err);
	get->source.folder = get->reference.folder;
	return bring_from_source(get, image, err);
}

int fl_get(const struct fl_store *store, const char *text, const struct fl_get_options *options,
	   struct fl_image *image, struct fl_err *err)
{
	struct get get = { .store = store, .options = options };
	fl_cleanup_close int lock = -1;
	int rc;

	if (fl_reference_parse(text, &get.reference, err) < 0)
		return -1;
	lock = fl_store_lock(store, false, err);
	rc = lock < 0 ? -1 : bring(&get, image, err);
	if (rc < 0)
		fl_err_prefix(err, "%s", get.reference.text);
	get_finish(&get);
	return rc;
}
