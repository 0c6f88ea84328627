/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/details.h"

#include "cmd/fl-serve/wire/wire.h"
#include "common/alloc.h"

#define TYPE_PREFIX "type.googleapis.com/google.rpc."

/* Status { code, message, details { Any { type_url, value … } } }: opened, not closed. */
static void begin(int code, const char *text, const char *type, size_t marks[2], struct fl_str *out)
{
	fl_wire_put_number(out, 1, (uint64_t)code);
	fl_wire_put_text(out, 2, text);
	marks[0] = fl_wire_begin(out, 3);
	fl_wire_put_text(out, 1, type);
	marks[1] = fl_wire_begin(out, 2);
}

static void end(const size_t marks[2], struct fl_str *out)
{
	fl_wire_end(out, marks[1]);
	fl_wire_end(out, marks[0]);
}

void fl_details_bad_request(int code, const char *text, const fl_json *violations,
			    struct fl_str *out)
{
	size_t marks[2];

	begin(code, text, TYPE_PREFIX "BadRequest", marks, out);
	for (size_t i = 0; i < fl_json_count(violations); i++) {
		const fl_json *one = fl_json_item(violations, i);
		fl_cleanup_free char *path =
			fl_asprintf("microvm.%s", fl_json_text(fl_json_get(one, "path")));
		size_t mark = fl_wire_begin(out, 1);

		fl_wire_put_text(out, 1, path);
		fl_wire_put_text(out, 2, fl_json_text(fl_json_get(one, "text")));
		fl_wire_end(out, mark);
	}
	end(marks, out);
}

void fl_details_reason(int code, const char *text, const char *reason, struct fl_str *out)
{
	size_t marks[2];

	begin(code, text, TYPE_PREFIX "ErrorInfo", marks, out);
	fl_wire_put_text(out, 1, reason);
	fl_wire_put_text(out, 2, "flintlock");
	end(marks, out);
}
