/* SPDX-License-Identifier: MPL-2.0 */
/* Messages as they come in; the first byte chooses the type. What was taken is sent in one form
 * only: a default that was written out is left out. */
#include "cmd/fl-serve/wire/api.h"
#include "cmd/fl-serve/wire/codec.h"
#include "t/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fl_types *types;
	fl_cleanup_json fl_json *first = NULL;
	fl_cleanup_json fl_json *second = NULL;
	fl_cleanup_str struct fl_str wire = FL_STR_INIT, again = FL_STR_INIT;
	const struct fl_message_type *type;

	types = types ? types : fl_types_load(fl_api_bytes, fl_api_size);
	if (!size)
		return 0;
	type = types->messages.items[data[0] % types->messages.count];
	first = fl_codec_decode(type, data + 1, size - 1, NULL);
	if (!first)
		return 0;
	fl_codec_encode(type, first, &wire);
	second = fl_codec_decode(type, wire.data ? wire.data : "", wire.len, NULL);
	MUST(second);
	fl_codec_encode(type, second, &again);
	MUST(wire.len == again.len && (!wire.len || memcmp(wire.data, again.data, wire.len) == 0));
	return 0;
}
