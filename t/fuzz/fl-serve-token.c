/* SPDX-License-Identifier: MPL-2.0 */
/* The field "authorization". */
#include "cmd/fl-serve/tokens.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "t/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fl_tokens *tokens;
	fl_cleanup_free char *text = fl_strndup(size ? (const char *)data : "", size);

	if (!tokens) {
		tokens = fl_tokens_create();
		MUST(fl_tokens_add(tokens, "0123456789abcdef", "*", "write", NULL) == 0);
	}
	/* Who got in has the token, in one of both forms. */
	if (fl_tokens_check(tokens, text, NULL))
		MUST(strstr(text, "0123456789abcdef") || strstr(text, "MDEyMzQ1Njc4OWFiY2RlZg"));
	return 0;
}
