/* SPDX-License-Identifier: MPL-2.0 */
#include "common/mask.h"

#include "common/sha256.h"

#include <string.h>

static fl_json *mask_of(const fl_json *value)
{
	const char *text = fl_json_text(value);
	fl_json *mask = fl_json_new_object();
	char hex[FL_SHA256_HEX];

	text = text ? text : "";
	fl_sha256_hex(text, strlen(text), hex);
	fl_json_set(mask, "sha256", fl_json_new_text(hex));
	fl_json_set(mask, "size", fl_json_new_int((int64_t)strlen(text)));
	return mask;
}

fl_json *fl_mask_put_on(const fl_json *record)
{
	fl_json *copy = fl_json_copy(record);
	fl_json *metadata = fl_json_at(copy, "spec.metadata");
	fl_json *masked = fl_json_new_object();

	for (void *i = fl_json_first(metadata); i; i = fl_json_next(metadata, i))
		fl_json_set(masked, fl_json_key(i),
			    fl_json_is_object(fl_json_value(i)) ? fl_json_copy(fl_json_value(i))
								: mask_of(fl_json_value(i)));
	if (metadata)
		fl_json_put(copy, "spec.metadata", masked);
	else
		fl_json_unref(masked);
	return copy;
}

fl_json *fl_mask_lift(const fl_json *spec, const fl_json *saved, struct fl_err *err)
{
	fl_cleanup_json fl_json *copy = fl_json_copy(spec);
	fl_json *metadata = fl_json_get(copy, "metadata");
	const fl_json *values = fl_json_get(saved, "metadata");

	for (void *i = fl_json_first(metadata); i; i = fl_json_next(metadata, i)) {
		fl_json *value = fl_json_get(values, fl_json_key(i));
		fl_cleanup_json fl_json *mask = NULL;

		if (!fl_json_is_object(fl_json_value(i)))
			continue;
		mask = mask_of(value);
		if (!value || !fl_json_equal(mask, fl_json_value(i))) {
			fl_err_set(err, FL_ERR_INVALID,
				   "metadata.%s: shows a digest that is not the saved value's; give "
				   "the value itself", fl_json_key(i));
			return NULL;
		}
		fl_json_set(metadata, fl_json_key(i), fl_json_copy(value));
	}
	return fl_json_ref(copy);
}
