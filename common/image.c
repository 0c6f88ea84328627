/* SPDX-License-Identifier: MPL-2.0 */
/* What manifests and configs say. */
#include "common/image.h"

#include "common/alloc.h"
#include "common/arch.h"
#include "common/num.h"

#include <string.h>

#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

static const char *const layer_types[] = {
	OCI "layer.v1.tar",
	OCI "layer.v1.tar+gzip",
	OCI "layer.v1.tar+zstd",
	DOCKER "image.rootfs.diff.tar",
	DOCKER "image.rootfs.diff.tar.gzip",
	DOCKER "image.rootfs.diff.tar.zstd",
};

bool fl_image_is_index(const char *media_type)
{
	return fl_str_equal(media_type, OCI "index.v1+json") ||
	       fl_str_equal(media_type, DOCKER "distribution.manifest.list.v2+json");
}

/* What a machine is when its variant is not said. */
static const char *usual_variant(const char *arch)
{
	static const char *const usual[][2] = {
		{ "arm", "v7" }, { "arm64", "v8" }, { "amd64", "v1" },
	};

	for (size_t i = 0; arch && i < FL_COUNT(usual); i++)
		if (strcmp(usual[i][0], arch) == 0)
			return usual[i][1];
	return NULL;
}

/* The number of "v7"; -1 when it is none. */
static int level(const char *variant)
{
	uint64_t number;

	if (!variant || *variant != 'v' || fl_num_u64(variant + 1, 0, 30, &number, NULL) < 0)
		return -1;
	return (int)number;
}

static int rank_variants(const char *has, const char *wanted, const char *usual)
{
	const char *real = has ? has : usual, *meant = wanted ? wanted : usual;

	if (fl_str_equal(has, wanted))
		return FL_IMAGE_FITS_EXACTLY + 2;
	if (real && fl_str_equal(real, meant))
		return FL_IMAGE_FITS_EXACTLY + 1;
	if (!has)
		return FL_IMAGE_FITS_EXACTLY;
	/* A machine runs what was made for the ones before it. */
	if (level(has) >= 0 && level(has) < level(meant))
		return 2 + level(has);
	return !wanted;
}

int fl_image_rank(const fl_json *platform, const char *wanted)
{
	const char *os = fl_json_text(fl_json_get(platform, "os"));
	const char *arch = fl_json_text(fl_json_get(platform, "architecture"));
	const char *variant = fl_json_text(fl_json_get(platform, "variant"));
	fl_cleanup_free char *bare = fl_asprintf("%s/%s", os ? os : "", arch ? arch : "");
	size_t len = strlen(bare);

	wanted = fl_arch_platform(wanted);
	if (strncmp(wanted, bare, len) != 0 || (wanted[len] && wanted[len] != '/'))
		return 0;
	return rank_variants(variant && *variant ? variant : NULL,
			     wanted[len] ? wanted + len + 1 : NULL, usual_variant(arch));
}

bool fl_image_is_attestation(const fl_json *descriptor)
{
	return fl_str_equal(fl_json_text(fl_json_at(descriptor, "platform.os")), "unknown");
}

char *fl_image_platform_text(const fl_json *platform)
{
	const char *os = fl_json_text(fl_json_get(platform, "os"));
	const char *arch = fl_json_text(fl_json_get(platform, "architecture"));
	const char *variant = fl_json_text(fl_json_get(platform, "variant"));

	return fl_asprintf("%s/%s%s%s", os ? os : "linux", arch ? arch : "unknown", variant ? "/" : "",
			   variant ? variant : "");
}

static int check_descriptor(const fl_json *descriptor, const char *name, const char *what,
			    struct fl_err *err)
{
	const char *digest = fl_json_text(fl_json_get(descriptor, "digest"));
	const fl_json *size = fl_json_get(descriptor, "size");

	if (!digest || !fl_digest_is_valid(digest))
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: %s has no sha256 digest", name, what);
	if (!fl_json_is_int(size) || fl_json_int(size) < 0)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: %s %s has no size", name, what, digest);
	return 0;
}

/* Artifacts that are no images have the same manifest, and a config of another type. */
static int check_config(const fl_json *config, const char *name, struct fl_err *err)
{
	const char *type = fl_json_text(fl_json_get(config, "mediaType"));

	if (check_descriptor(config, name, "the config", err) < 0)
		return -1;
	if (fl_str_equal(type, OCI "config.v1+json") ||
	    fl_str_equal(type, DOCKER "container.image.v1+json"))
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED,
			  "%s: the config has the type \"%.200s\", which is not an image's", name,
			  type ? type : "");
}

static int check_layer(const fl_json *layer, const char *name, struct fl_err *err)
{
	const char *type = fl_json_text(fl_json_get(layer, "mediaType"));

	if (check_descriptor(layer, name, "a layer", err) < 0)
		return -1;
	for (size_t i = 0; i < FL_COUNT(layer_types); i++)
		if (fl_str_equal(type, layer_types[i]))
			return 0;
	return fl_err_set(
		err, FL_ERR_UNSUPPORTED,
		"%s: a layer has the type \"%.200s\", which is not a tar, tar+gzip or tar+zstd",
		name, type ? type : "");
}

int fl_image_check_manifest(const fl_json *manifest, const char *name, struct fl_err *err)
{
	const fl_json *layers = fl_json_get(manifest, "layers");
	const char *type = fl_json_text(fl_json_get(manifest, "mediaType"));

	if (type && strcmp(type, OCI "manifest.v1+json") != 0 &&
	    strcmp(type, DOCKER "distribution.manifest.v2+json") != 0)
		return fl_err_set(err, FL_ERR_UNSUPPORTED,
				  "%s: \"%.200s\" is not an image manifest", name, type);
	if (fl_json_int(fl_json_get(manifest, "schemaVersion")) != 2 || !fl_json_is_array(layers))
		return fl_err_set(err, FL_ERR_UNSUPPORTED,
				  "%s: not an image manifest of schema version 2", name);
	if (check_config(fl_json_get(manifest, "config"), name, err) < 0)
		return -1;
	for (size_t i = 0; i < fl_json_count(layers); i++)
		if (check_layer(fl_json_item(layers, i), name, err) < 0)
			return -1;
	return 0;
}

static void take_layers(struct fl_image *image, const fl_json *layers, const fl_json *diff_ids)
{
	image->layer_count = fl_json_count(layers);
	image->layers = fl_alloc_zero(image->layer_count, sizeof(*image->layers));
	for (size_t i = 0; i < image->layer_count; i++) {
		const fl_json *layer = fl_json_item(layers, i);

		image->layers[i] = (struct fl_layer){
			.digest = fl_strdup(fl_json_text(fl_json_get(layer, "digest"))),
			.diff_id = fl_strdup(fl_json_text(fl_json_item(diff_ids, i))),
			.media_type = fl_strdup(fl_json_text(fl_json_get(layer, "mediaType"))),
			.size = (uint64_t)fl_json_int(fl_json_get(layer, "size")),
		};
		image->size += image->layers[i].size;
	}
}

static int check_diff_ids(const fl_json *diff_ids, size_t layers, const char *name,
			  struct fl_err *err)
{
	if (fl_json_count(diff_ids) != layers)
		return fl_err_set(err, FL_ERR_CORRUPT,
				  "%s: the config names %zu layers and the manifest %zu", name,
				  fl_json_count(diff_ids), layers);
	for (size_t i = 0; i < layers; i++) {
		const char *id = fl_json_text(fl_json_item(diff_ids, i));

		if (!id || !fl_digest_is_valid(id))
			return fl_err_set(err, FL_ERR_CORRUPT, "%s: diff_id %zu is not a digest",
					  name, i);
	}
	return 0;
}

static void take_chain(struct fl_image *image)
{
	fl_cleanup_free const char **ids = fl_alloc_zero(image->layer_count, sizeof(*ids));

	for (size_t i = 0; i < image->layer_count; i++)
		ids[i] = image->layers[i].diff_id;
	fl_digest_chain(ids, image->layer_count, image->chain_id);
}

int fl_image_load(const struct fl_store *store, const char *digest, struct fl_image *image,
		  struct fl_err *err)
{
	fl_cleanup_json fl_json *manifest = fl_store_read(store, digest, err);
	fl_cleanup_json fl_json *config = NULL;
	const fl_json *layers, *diff_ids;

	memset(image, 0, sizeof(*image));
	if (!manifest || fl_image_check_manifest(manifest, digest, err) < 0)
		return -1;
	snprintf(image->digest, sizeof(image->digest), "%s", digest);
	snprintf(image->config, sizeof(image->config), "%s",
		 fl_json_text(fl_json_at(manifest, "config.digest")));
	config = fl_store_read(store, image->config, err);
	if (!config)
		return -1;
	layers = fl_json_get(manifest, "layers");
	diff_ids = fl_json_at(config, "rootfs.diff_ids");
	if (check_diff_ids(diff_ids, fl_json_count(layers), image->config, err) < 0)
		return -1;
	take_layers(image, layers, diff_ids);
	image->platform = fl_image_platform_text(config);
	take_chain(image);
	return 0;
}

fl_json *fl_image_platform(const struct fl_image *image)
{
	static const char *const keys[] = { "os", "architecture", "variant" };
	fl_json *platform = fl_json_new_object();
	fl_cleanup_free char *parts = fl_strdup(image->platform);
	char *rest = NULL, *part = strtok_r(parts, "/", &rest);

	for (size_t i = 0; part && i < FL_COUNT(keys); i++, part = strtok_r(NULL, "/", &rest))
		fl_json_set(platform, keys[i], fl_json_new_text(part));
	return platform;
}

void fl_image_finish(struct fl_image *image)
{
	for (size_t i = 0; i < image->layer_count; i++) {
		free(image->layers[i].digest);
		free(image->layers[i].diff_id);
		free(image->layers[i].media_type);
	}
	free(image->layers);
	free(image->platform);
	memset(image, 0, sizeof(*image));
}
