/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/docker.h"

#include "common/alloc.h"
#include "common/hasher.h"
#include "common/image.h"
#include "common/io.h"

#include <string.h>

#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"
#define AT_ONCE (1 << 20)
#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"

static fl_json *descriptor(const char *type, const char *digest, uint64_t size)
{
	fl_json *out = fl_json_new_object();

	fl_json_set(out, "mediaType", fl_json_new_text(type));
	fl_json_set(out, "digest", fl_json_new_text(digest));
	fl_json_set(out, "size", fl_json_new_int((int64_t)size));
	return out;
}

/* From now on the member is the blob's content. */
static void place(struct fl_layout *layout, const char *digest, const char *member)
{
	fl_cleanup_free char *name = fl_asprintf("blobs/sha256/%s", fl_digest_hex(digest));

	fl_json_set(layout->places, name, fl_json_new_text(member));
}

/* What a layer's file is: docker writes plain tars, containerd the blobs as they were. */
static const char *type_of(struct fl_layout *layout, const struct fl_tar_member *member)
{
	unsigned char magic[4] = { 0 };

	if (member->size < sizeof(magic) || fl_io_pread(layout->tar.fd, magic, sizeof(magic),
							member->offset, layout->path, NULL) < 0)
		return LAYER_TYPE;
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		return LAYER_TYPE "+gzip";
	return memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0 ? LAYER_TYPE "+zstd" : LAYER_TYPE;
}

static int hash_member(struct fl_layout *layout, const struct fl_tar_member *member,
		       char digest[static FL_DIGEST_TEXT], struct fl_err *err)
{
	fl_cleanup_free char *buffer = fl_alloc(AT_ONCE);
	struct fl_hasher *hash = fl_hasher_create();
	int rc = 0;

	for (uint64_t at = 0; rc == 0 && at < member->size;) {
		size_t now = member->size - at < AT_ONCE ? member->size - at : AT_ONCE;

		rc = fl_io_pread(layout->tar.fd, buffer, now, member->offset + at, layout->path,
				 err);
		fl_hasher_add(hash, buffer, now);
		at += now;
	}
	fl_hasher_end(hash, digest);
	fl_hasher_destroy(hash);
	return rc;
}

/* The layer's descriptor; NULL with err. The digest of a plain tar is its diff_id. */
static fl_json *arrange_layer(struct fl_layout *layout, const char *name, const char *id,
			      struct fl_err *err)
{
	const struct fl_tar_member *member = name ? fl_tar_find(&layout->tar, name) : NULL;
	char digest[FL_DIGEST_TEXT];
	const char *type;

	if (!member || !id || !fl_digest_is_valid(id)) {
		fl_err_set(err, FL_ERR_CORRUPT, "%s: layer %s is not there", layout->path,
			   name ? name : "without a name");
		return NULL;
	}
	type = type_of(layout, member);
	snprintf(digest, sizeof(digest), "%s", id);
	if (strcmp(type, LAYER_TYPE) != 0 && hash_member(layout, member, digest, err) < 0)
		return NULL;
	place(layout, digest, name);
	return descriptor(type, digest, member->size);
}

static fl_json *arrange_layers(struct fl_layout *layout, const fl_json *entry,
			       const fl_json *config, struct fl_err *err)
{
	fl_cleanup_json fl_json *list = fl_json_new_array();
	const fl_json *layers = fl_json_get(entry, "Layers");
	const fl_json *ids = fl_json_at(config, "rootfs.diff_ids");

	if (fl_json_count(layers) != fl_json_count(ids)) {
		fl_err_set(err, FL_ERR_CORRUPT,
			   "%s: a config names %zu layers and manifest.json %zu", layout->path,
			   fl_json_count(ids), fl_json_count(layers));
		return NULL;
	}
	for (size_t i = 0; i < fl_json_count(layers); i++) {
		fl_json *layer = arrange_layer(layout, fl_json_text(fl_json_item(layers, i)),
					       fl_json_text(fl_json_item(ids, i)), err);

		if (!layer)
			return NULL;
		fl_json_add(list, layer);
	}
	return fl_json_ref(list);
}

/* Takes layers; adds the manifest to the texts, its descriptor to the index, once per tag. */
static void add_manifest(struct fl_layout *layout, fl_json *config, fl_json *layers,
			 const fl_json *tags, fl_json *index)
{
	fl_cleanup_json fl_json *manifest = fl_json_new_object();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_free char *name = NULL;
	char digest[FL_DIGEST_TEXT];

	fl_json_set(manifest, "schemaVersion", fl_json_new_int(2));
	fl_json_set(manifest, "mediaType", fl_json_new_text(FL_IMAGE_MANIFEST));
	fl_json_set(manifest, "config", config);
	fl_json_set(manifest, "layers", layers);
	fl_json_print(manifest, false, &text);
	fl_digest_of(text.data, text.len, digest);
	name = fl_asprintf("blobs/sha256/%s", fl_digest_hex(digest));
	fl_json_set(layout->texts, name, fl_json_new_text(text.data));
	for (size_t i = 0; i == 0 || i < fl_json_count(tags); i++) {
		fl_json *one = descriptor(FL_IMAGE_MANIFEST, digest, text.len);
		fl_json *tag = fl_json_item(tags, i);

		if (tag)
			fl_json_put(one, "annotations", fl_json_new_object());
		if (tag)
			fl_json_set(fl_json_get(one, "annotations"), FL_STORE_NAME,
				    fl_json_ref(tag));
		fl_json_add(index, one);
	}
}

static int arrange_image(struct fl_layout *layout, const fl_json *entry, fl_json *index,
			 struct fl_err *err)
{
	const char *name = fl_json_text(fl_json_get(entry, "Config"));
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *config = NULL;
	char digest[FL_DIGEST_TEXT];
	fl_json *layers;

	if (!name || fl_layout_read(layout, name, &text, err) < 0)
		return name ? -1
			    : fl_err_set(err, FL_ERR_CORRUPT, "%s: manifest.json names no config",
					 layout->path);
	config = fl_json_parse(text.data ? text.data : "", text.len, name, err);
	layers = config ? arrange_layers(layout, entry, config, err) : NULL;
	if (!layers)
		return -1;
	fl_digest_of(text.data, text.len, digest);
	place(layout, digest, name);
	add_manifest(layout, descriptor(CONFIG_TYPE, digest, text.len), layers,
		     fl_json_get(entry, "RepoTags"), index);
	return 0;
}

int fl_docker_arrange(struct fl_layout *layout, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT, out = FL_STR_INIT;
	fl_cleanup_json fl_json *list = NULL, *index = fl_json_new_object();
	fl_json *manifests = fl_json_new_array();

	fl_json_set(index, "manifests", manifests);
	if (fl_layout_read(layout, "manifest.json", &text, err) < 0)
		return -1;
	list = fl_json_parse(text.data ? text.data : "", text.len, "manifest.json", err);
	if (!list)
		return fl_err_prefix(err, "%s", layout->path);
	for (size_t i = 0; i < fl_json_count(list); i++)
		if (arrange_image(layout, fl_json_item(list, i), manifests, err) < 0)
			return -1;
	fl_json_print(index, false, &out);
	fl_json_set(layout->texts, "index.json", fl_json_new_text(out.data));
	return 0;
}
