/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pack/index.h"

#include "cmd/fl-pack/blob.h"
#include "cmd/fl-pack/layout.h"
#include "common/alloc.h"
#include "common/reference.h"

#include <string.h>
#include <sys/stat.h>

struct joining {
	const struct fl_pack_index_options *options;
	struct fl_pack_layout layout;
	fl_json *manifests;
};

/* A blob of the source that the layout has not yet, looked at on its way. */
static int copy_blob(struct joining *joining, const struct fl_store *from, const char *digest,
		     struct fl_err *err)
{
	int blobs = joining->layout.store.blobs;
	fl_cleanup_close int fd = -1;
	struct fl_pack_blob blob;
	int rc;

	if (faccessat(blobs, fl_digest_hex(digest), F_OK, 0) == 0)
		return 0;
	fd = fl_store_open_blob(from, digest, err);
	if (fd < 0)
		return -1;
	rc = fl_pack_blob_open(&blob, blobs, FL_PACK_NONE, err);
	if (rc == 0)
		rc = fl_pack_blob_copy(&blob, fd, digest, err);
	if (rc == 0)
		rc = fl_pack_blob_publish_as(&blob, digest, err);
	fl_pack_blob_finish(&blob);
	return rc;
}

static bool has_platform(const struct joining *joining, const fl_json *platform)
{
	for (size_t i = 0; i < fl_json_count(joining->manifests); i++)
		if (fl_json_equal(fl_json_get(fl_json_item(joining->manifests, i), "platform"),
				  platform))
			return true;
	return false;
}

static uint64_t size_of(const struct fl_store *store, const char *digest)
{
	struct stat st;

	return fstatat(store->blobs, fl_digest_hex(digest), &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

/* One image of the source, with all its blobs. */
static int add_image(struct joining *joining, const struct fl_store *from, const char *digest,
		     struct fl_err *err)
{
	fl_cleanup_image struct fl_image image = { 0 };
	fl_cleanup_json fl_json *manifest = fl_store_read(from, digest, err);
	fl_json *descriptor, *platform;
	const char *type;

	if (!manifest || fl_image_load(from, digest, &image, err) < 0)
		return -1;
	platform = fl_image_platform(&image);
	if (has_platform(joining, platform)) {
		fl_json_unref(platform);
		return fl_err_set(err, FL_ERR_INVALID, "two images are for %s; an index has one each",
				  image.platform);
	}
	type = fl_json_text(fl_json_get(manifest, "mediaType"));
	descriptor = fl_pack_descriptor(type ? type : FL_IMAGE_MANIFEST, digest,
					size_of(from, digest));
	fl_json_set(descriptor, "platform", platform);
	fl_json_add(joining->manifests, descriptor);
	for (size_t i = 0; i < image.layer_count; i++)
		if (copy_blob(joining, from, image.layers[i].digest, err) < 0)
			return -1;
	return copy_blob(joining, from, image.config, err) < 0 ? -1
							       : copy_blob(joining, from, digest, err);
}

/* An image, or all of an index. */
static int add_named(struct joining *joining, const struct fl_store *from,
		     const fl_json *descriptor, struct fl_err *err)
{
	const char *digest = fl_json_text(fl_json_get(descriptor, "digest"));
	fl_cleanup_json fl_json *index = NULL;
	const fl_json *inner;

	if (!digest || !fl_digest_is_valid(digest))
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: index.json names no digest", from->path);
	if (!fl_image_is_index(fl_json_text(fl_json_get(descriptor, "mediaType"))))
		return add_image(joining, from, digest, err);
	index = fl_store_read(from, digest, err);
	if (!index)
		return -1;
	inner = fl_json_get(index, "manifests");
	for (size_t i = 0; i < fl_json_count(inner); i++) {
		const char *one = fl_json_text(fl_json_get(fl_json_item(inner, i), "digest"));

		if (!one || !fl_digest_is_valid(one))
			return fl_err_set(err, FL_ERR_CORRUPT, "%s: names no digest", digest);
		if (add_image(joining, from, one, err) < 0)
			return -1;
	}
	return 0;
}

static int add_folder(struct joining *joining, const struct fl_reference *source,
		      struct fl_err *err)
{
	fl_cleanup_store struct fl_store from = { .dirfd = -1, .blobs = -1 };
	fl_cleanup_free char *mark = fl_asprintf("%s/oci-layout", source->folder);
	fl_cleanup_json fl_json *list = NULL;
	size_t found = 0;

	if (access(mark, F_OK) < 0)
		return fl_err_errno(err, errno, "%s: not an OCI image layout", source->folder);
	if (fl_store_open_folder(&from, source->folder, err) < 0)
		return -1;
	list = fl_store_list(&from, err);
	for (size_t i = 0; i < fl_json_count(list); i++) {
		const fl_json *one = fl_json_item(list, i);

		if (source->tag && !fl_store_is_named(one, source->tag))
			continue;
		if (add_named(joining, &from, one, err) < 0)
			return -1;
		found++;
	}
	if (list && !found)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "no image of that name in the layout");
	return list ? 0 : -1;
}

static int add_source(struct joining *joining, const char *text, struct fl_err *err)
{
	fl_cleanup_reference struct fl_reference source = { 0 };

	if (fl_reference_parse(text, &source, err) < 0)
		return -1;
	if (!source.folder)
		return fl_err_set(err, FL_ERR_INVALID, "%s: not of the form oci:FOLDER[:TAG]", text);
	return add_folder(joining, &source, err) < 0 ? fl_err_prefix(err, "%s", text) : 0;
}

static int join(struct joining *joining, char digest[static FL_DIGEST_TEXT], struct fl_err *err)
{
	const struct fl_pack_index_options *options = joining->options;
	fl_cleanup_json fl_json *index = fl_json_new_object();
	fl_json *descriptor;

	if (fl_pack_layout_open(&joining->layout, options->output, err) < 0)
		return -1;
	for (size_t i = 0; i < options->source_count; i++)
		if (add_source(joining, options->sources[i], err) < 0)
			return -1;
	fl_json_set(index, "schemaVersion", fl_json_new_int(2));
	fl_json_set(index, "mediaType", fl_json_new_text(FL_PACK_INDEX));
	fl_json_set(index, "manifests", fl_json_ref(joining->manifests));
	if (fl_pack_put_pairs(&options->annotations, "annotation", "annotations", index, err) < 0 ||
	    fl_pack_put_document(joining->layout.store.blobs, index, FL_PACK_INDEX, &descriptor,
				 err) < 0)
		return -1;
	snprintf(digest, FL_DIGEST_TEXT, "%s", fl_json_text(fl_json_get(descriptor, "digest")));
	if (fl_store_name(&joining->layout.store, options->tag, descriptor, err) < 0)
		return -1;
	return fl_pack_layout_close(&joining->layout, err);
}

int fl_pack_index(const struct fl_pack_index_options *options, char digest[static FL_DIGEST_TEXT],
		  size_t *count, struct fl_err *err)
{
	struct joining joining = { .options = options, .manifests = fl_json_new_array() };
	int rc = join(&joining, digest, err);

	*count = fl_json_count(joining.manifests);
	fl_pack_layout_finish(&joining.layout);
	fl_json_unref(joining.manifests);
	return rc;
}
