/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/verify.h"

#include "cmd/fl-pull/signatures.h"
#include "common/ecdsa.h"
#include "common/io.h"

#include <fcntl.h>

#define KEY_LIMIT (64 << 10)

static fl_signed_place *const places[] = { fl_signed_tag, fl_signed_referrers };

int fl_verify_read_key(const char *file, struct fl_str *key, struct fl_err *err)
{
	if (fl_io_read_file(AT_FDCWD, file, KEY_LIMIT, key, err) < 0)
		return -1;
	fl_str_add(key, "");
	return fl_ecdsa_verify(key->data, "", 0, "", 0, err) < 0 ? fl_err_prefix(err, "%s", file)
								 : 0;
}

static enum fl_signed look_beside(struct fl_source *source, const char *key, const char *digest,
				  struct fl_err *err)
{
	enum fl_signed best = FL_SIGNED_NONE;

	for (size_t i = 0; best != FL_SIGNED_GOOD && i < FL_COUNT(places); i++)
		best = fl_signed_higher(best, places[i](source, key, digest, err));
	return best;
}

int fl_verify(struct fl_source *source, const char *key, const char *digest, struct fl_err *err)
{
	struct fl_err why = { 0 };
	enum fl_signed is = *source->index_digest
				    ? look_beside(source, key, source->index_digest, &why)
				    : FL_SIGNED_NONE;

	if (is != FL_SIGNED_GOOD)
		is = fl_signed_higher(is, look_beside(source, key, digest, &why));
	switch (is) {
	case FL_SIGNED_GOOD:
		return 0;
	case FL_SIGNED_UNKNOWN:
		return fl_err_pass(err, &why);
	case FL_SIGNED_OTHERWISE:
		return fl_err_set(err, FL_ERR_DENIED, "%s: of its signatures none is good and made with "
				  "the key that is asked for", digest);
	case FL_SIGNED_NONE:
		break;
	}
	return fl_err_set(err, FL_ERR_DENIED, "%s: not signed, and a signature is asked for", digest);
}
