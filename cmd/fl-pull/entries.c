/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/entries.h"

#include "common/image.h"

#define DEEPEST 1           /* indexes within the index */
#define MOST_LOOKED_INTO 16 /* each costs a request or two */

struct entries {
	struct fl_source *source;
	fl_json *list; /* descriptors, as far as they can be with a platform */
	size_t looked_into;
};

bool fl_entries_is_index(const fl_json *doc)
{
	return fl_image_is_index(fl_json_text(fl_json_get(doc, "mediaType"))) ||
	       fl_json_is_array(fl_json_get(doc, "manifests"));
}

static bool is_nested(const fl_json *entry)
{
	return fl_image_is_index(fl_json_text(fl_json_get(entry, "mediaType")));
}

static bool is_said(const fl_json *text)
{
	return fl_json_text(text) && *fl_json_text(text);
}

static bool says_platform(const fl_json *entry)
{
	return is_said(fl_json_at(entry, "platform.os")) &&
	       is_said(fl_json_at(entry, "platform.architecture"));
}

/* What the entry leads to; NULL when that is not there to be looked into. */
static int read_entry(struct entries *entries, const fl_json *entry, fl_json **doc,
		      struct fl_err *err)
{
	const char *digest = fl_json_text(fl_json_get(entry, "digest"));
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct fl_err why = { 0 };

	*doc = NULL;
	if (!digest || !fl_digest_is_valid(digest) || entries->looked_into++ >= MOST_LOOKED_INTO)
		return 0;
	if (fl_source_digest(entries->source, digest, &text, &why) < 0)
		return why.kind == FL_ERR_NOT_FOUND ? 0 : fl_err_pass(err, &why);
	*doc = fl_json_parse(text.data ? text.data : "", text.len, digest, NULL);
	return 0;
}

/* Into the entry, as the image's config says it; of what is no image nothing is known. */
static int put_platform(struct entries *entries, const fl_json *manifest, fl_json *entry,
			struct fl_err *err)
{
	static const char *const keys[] = { "os", "architecture", "variant" };
	const char *digest = fl_json_text(fl_json_at(manifest, "config.digest"));
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *config = NULL;
	fl_json *platform;

	if (!manifest || fl_image_check_manifest(manifest, "", NULL) < 0)
		return 0;
	if (fl_source_blob(entries->source, digest, &text, err) < 0)
		return -1;
	config = fl_json_parse(text.data ? text.data : "", text.len, digest, err);
	if (!config)
		return -1;
	platform = fl_json_new_object();
	for (size_t i = 0; i < FL_COUNT(keys); i++)
		if (is_said(fl_json_get(config, keys[i])))
			fl_json_set(platform, keys[i], fl_json_ref(fl_json_get(config, keys[i])));
	fl_json_set(entry, "platform", platform);
	return 0;
}

static int add_all(struct entries *entries, const fl_json *index, int depth, struct fl_err *err)
{
	const fl_json *list = fl_json_get(index, "manifests");

	for (size_t i = 0; i < fl_json_count(list); i++) {
		fl_json *entry = fl_json_item(list, i);
		fl_cleanup_json fl_json *doc = NULL, *copy = fl_json_copy(entry);
		bool is_known = fl_image_is_attestation(entry) || (says_platform(entry) && !is_nested(entry));
		bool is_deep = is_nested(entry) && depth == DEEPEST;

		if (!is_known && !is_deep && read_entry(entries, entry, &doc, err) < 0)
			return -1;
		if (fl_entries_is_index(doc) && depth < DEEPEST) {
			if (add_all(entries, doc, depth + 1, err) < 0)
				return -1;
			continue;
		}
		if (!fl_entries_is_index(doc) && put_platform(entries, doc, copy, err) < 0)
			return -1;
		fl_json_add(entries->list, fl_json_ref(copy));
	}
	return 0;
}

static const fl_json *best_of(const fl_json *list, const char *wanted)
{
	const fl_json *best = NULL;
	int best_rank = 0;

	for (size_t i = 0; i < fl_json_count(list); i++) {
		const fl_json *one = fl_json_item(list, i), *has = fl_json_get(one, "platform");
		int rank = has && !is_nested(one) ? fl_image_rank(has, wanted) : 0;

		if (rank <= best_rank)
			continue;
		best = one;
		best_rank = rank;
	}
	return best;
}

static void add_count(struct fl_str *known, size_t count, const char *what)
{
	if (count)
		fl_str_addf(known, "%s %zu %s", known->len ? "," : "", count, what);
}

static int none_fits(const fl_json *list, const char *wanted, struct fl_err *err)
{
	fl_cleanup_str struct fl_str known = FL_STR_INIT;
	size_t nested = 0, unsaid = 0;

	for (size_t i = 0; i < fl_json_count(list); i++) {
		const fl_json *one = fl_json_item(list, i);
		fl_cleanup_free char *text = fl_image_platform_text(fl_json_get(one, "platform"));

		if (fl_image_is_attestation(one))
			continue;
		if (is_nested(one))
			nested++;
		else if (says_platform(one))
			fl_str_addf(&known, " %s", text);
		else
			unsaid++;
	}
	add_count(&known, unsaid, "without a platform");
	add_count(&known, nested, nested > 1 ? "more indexes" : "more index");
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "no image for platform %s; there are:%s", wanted,
			  known.len ? known.data : " none");
}

const fl_json *fl_entries_choose(struct fl_source *source, fl_json **index, struct fl_err *err)
{
	struct entries entries = { .source = source };
	const fl_json *best = best_of(fl_json_get(*index, "manifests"), source->wanted);
	fl_json *whole;
	int rc;

	if (best)
		return best;
	entries.list = fl_json_new_array();
	rc = add_all(&entries, *index, 0, err);
	whole = fl_json_new_object();
	fl_json_set(whole, "manifests", entries.list);
	fl_json_unref(*index);
	*index = whole;
	if (rc < 0)
		return NULL;
	best = best_of(entries.list, source->wanted);
	if (!best)
		none_fits(entries.list, source->wanted, err);
	return best;
}
