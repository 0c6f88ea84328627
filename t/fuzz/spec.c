/* SPDX-License-Identifier: MPL-2.0 */
/* Specs and records: a canonical spec is its own canonical form. */
#include "common/spec.h"
#include "t/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fl_cleanup_json fl_json *sent = fl_json_parse((const char *)data, size, "spec", NULL);
	fl_cleanup_json fl_json *first = sent ? fl_spec_read(sent, NULL) : NULL;
	fl_cleanup_json fl_json *second = first ? fl_spec_read(first, NULL) : NULL;
	fl_cleanup_spec struct fl_spec view = { 0 };

	if (!first)
		return 0;
	MUST(second && fl_spec_equal(first, second));
	if (fl_spec_check(first, NULL) == 0)
		view = fl_spec_view(first);
	return 0;
}
