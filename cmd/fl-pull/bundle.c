/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/signatures.h"

#include "common/base64.h"
#include "common/ecdsa.h"

#define PAYLOAD_TYPE "application/vnd.in-toto+json"
#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
/* With the same key other things are said of an image, such as what it was built from. */
#define PREDICATE_TYPE "https://sigstore.dev/cosign/sign/v1"
#define MOST_IN_ENVELOPE 10

/* Whether what was signed speaks of this image. */
static bool names(const fl_json *statement, const char *digest)
{
	const fl_json *subjects = fl_json_get(statement, "subject");

	if (!fl_str_equal(fl_json_text(fl_json_get(statement, "_type")), STATEMENT_TYPE))
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

static bool is_signed(const fl_json *signatures, const char *key, const struct fl_str *payload)
{
	fl_cleanup_str struct fl_str encoded = FL_STR_INIT;

	encode(payload, &encoded);
	for (size_t i = 0; i < fl_json_count(signatures) && i < MOST_IN_ENVELOPE; i++) {
		const char *text = fl_json_text(fl_json_get(fl_json_item(signatures, i), "sig"));
		fl_cleanup_str struct fl_str signature = FL_STR_INIT;

		if (text && fl_base64_decode(text, &signature) && signature.len &&
		    fl_ecdsa_verify(key, encoded.data, encoded.len, signature.data, signature.len,
				    NULL) > 0)
			return true;
	}
	return false;
}

static enum fl_signed check_envelope(const fl_json *envelope, const char *key, const char *digest)
{
	const char *text = fl_json_text(fl_json_get(envelope, "payload"));
	const char *type = fl_json_text(fl_json_get(envelope, "payloadType"));
	fl_cleanup_str struct fl_str payload = FL_STR_INIT;
	fl_cleanup_json fl_json *statement = NULL;

	if (!fl_str_equal(type, PAYLOAD_TYPE) || !text || !fl_base64_decode(text, &payload))
		return FL_SIGNED_OTHERWISE;
	statement = fl_json_parse(payload.data ? payload.data : "", payload.len, "payload", NULL);
	if (statement &&
	    !fl_str_equal(fl_json_text(fl_json_get(statement, "predicateType")), PREDICATE_TYPE))
		return FL_SIGNED_NONE;
	if (names(statement, digest) && is_signed(fl_json_get(envelope, "signatures"), key, &payload))
		return FL_SIGNED_GOOD;
	return FL_SIGNED_OTHERWISE;
}

enum fl_signed fl_signed_envelope(const char *text, size_t size, const char *key,
				  const char *digest)
{
	fl_cleanup_json fl_json *bundle = fl_json_parse(text, size, "bundle", NULL);

	return check_envelope(fl_json_get(bundle, "dsseEnvelope"), key, digest);
}

enum fl_signed fl_signed_bundle(struct fl_source *source, const char *key, const char *digest,
				const fl_json *manifest, struct fl_err *err)
{
	const fl_json *layer = fl_json_item(fl_json_get(manifest, "layers"), 0);
	const char *type = fl_json_text(fl_json_get(layer, "mediaType"));
	const char *blob = fl_json_text(fl_json_get(layer, "digest"));
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct fl_err why = { 0 };

	if (!type || !fl_str_starts(type, FL_SIGNED_BUNDLE_TYPE))
		return FL_SIGNED_NONE;
	if (!blob || !fl_digest_is_valid(blob))
		return FL_SIGNED_OTHERWISE;
	if (fl_source_blob(source, blob, &text, &why) < 0)
		return fl_signed_unread(&why, err);
	return fl_signed_envelope(text.data ? text.data : "", text.len, key, digest);
}
