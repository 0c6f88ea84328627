/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/kernel.h"

#include "common/io.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static bool is_bzimage(const unsigned char *head, ssize_t size)
{
	return size >= 0x206 && memcmp(head + 0x202, "HdrS", 4) == 0;
}

bool fl_kernel_is_bzimage(const char *path)
{
	fl_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char head[0x240] = { 0 };

	return fd >= 0 && is_bzimage(head, pread(fd, head, sizeof(head), 0));
}

int fl_kernel_check(const char *path, struct fl_err *err)
{
	fl_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char head[0x240] = { 0 };
	ssize_t got;

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: the kernel cannot be opened", path);
	got = pread(fd, head, sizeof(head), 0);
	if (got >= 64 && memcmp(head, "\177ELF", 4) == 0)
		return 0;
	if (is_bzimage(head, got))
		return 0;
	if (got >= 64 && memcmp(head + 0x38, "ARM\x64", 4) == 0)
		return 0;
	return fl_err_set(err, FL_ERR_INVALID,
			  "%s: not a kernel: neither ELF, nor bzImage, nor arm64 Image; check "
			  "kernel.filename", path);
}

static bool is_in(const struct fl_kernel_argument *list, const char *key)
{
	for (; list->key; list++)
		if (strcmp(list->key, key) == 0)
			return true;
	return false;
}

static void add(struct fl_str *text, const char *key, const char *value)
{
	fl_str_addf(text, "%s%s%s%s", text->len ? " " : "", key, *value ? "=" : "", value);
}

void fl_kernel_cmdline(const struct fl_spec *spec, const struct fl_kernel_argument *defaults,
		       const struct fl_kernel_argument *forced, struct fl_str *text)
{
	for (; defaults->key; defaults++)
		if (!fl_json_get(spec->cmdline, defaults->key))
			add(text, defaults->key, defaults->value);
	for (void *i = fl_json_first(spec->cmdline); i; i = fl_json_next(spec->cmdline, i))
		if (!is_in(forced, fl_json_key(i)))
			add(text, fl_json_key(i), fl_json_text(fl_json_value(i)));
	for (; forced->key; forced++)
		add(text, forced->key, forced->value);
}
