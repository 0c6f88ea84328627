/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pack/document.h"

#include "cmd/fl-pack/blob.h"
#include "common/alloc.h"

#include <string.h>

fl_json *fl_pack_descriptor(const char *type, const char *digest, uint64_t size)
{
	fl_json *out = fl_json_new_object();

	fl_json_set(out, "mediaType", fl_json_new_text(type));
	fl_json_set(out, "digest", fl_json_new_text(digest));
	fl_json_set(out, "size", fl_json_new_int((int64_t)size));
	return out;
}

int fl_pack_put_document(int blobs, const fl_json *document, const char *type,
			 fl_json **descriptor, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char digest[FL_DIGEST_TEXT];

	fl_json_print(document, false, &text);
	if (fl_pack_blob_write(blobs, text.data, text.len, digest, err) < 0)
		return -1;
	*descriptor = fl_pack_descriptor(type, digest, text.len);
	return 0;
}

int fl_pack_put_platform(const char *text, fl_json *out, struct fl_err *err)
{
	static const char *const keys[] = { "os", "architecture", "variant" };
	const char *at = text;
	size_t count = 0;

	for (; count < FL_COUNT(keys) && *at; count++) {
		size_t size = strcspn(at, "/");
		fl_cleanup_free char *part = fl_strndup(at, size);

		if (!size || part[strspn(part, "abcdefghijklmnopqrstuvwxyz0123456789._-")])
			break;
		fl_json_set(out, keys[count], fl_json_new_text(part));
		at += size + (at[size] == '/');
	}
	if (count < 2 || *at || fl_str_ends(text, "/"))
		return fl_err_set(err, FL_ERR_INVALID, "platform %s: not of the form os/arch or "
				  "os/arch/variant", text);
	return 0;
}

int fl_pack_put_pairs(const struct fl_pack_pairs *pairs, const char *what, const char *key,
		      fl_json *out, struct fl_err *err)
{
	fl_json *list = fl_json_new_object();

	for (size_t i = 0; i < pairs->count; i++) {
		const char *text = pairs->items[i], *equals = strchr(text, '=');
		fl_cleanup_free char *name = NULL;

		if (!equals || equals == text) {
			fl_json_unref(list);
			return fl_err_set(err, FL_ERR_INVALID, "%s %s: not of the form key=value",
					  what, text);
		}
		name = fl_strndup(text, (size_t)(equals - text));
		fl_json_set(list, name, fl_json_new_text(equals + 1));
	}
	if (pairs->count)
		fl_json_set(out, key, list);
	else
		fl_json_unref(list);
	return 0;
}
