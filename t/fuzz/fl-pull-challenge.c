/* SPDX-License-Identifier: MPL-2.0 */
/* What a registry says in WWW-Authenticate. */
#include "cmd/fl-pull/challenge.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "t/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fl_cleanup_free char *text = fl_strndup(size ? (const char *)data : "", size);
	fl_cleanup_challenge struct fl_challenge challenge = { 0 };

	if (fl_challenge_parse(text, &challenge, NULL) < 0)
		return 0;
	/* A token is asked for at the realm: there must be one. */
	MUST(!challenge.is_bearer || challenge.realm.len);
	MUST(challenge.is_bearer || strcasestr(text, "basic"));
	return 0;
}
