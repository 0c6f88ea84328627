/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-meta/seed.h"

#include "cmd/fl-meta/parts.h"
#include "common/base64.h"

const char *const fl_seed_names[FL_SEED_FILES] = { "meta-data", "user-data", "vendor-data",
						   "network-config" };

void fl_seed_finish(struct fl_seed *seed)
{
	for (int i = 0; i < FL_SEED_FILES; i++)
		fl_str_finish(&seed->text[i]);
}

/* Validation has seen that it is base 64. */
void fl_seed_decode(const struct fl_spec *spec, const char *key, struct fl_str *out)
{
	const char *text = fl_json_text(fl_json_get(spec->metadata, key));

	fl_str_add(out, "");
	if (text)
		fl_base64_decode(text, out);
}

int fl_seed_compose(const fl_json *record, const struct fl_spec *spec, struct fl_seed *seed,
		    struct fl_err *err)
{
	fl_cleanup_str struct fl_str meta = FL_STR_INIT, vendor = FL_STR_INIT;
	const fl_json *wanted = fl_json_at(record, "spec.kernel.add_network_config");
	struct fl_str *network = &seed->text[FL_SEED_NETWORK];

	fl_seed_decode(spec, fl_seed_names[FL_SEED_META], &meta);
	fl_seed_decode(spec, fl_seed_names[FL_SEED_VENDOR], &vendor);
	fl_seed_decode(spec, fl_seed_names[FL_SEED_USER], &seed->text[FL_SEED_USER]);
	fl_seed_decode(spec, fl_seed_names[FL_SEED_NETWORK], network);
	if (!fl_json_get(spec->metadata, fl_seed_names[FL_SEED_NETWORK]) &&
	    (!wanted || fl_json_bool(wanted)))
		fl_parts_network(record, spec, network);
	fl_parts_vendor(record, spec, &vendor, &seed->text[FL_SEED_VENDOR]);
	return fl_parts_meta_data(spec, &meta, &seed->text[FL_SEED_META], err);
}

int fl_seed_write(struct fl_atomic *file, const struct fl_seed *seed, enum fl_disk_format format,
		  struct fl_err *err)
{
	struct fl_disk_file files[FL_SEED_FILES];
	size_t count = 0;

	for (int i = 0; i < FL_SEED_FILES; i++)
		if (seed->text[i].len || i == FL_SEED_META || i == FL_SEED_USER)
			files[count++] = (struct fl_disk_file){ fl_seed_names[i], seed->text[i].data,
								seed->text[i].len };
	if (fl_disk_write(file->fd, file->name, format, FL_SEED_LABEL, files, count, err) < 0)
		return -1;
	return fl_atomic_publish(file, false, err);
}
