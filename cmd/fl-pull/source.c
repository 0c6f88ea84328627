/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/source.h"

#include "cmd/fl-pull/entries.h"
#include "common/alloc.h"
#include "common/image.h"

#include <string.h>

/* Where containerd puts the whole name. */
#define FULL_NAME "io.containerd.image.name"

void fl_source_open_registry(struct fl_source *source, const struct fl_reference *reference,
			     const char *host, const char *name, const char *wanted,
			     const struct fl_registry_options *options,
			     const struct fl_cancel *cancel)
{
	*source = (struct fl_source){ .reference = reference, .wanted = wanted,
				      .layout = FL_LAYOUT_INIT };
	fl_registry_init(&source->registry, host, name, options, cancel);
}

int fl_source_open_layout(struct fl_source *source, const struct fl_reference *reference,
			  const char *wanted, const struct fl_cancel *cancel, struct fl_err *err)
{
	*source = (struct fl_source){ .reference = reference, .wanted = wanted,
				      .layout = FL_LAYOUT_INIT };
	if (reference->archive)
		return fl_layout_open_archive(&source->layout, reference->archive,
					      reference->is_docker, cancel, err);
	return fl_layout_open_folder(&source->layout, reference->folder, err);
}

void fl_source_close(struct fl_source *source)
{
	if (source->registry.http)
		fl_registry_finish(&source->registry);
	fl_layout_close(&source->layout);
	fl_json_unref(source->index);
	fl_json_unref(source->platform);
	free(source->own_name);
	*source = (struct fl_source)FL_SOURCE_INIT;
}

static int read_layout_blob(struct fl_source *source, const char *digest, struct fl_str *text,
			    struct fl_err *err)
{
	fl_cleanup_free char *name = NULL;

	if (fl_digest_check(digest, err) < 0)
		return -1;
	name = fl_asprintf("blobs/sha256/%s", fl_digest_hex(digest));
	return fl_layout_read(&source->layout, name, text, err);
}

/* The image's name in full form, when the descriptor has one that says its host or path;
 * caller frees. */
static char *name_of(const fl_json *descriptor)
{
	const char *full = fl_json_text(
		fl_json_get(fl_json_get(descriptor, "annotations"), FULL_NAME));
	fl_cleanup_reference struct fl_reference reference = { 0 };

	full = full ? full : fl_store_name_of(descriptor);
	if (!full || (!strchr(full, ':') && !strchr(full, '/')) ||
	    fl_reference_parse(full, &reference, NULL) < 0)
		return NULL;
	return fl_strdup(reference.text);
}

/* "12", or the whole name in any of its forms. */
static bool is_tagged(const fl_json *descriptor, const char *tag)
{
	fl_cleanup_reference struct fl_reference wanted = { 0 };
	fl_cleanup_free char *name = NULL;

	if (!tag || fl_store_is_named(descriptor, tag))
		return true;
	name = name_of(descriptor);
	return name && fl_reference_parse(tag, &wanted, NULL) == 0 &&
	       strcmp(wanted.text, name) == 0;
}

/* What a person may name instead. */
static int not_one(const struct fl_source *source, const fl_json *list, bool several,
		   struct fl_err *err)
{
	fl_cleanup_str struct fl_str tags = FL_STR_INIT;

	for (size_t i = 0; i < fl_json_count(list) && tags.len < 300; i++) {
		const char *tag = fl_store_name_of(fl_json_item(list, i));

		if (tag)
			fl_str_addf(&tags, " %.100s", tag);
	}
	return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: %s image%s%s for %s in it; name one with :TAG "
			  "behind: it has%s", source->layout.path, several ? "more than one" : "no",
			  source->reference->tag ? " tagged " : "",
			  source->reference->tag ? source->reference->tag : "", source->wanted,
			  tags.len ? tags.data : " none with a tag");
}

/* The digest of the tag in a layout's index.json; without a tag there must be only one. */
static int find_in_layout(struct fl_source *source, char digest[static FL_DIGEST_TEXT],
			  struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *index = NULL;
	const fl_json *list, *found = NULL;
	size_t matches = 0;
	int best = 0;

	if (fl_layout_read(&source->layout, "index.json", &text, err) < 0)
		return -1;
	index = fl_json_parse(text.data ? text.data : "", text.len, "index.json", err);
	if (!index)
		return -1;
	list = fl_json_get(index, "manifests");
	for (size_t i = 0; i < fl_json_count(list); i++) {
		const fl_json *one = fl_json_item(list, i);
		const fl_json *platform = fl_json_get(one, "platform");
		int rank = platform ? fl_image_rank(platform, source->wanted) : 1;

		if (!is_tagged(one, source->reference->tag) || !rank || rank < best)
			continue;
		matches = rank > best ? 1 : matches + 1;
		best = rank;
		found = one;
	}
	if (matches != 1 || !fl_json_text(fl_json_get(found, "digest")))
		return not_one(source, list, matches, err);
	source->own_name = name_of(found);
	snprintf(digest, FL_DIGEST_TEXT, "%s", fl_json_text(fl_json_get(found, "digest")));
	return fl_digest_check(digest, err);
}

static int check_digest(const struct fl_str *text, const char *digest, struct fl_err *err)
{
	char real[FL_DIGEST_TEXT];

	fl_digest_of(text->data, text->len, real);
	if (strcmp(real, digest) == 0)
		return 0;
	return fl_err_set(err, FL_ERR_CORRUPT, "%s: what came has another digest, %s", digest,
			  real);
}

int fl_source_digest(struct fl_source *source, const char *digest, struct fl_str *text,
		     struct fl_err *err)
{
	int rc = source->registry.http ? fl_registry_manifest(&source->registry, digest, text, err)
				    : read_layout_blob(source, digest, text, err);

	return rc < 0 ? -1 : check_digest(text, digest, err);
}

static int read_first(struct fl_source *source, struct fl_str *text, struct fl_err *err)
{
	char digest[FL_DIGEST_TEXT];

	if (source->reference->digest)
		return fl_source_digest(source, source->reference->digest, text, err);
	if (source->registry.http)
		return fl_registry_manifest(&source->registry, source->reference->tag, text, err);
	if (find_in_layout(source, digest, err) < 0)
		return -1;
	return fl_source_digest(source, digest, text, err);
}

/* From an index to its manifest for the platform: the text and the document. */
static int descend(struct fl_source *source, struct fl_str *text, fl_json **doc, struct fl_err *err)
{
	const fl_json *chosen = fl_entries_choose(source, doc, err);
	const char *given = fl_json_text(fl_json_get(chosen, "digest"));
	char digest[FL_DIGEST_TEXT];

	if (!chosen || fl_digest_check(given ? given : "", err) < 0)
		return -1;
	snprintf(digest, sizeof(digest), "%s", given);
	fl_digest_of(text->data, text->len, source->index_digest);
	fl_str_clear(text);
	if (fl_source_digest(source, digest, text, err) < 0)
		return -1;
	source->platform = fl_json_ref(fl_json_get(chosen, "platform"));
	source->index = *doc;
	*doc = fl_json_parse(text->data ? text->data : "", text->len, digest, err);
	return *doc ? 0 : -1;
}

static void forget(struct fl_source *source)
{
	fl_json_unref(source->index);
	fl_json_unref(source->platform);
	source->index = source->platform = NULL;
	*source->index_digest = 0;
}

fl_json *fl_source_manifest(struct fl_source *source, struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_json fl_json *doc = NULL;

	forget(source);
	if (read_first(source, text, err) < 0)
		return NULL;
	doc = fl_json_parse(text->data ? text->data : "", text->len, "manifest", err);
	if (!doc || (fl_entries_is_index(doc) && descend(source, text, &doc, err) < 0) ||
	    fl_image_check_manifest(doc, "the manifest", err) < 0)
		return NULL;
	return fl_json_ref(doc);
}

int fl_source_tag(struct fl_source *source, const char *tag, struct fl_str *text,
		  struct fl_err *err)
{
	fl_cleanup_str struct fl_str index = FL_STR_INIT;
	fl_cleanup_json fl_json *doc = NULL;
	const fl_json *list;

	if (source->registry.http)
		return fl_registry_manifest(&source->registry, tag, text, err);
	if (fl_layout_read(&source->layout, "index.json", &index, err) < 0)
		return -1;
	doc = fl_json_parse(index.data ? index.data : "", index.len, "index.json", err);
	list = fl_json_get(doc, "manifests");
	for (size_t i = 0; i < fl_json_count(list); i++) {
		const char *digest = fl_json_text(fl_json_get(fl_json_item(list, i), "digest"));

		if (digest && fl_store_is_named(fl_json_item(list, i), tag))
			return fl_source_digest(source, digest, text, err);
	}
	return doc ? fl_err_set(err, FL_ERR_NOT_FOUND, "%s: has no %s", source->layout.path, tag)
		   : -1;
}

/* Some registries answer what they do not know with a page for people. */
static fl_json *read_index(const struct fl_str *text)
{
	fl_cleanup_json fl_json *doc =
		fl_json_parse(text->data ? text->data : "", text->len, "referrers", NULL);

	return fl_entries_is_index(doc) ? fl_json_ref(doc) : NULL;
}

fl_json *fl_source_referrers(struct fl_source *source, const char *digest, struct fl_err *err)
{
	fl_cleanup_free char *tag = fl_asprintf("sha256-%s", fl_digest_hex(digest));
	fl_cleanup_str struct fl_str listed = FL_STR_INIT, tagged = FL_STR_INIT;
	struct fl_err why = { .kind = FL_ERR_NOT_FOUND };
	fl_cleanup_json fl_json *index = NULL;

	if (source->registry.http &&
	    fl_registry_referrers(&source->registry, digest, &listed, &why) == 0)
		index = read_index(&listed);
	if (index && fl_json_count(fl_json_get(index, "manifests")))
		return fl_json_ref(index);
	if (fl_source_tag(source, tag, &tagged, err) == 0) {
		fl_json *other = read_index(&tagged);

		if (!other)
			fl_err_set(err, FL_ERR_CORRUPT, "%s: is no index of what refers to the image", tag);
		return other;
	}
	if (!index && why.kind != FL_ERR_NOT_FOUND)
		fl_err_pass(err, &why);
	return NULL;
}

int fl_source_blob(struct fl_source *source, const char *digest, struct fl_str *text,
		   struct fl_err *err)
{
	int rc = source->registry.http
			 ? fl_registry_small_blob(&source->registry, digest, text, err)
			 : read_layout_blob(source, digest, text, err);

	return rc < 0 ? -1 : check_digest(text, digest, err);
}
