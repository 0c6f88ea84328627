/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/signatures.h"

#include "common/base64.h"
#include "common/ecdsa.h"

#define PAYLOAD_TYPE "application/vnd.dev.cosign.simplesigning.v1+json"
#define SIGNATURE "dev.cosignproject.cosign/signature"
#define CLAIM_TYPE "cosign container image signature"

/* What was signed must speak of this image. */
static bool claims(const struct fl_str *payload, const char *digest)
{
	fl_cleanup_json fl_json *doc =
		fl_json_parse(payload->data ? payload->data : "", payload->len, "payload", NULL);
	const fl_json *critical = fl_json_get(doc, "critical");

	return fl_str_equal(fl_json_text(fl_json_get(critical, "type")), CLAIM_TYPE) &&
	       fl_str_equal(fl_json_text(fl_json_at(critical, "image.docker-manifest-digest")),
			    digest);
}

static enum fl_signed check_layer(struct fl_source *source, const char *key, const char *digest,
				  const fl_json *layer, struct fl_err *err)
{
	const char *text = fl_json_text(fl_json_get(fl_json_get(layer, "annotations"), SIGNATURE));
	const char *blob = fl_json_text(fl_json_get(layer, "digest"));
	fl_cleanup_str struct fl_str payload = FL_STR_INIT, signature = FL_STR_INIT;
	struct fl_err why = { 0 };

	if (!fl_str_equal(fl_json_text(fl_json_get(layer, "mediaType")), PAYLOAD_TYPE))
		return FL_SIGNED_NONE;
	if (!text || !blob || !fl_digest_is_valid(blob) || !fl_base64_decode(text, &signature) ||
	    !signature.len)
		return FL_SIGNED_OTHERWISE;
	if (fl_source_blob(source, blob, &payload, &why) < 0)
		return fl_signed_unread(&why, err);
	if (claims(&payload, digest) &&
	    fl_ecdsa_verify(key, payload.data, payload.len, signature.data, signature.len, NULL) > 0)
		return FL_SIGNED_GOOD;
	return FL_SIGNED_OTHERWISE;
}

enum fl_signed fl_signed_payloads(struct fl_source *source, const char *key, const char *digest,
				  const fl_json *manifest, struct fl_err *err)
{
	const fl_json *layers = fl_json_get(manifest, "layers");
	size_t count = fl_json_count(layers);
	enum fl_signed best = FL_SIGNED_NONE;

	for (size_t i = 0; best != FL_SIGNED_GOOD && i < count && i < FL_SIGNATURES_MOST; i++)
		best = fl_signed_higher(best, check_layer(source, key, digest,
							  fl_json_item(layers, i), err));
	return best;
}
