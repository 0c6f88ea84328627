/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-meta/disk.h"

#include "cmd/fl-meta/fat.h"
#include "cmd/fl-meta/iso.h"

#include <string.h>

static const struct {
	const char *name;
	int (*write)(int fd, const char *name, const char *label, const struct fl_disk_file *files,
		     size_t count, struct fl_err *err);
} formats[FL_DISK_FORMATS] = {
	[FL_DISK_VFAT] = { "vfat", fl_fat_write },
	[FL_DISK_ISO9660] = { "iso9660", fl_iso_write },
};

const char *fl_disk_format_name(enum fl_disk_format format)
{
	return formats[format].name;
}

int fl_disk_format_of(const char *text, enum fl_disk_format *format, struct fl_err *err)
{
	for (size_t i = 0; i < FL_DISK_FORMATS; i++)
		if (strcmp(text, formats[i].name) == 0) {
			*format = i;
			return 0;
		}
	return fl_err_set(err, FL_ERR_USAGE, "--seed-format %s: vfat or iso9660", text);
}

static int check(const struct fl_disk_file *files, size_t count, struct fl_err *err)
{
	size_t total = 0;

	if (count > FL_DISK_FILES)
		return fl_err_set(err, FL_ERR_INVALID, "more than %u files of metadata", FL_DISK_FILES);
	for (size_t i = 0; i < count; i++) {
		total += files[i].size;
		if (files[i].size > FL_DISK_MOST || total > FL_DISK_MOST)
			return fl_err_set(err, FL_ERR_INVALID,
					  "%s: the metadata is larger than %u MiB", files[i].name,
					  FL_DISK_MOST >> 20);
	}
	return 0;
}

int fl_disk_write(int fd, const char *name, enum fl_disk_format format, const char *label,
		  const struct fl_disk_file *files, size_t count, struct fl_err *err)
{
	if (check(files, count, err) < 0)
		return -1;
	return formats[format].write(fd, name, label, files, count, err);
}
