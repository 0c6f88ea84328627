/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/verify.h"

#include "cmd/fl-pull/signatures.h"
#include "common/ecdsa.h"
#include "common/io.h"

#include <fcntl.h>

#define KEY_LIMIT (64 << 10)

static fl_signed_form *const forms[] = { fl_signed_simple, fl_signed_bundle };

int fl_verify_read_key(const char *file, struct fl_str *key, struct fl_err *err)
{
	if (fl_io_read_file(AT_FDCWD, file, KEY_LIMIT, key, err) < 0)
		return -1;
	fl_str_add(key, "");
	return fl_ecdsa_verify(key->data, "", 0, "", 0, err) < 0 ? fl_err_prefix(err, "%s", file)
								 : 0;
}

/* The best that is said in any form. */
static enum fl_signed check_digest(struct fl_source *source, const char *key, const char *digest,
				   struct fl_err *err)
{
	enum fl_signed best = FL_SIGNED_NONE;

	for (size_t i = 0; i < FL_COUNT(forms); i++) {
		enum fl_signed one = forms[i](source, key, digest, err);

		if (one == FL_SIGNED_FAILED || one == FL_SIGNED_GOOD)
			return one;
		best = one > best ? one : best;
	}
	return best;
}

int fl_verify(struct fl_source *source, const char *key, const char *digest, struct fl_err *err)
{
	const char *const either[] = { source->index_digest, digest };
	const char *refused = NULL;

	for (size_t i = 0; i < FL_COUNT(either); i++) {
		enum fl_signed is = *either[i] ? check_digest(source, key, either[i], err)
					       : FL_SIGNED_NONE;

		if (is == FL_SIGNED_FAILED || is == FL_SIGNED_GOOD)
			return is == FL_SIGNED_GOOD ? 0 : -1;
		if (is == FL_SIGNED_OTHERWISE)
			refused = either[i];
	}
	if (!refused)
		return fl_err_set(err, FL_ERR_DENIED, "%s: not signed, and a signature is asked for",
				  digest);
	return fl_err_set(err, FL_ERR_DENIED, "%s: of its signatures none is good and made with the "
			  "key that is asked for", refused);
}
