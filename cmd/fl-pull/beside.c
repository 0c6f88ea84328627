/* SPDX-License-Identifier: MPL-2.0 */
/* The places beside an image in which its signatures lie. */
#include "cmd/fl-pull/signatures.h"

#include "common/alloc.h"

/* The kinds of manifests that may be signatures. An index says them of what it lists, but for
 * those that cosign wrote before 3.1, with the type of an empty configuration, and copies. */
static bool may_be_signature(const fl_json *referrer)
{
	static const char *const types[] = { FL_SIGNED_BUNDLE_TYPE,
					     "application/vnd.dev.cosign.artifact.sig.",
					     "application/vnd.oci.empty." };
	const char *type = fl_json_text(fl_json_get(referrer, "artifactType"));

	for (size_t i = 0; type && i < FL_COUNT(types); i++)
		if (fl_str_starts(type, types[i]))
			return true;
	return !type;
}

enum fl_signed fl_signed_unread(const struct fl_err *why, struct fl_err *err)
{
	if (why->kind == FL_ERR_NOT_FOUND || why->kind == FL_ERR_CORRUPT ||
	    why->kind == FL_ERR_INVALID)
		return FL_SIGNED_OTHERWISE;
	if (err->kind == FL_ERR_NONE)
		*err = *why;
	return FL_SIGNED_UNKNOWN;
}

enum fl_signed fl_signed_higher(enum fl_signed a, enum fl_signed b)
{
	return a > b ? a : b;
}

enum fl_signed fl_signed_tag(struct fl_source *source, const char *key, const char *digest,
			     struct fl_err *err)
{
	fl_cleanup_free char *tag = fl_asprintf("sha256-%s.sig", fl_digest_hex(digest));
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *manifest = NULL;
	struct fl_err why = { 0 };
	enum fl_signed is;

	if (fl_source_tag(source, tag, &text, &why) < 0)
		return why.kind == FL_ERR_NOT_FOUND ? FL_SIGNED_NONE : fl_signed_unread(&why, err);
	manifest = fl_json_parse(text.data ? text.data : "", text.len, tag, NULL);
	is = fl_signed_payloads(source, key, digest, manifest, err);
	return is == FL_SIGNED_NONE ? FL_SIGNED_OTHERWISE : is;
}

static enum fl_signed check_referrer(struct fl_source *source, const char *key,
				     const char *digest, const fl_json *referrer,
				     struct fl_err *err)
{
	static fl_signed_kind *const kinds[] = { fl_signed_bundle, fl_signed_payloads };
	const char *at = fl_json_text(fl_json_get(referrer, "digest"));
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *manifest = NULL;
	enum fl_signed is = FL_SIGNED_NONE;
	struct fl_err why = { 0 };

	if (!at || !fl_digest_is_valid(at))
		return FL_SIGNED_OTHERWISE;
	if (fl_source_digest(source, at, &text, &why) < 0)
		return fl_signed_unread(&why, err);
	manifest = fl_json_parse(text.data ? text.data : "", text.len, at, NULL);
	for (size_t i = 0; is == FL_SIGNED_NONE && i < FL_COUNT(kinds); i++)
		is = kinds[i](source, key, digest, manifest, err);
	return is;
}

enum fl_signed fl_signed_referrers(struct fl_source *source, const char *key, const char *digest,
				   struct fl_err *err)
{
	struct fl_err why = { 0 };
	fl_cleanup_json fl_json *index = fl_source_referrers(source, digest, &why);
	const fl_json *referrers = fl_json_get(index, "manifests");
	enum fl_signed best = FL_SIGNED_NONE;
	size_t looked_at = 0;

	if (!index)
		return why.kind == FL_ERR_NOT_FOUND ? FL_SIGNED_NONE : fl_signed_unread(&why, err);
	for (size_t i = 0; best != FL_SIGNED_GOOD && i < fl_json_count(referrers); i++) {
		const fl_json *one = fl_json_item(referrers, i);

		if (may_be_signature(one) && looked_at++ < FL_SIGNATURES_MOST)
			best = fl_signed_higher(best, check_referrer(source, key, digest, one, err));
	}
	return best;
}
