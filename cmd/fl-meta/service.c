/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-meta/service.h"

#include <string.h>

/* What is not text could be served as other bytes only. */
static int put(fl_json *object, const char *key, const struct fl_str *bytes, struct fl_err *err)
{
	fl_json *text = fl_json_new_text_bytes(bytes->data ? bytes->data : "", bytes->len);

	fl_json_set(object, key, text);
	if (strlen(fl_json_text(text)) == bytes->len &&
	    memcmp(fl_json_text(text), bytes->data ? bytes->data : "", bytes->len) == 0)
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "metadata.%s: is not text in UTF-8, as a metadata service "
			  "needs it; leave host.flintlock/metadata-service out", key);
}

/* What the spec holds beside the files of the seed. */
static int put_rest(fl_json *latest, const struct fl_spec *spec, struct fl_err *err)
{
	for (void *i = fl_json_first(spec->metadata); i; i = fl_json_next(spec->metadata, i)) {
		fl_cleanup_str struct fl_str bytes = FL_STR_INIT;

		if (fl_json_get(latest, fl_json_key(i)))
			continue;
		fl_seed_decode(spec, fl_json_key(i), &bytes);
		if (put(latest, fl_json_key(i), &bytes, err) < 0)
			return -1;
	}
	return 0;
}

static int put_seed(fl_json *latest, const struct fl_seed *seed, struct fl_err *err)
{
	for (int i = 0; i < FL_SEED_FILES; i++)
		if (seed->text[i].len &&
		    put(latest, fl_seed_names[i], &seed->text[i], err) < 0)
			return -1;
	return 0;
}

int fl_service_document(const struct fl_spec *spec, const struct fl_seed *seed,
			const struct fl_str *ignition, struct fl_str *out, struct fl_err *err)
{
	fl_cleanup_json fl_json *document = fl_json_new_object();
	fl_json *latest = fl_json_new_object();

	fl_json_set(document, "latest", latest);
	if (put_seed(latest, seed, err) < 0 || put_rest(latest, spec, err) < 0)
		return -1;
	if (ignition->len)
		fl_json_put(document, "openstack.latest.user_data",
			    fl_json_new_text_bytes(ignition->data, ignition->len));
	fl_json_print(document, true, out);
	fl_str_add(out, "\n");
	return 0;
}
