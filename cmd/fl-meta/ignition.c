/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-meta/ignition.h"

#include "cmd/fl-meta/seed.h"

#define KEY "ignition"
#define LABEL "CONFIG-2"

int fl_ignition_read(const struct fl_spec *spec, struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_json fl_json *config = NULL;
	struct fl_err why;

	fl_seed_decode(spec, KEY, text);
	if (!text->len)
		return 0;
	config = fl_json_parse(text->data, text->len, "metadata." KEY, &why);
	if (!config)
		return fl_err_set(err, FL_ERR_INVALID, "%s; from Butane's YAML the program butane makes "
				  "it", why.text);
	if (!fl_json_is_text(fl_json_at(config, "ignition.version")))
		return fl_err_set(err, FL_ERR_INVALID, "metadata." KEY ": lacks ignition.version, which "
				  "every configuration of Ignition has");
	return 0;
}

int fl_ignition_write_drive(struct fl_atomic *file, const struct fl_str *text,
			    enum fl_disk_format format, struct fl_err *err)
{
	const struct fl_disk_file files[] = { { "openstack/latest/user_data", text->data, text->len } };

	if (fl_disk_write(file->fd, file->name, format, LABEL, files, FL_COUNT(files), err) < 0)
		return -1;
	return fl_atomic_publish(file, false, err);
}
