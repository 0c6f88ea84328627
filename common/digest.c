/* SPDX-License-Identifier: MPL-2.0 */
#include "common/digest.h"

#include <stdio.h>
#include <string.h>

bool fl_digest_is_valid(const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 && strlen(text) == 71 &&
	       strspn(text + 7, "0123456789abcdef") == 64;
}

int fl_digest_check(const char *text, struct fl_err *err)
{
	if (fl_digest_is_valid(text))
		return 0;
	return fl_err_set(err, FL_ERR_INVALID,
			  "\"%.80s\" is not a digest of the form sha256:<64 hexadecimal digits>",
			  text);
}

const char *fl_digest_hex(const char *text)
{
	return text + 7;
}

void fl_digest_of(const void *data, size_t size, char text[static FL_DIGEST_TEXT])
{
	memcpy(text, "sha256:", 7);
	fl_sha256_hex(data, size, text + 7);
}

void fl_digest_chain(const char *const *diff_ids, size_t count, char text[static FL_DIGEST_TEXT])
{
	char pair[2 * FL_DIGEST_TEXT + 1];

	snprintf(text, FL_DIGEST_TEXT, "%s", count ? diff_ids[0] : "sha256:");
	if (!count)
		fl_digest_of("", 0, text);
	for (size_t i = 1; i < count; i++) {
		int len = snprintf(pair, sizeof(pair), "%s %s", text, diff_ids[i]);
		fl_digest_of(pair, (size_t)len, text);
	}
}
