/* SPDX-License-Identifier: MPL-2.0 */
/* Image references: what is understood is understood again as it is printed. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/reference.h"
#include "t/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fl_cleanup_free char *text = fl_strndup(size ? (const char *)data : "", size);
	fl_cleanup_reference struct fl_reference first = { 0 };
	fl_cleanup_reference struct fl_reference second = { 0 };

	if (fl_reference_parse(text, &first, NULL) < 0)
		return 0;
	MUST(fl_reference_parse(first.text, &second, NULL) == 0);
	MUST(strcmp(first.text, second.text) == 0);
	return 0;
}
