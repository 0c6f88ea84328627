/* SPDX-License-Identifier: MPL-2.0 */
/* Bodies of the HTTP gateway; the first byte chooses the type. */
#include "cmd/fl-serve/wire/api.h"
#include "cmd/fl-serve/wire/codec.h"
#include "cmd/fl-serve/wire/protojson.h"
#include "t/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fl_types *types;
	fl_cleanup_json fl_json *sent = NULL;
	fl_cleanup_json fl_json *read = NULL;
	fl_cleanup_json fl_json *shown = NULL;
	fl_cleanup_str struct fl_str wire = FL_STR_INIT;
	const struct fl_message_type *type;

	types = types ? types : fl_types_load(fl_api_bytes, fl_api_size);
	if (!size)
		return 0;
	type = types->messages.items[data[0] % types->messages.count];
	sent = fl_json_parse((const char *)data + 1, size - 1, "body", NULL);
	read = sent ? fl_protojson_read(type, sent, NULL) : NULL;
	if (!read)
		return 0;
	fl_codec_encode(type, read, &wire);
	shown = fl_protojson_write(type, read);
	MUST(shown);
	return 0;
}
