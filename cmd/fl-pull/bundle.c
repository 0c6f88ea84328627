/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/signatures.h"

#include "common/alloc.h"
#include "common/base64.h"
#include "common/ecdsa.h"

#define BUNDLE_TYPE "application/vnd.dev.sigstore.bundle."
#define EMPTY_TYPE "application/vnd.oci.empty.v1+json"
#define PAYLOAD_TYPE "application/vnd.in-toto+json"
#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
/* With the same key other things are said of an image, such as what it was built from. */
#define PREDICATE_TYPE "https://sigstore.dev/cosign/sign/v1"

static bool is_bundle(const fl_json *descriptor, const char *member)
{
	const char *type = fl_json_text(fl_json_get(descriptor, member));

	return type && fl_str_starts(type, BUNDLE_TYPE);
}

/* What was signed must speak of this image. */
static bool states(const struct fl_str *payload, const char *digest)
{
	fl_cleanup_json fl_json *statement =
		fl_json_parse(payload->data ? payload->data : "", payload->len, "payload", NULL);
	const fl_json *subjects = fl_json_get(statement, "subject");

	if (!fl_str_equal(fl_json_text(fl_json_get(statement, "_type")), STATEMENT_TYPE) ||
	    !fl_str_equal(fl_json_text(fl_json_get(statement, "predicateType")), PREDICATE_TYPE))
		return false;
	for (size_t i = 0; i < fl_json_count(subjects); i++)
		if (fl_str_equal(fl_json_text(fl_json_at(fl_json_item(subjects, i), "digest.sha256")),
				 fl_digest_hex(digest)))
			return true;
	return false;
}

/* DSSE's encoding before authentication: both parts with their lengths, so that none can be taken for
 * another's. */
static void encode(const struct fl_str *payload, struct fl_str *out)
{
	fl_str_addf(out, "DSSEv1 %zu %s %zu ", sizeof(PAYLOAD_TYPE) - 1, PAYLOAD_TYPE,
		    payload->len);
	fl_str_add_bytes(out, payload->data, payload->len);
}

/* 1 signed, 0 not with this key or for another image, -1. */
static int check_envelope(const fl_json *envelope, const char *key, const char *digest,
			  struct fl_err *err)
{
	const char *text = fl_json_text(fl_json_get(envelope, "payload"));
	const fl_json *signatures = fl_json_get(envelope, "signatures");
	fl_cleanup_str struct fl_str payload = FL_STR_INIT, encoded = FL_STR_INIT;
	int good = 0;

	if (!fl_str_equal(fl_json_text(fl_json_get(envelope, "payloadType")), PAYLOAD_TYPE) ||
	    !text || !fl_base64_decode(text, &payload) || !states(&payload, digest))
		return 0;
	encode(&payload, &encoded);
	for (size_t i = 0; !good && i < fl_json_count(signatures) && i < FL_SIGNATURES_MOST; i++) {
		const char *one = fl_json_text(fl_json_get(fl_json_item(signatures, i), "sig"));
		fl_cleanup_str struct fl_str signature = FL_STR_INIT;

		if (one && fl_base64_decode(one, &signature) && signature.len)
			good = fl_ecdsa_verify(key, encoded.data, encoded.len, signature.data,
					       signature.len, err);
	}
	return good;
}

/* The JSON of a blob or manifest; NULL with err when it cannot be had. */
static fl_json *read_json(struct fl_source *source, const char *digest,
			  int (*read)(struct fl_source *source, const char *digest,
				      struct fl_str *text, struct fl_err *err),
			  struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (read(source, digest, &text, err) < 0)
		return NULL;
	return fl_json_parse(text.data ? text.data : "", text.len, digest, err);
}

static enum fl_signed check_referrer(struct fl_source *source, const char *key,
				     const char *digest, const fl_json *referrer,
				     struct fl_err *err)
{
	static const enum fl_signed signed_as[] = { FL_SIGNED_FAILED, FL_SIGNED_OTHERWISE,
						    FL_SIGNED_GOOD };
	const char *at = fl_json_text(fl_json_get(referrer, "digest")), *blob;
	fl_cleanup_json fl_json *manifest = NULL, *bundle = NULL;
	const fl_json *layer;

	if (!at || !fl_digest_is_valid(at))
		return FL_SIGNED_NONE;
	manifest = read_json(source, at, fl_source_digest, err);
	if (!manifest)
		return FL_SIGNED_FAILED;
	layer = fl_json_item(fl_json_get(manifest, "layers"), 0);
	blob = fl_json_text(fl_json_get(layer, "digest"));
	if (!is_bundle(layer, "mediaType") || !blob || !fl_digest_is_valid(blob))
		return FL_SIGNED_NONE;
	bundle = read_json(source, blob, fl_source_blob, err);
	if (!bundle)
		return FL_SIGNED_FAILED;
	return signed_as[1 + check_envelope(fl_json_get(bundle, "dsseEnvelope"), key, digest, err)];
}

/* A copy of an index may have lost what it says of the kinds of its manifests, and cosign puts there
 * that of their empty configuration. */
static bool may_be_bundle(const fl_json *referrer)
{
	const char *type = fl_json_text(fl_json_get(referrer, "artifactType"));

	return !type || fl_str_equal(type, EMPTY_TYPE) || is_bundle(referrer, "artifactType");
}

enum fl_signed fl_signed_bundle(struct fl_source *source, const char *key, const char *digest,
				struct fl_err *err)
{
	enum fl_signed best = FL_SIGNED_NONE;
	struct fl_err why = { 0 };
	fl_cleanup_json fl_json *index = fl_source_referrers(source, digest, &why);
	const fl_json *referrers = fl_json_get(index, "manifests");
	size_t looked_at = 0;

	if (!index && why.kind != FL_ERR_NOT_FOUND) {
		fl_err_set(err, why.kind, "%s", why.text);
		return FL_SIGNED_FAILED;
	}
	for (size_t i = 0; i < fl_json_count(referrers) && looked_at < FL_SIGNATURES_MOST; i++) {
		const fl_json *one = fl_json_item(referrers, i);
		enum fl_signed is = FL_SIGNED_NONE;

		if (may_be_bundle(one)) {
			looked_at++;
			is = check_referrer(source, key, digest, one, err);
		}
		if (is == FL_SIGNED_FAILED || is == FL_SIGNED_GOOD)
			return is;
		best = is > best ? is : best;
	}
	return best;
}
