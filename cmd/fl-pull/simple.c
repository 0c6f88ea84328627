/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/signatures.h"

#include "common/alloc.h"
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

/* 1 signed, 0 not with this key or for another image, -1. */
static int check_layer(struct fl_source *source, const char *key, const char *digest,
		       const fl_json *layer, struct fl_err *err)
{
	const char *text = fl_json_text(fl_json_get(fl_json_get(layer, "annotations"), SIGNATURE));
	const char *blob = fl_json_text(fl_json_get(layer, "digest"));
	fl_cleanup_str struct fl_str payload = FL_STR_INIT, signature = FL_STR_INIT;

	if (!text || !blob || !fl_digest_is_valid(blob) ||
	    !fl_str_equal(fl_json_text(fl_json_get(layer, "mediaType")), PAYLOAD_TYPE) ||
	    !fl_base64_decode(text, &signature) || !signature.len)
		return 0;
	if (fl_source_blob(source, blob, &payload, err) < 0)
		return -1;
	if (!claims(&payload, digest))
		return 0;
	return fl_ecdsa_verify(key, payload.data, payload.len, signature.data, signature.len, err);
}

enum fl_signed fl_signed_simple(struct fl_source *source, const char *key, const char *digest,
				struct fl_err *err)
{
	fl_cleanup_free char *tag = fl_asprintf("sha256-%s.sig", fl_digest_hex(digest));
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *manifest = NULL;
	struct fl_err why = { 0 };
	const fl_json *layers;

	if (fl_source_tag(source, tag, &text, &why) < 0) {
		if (why.kind == FL_ERR_NOT_FOUND)
			return FL_SIGNED_NONE;
		fl_err_set(err, why.kind, "%s", why.text);
		return FL_SIGNED_FAILED;
	}
	manifest = fl_json_parse(text.data ? text.data : "", text.len, tag, err);
	if (!manifest)
		return FL_SIGNED_FAILED;
	layers = fl_json_get(manifest, "layers");
	for (size_t i = 0; i < fl_json_count(layers) && i < FL_SIGNATURES_MOST; i++) {
		int good = check_layer(source, key, digest, fl_json_item(layers, i), err);

		if (good)
			return good < 0 ? FL_SIGNED_FAILED : FL_SIGNED_GOOD;
	}
	return FL_SIGNED_OTHERWISE;
}
