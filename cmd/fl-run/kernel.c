/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/kernel.h"

#include "common/io.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>

static int open_kernel(const char *path, unsigned char *head, size_t size, struct fl_err *err)
{
	fl_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: the kernel cannot be opened", path);
	if (pread(fd, head, size, 0) < 0)
		return fl_err_errno(err, errno, "%s: the kernel cannot be read", path);
	return 0;
}

int fl_kernel_read(const char *path, struct fl_kernel *kernel, struct fl_err *err)
{
	unsigned char head[0x240] = { 0 };

	if (open_kernel(path, head, sizeof(head), err) < 0)
		return -1;
	if (memcmp(head, ELFMAG, SELFMAG) == 0)
		*kernel = (struct fl_kernel){ FL_KERNEL_ELF, fl_arch_of_elf(head[18] | head[19] << 8u) };
	else if (memcmp(head + 0x202, "HdrS", 4) == 0)
		*kernel = (struct fl_kernel){ FL_KERNEL_BZIMAGE, fl_arch_of_elf(EM_X86_64) };
	else if (memcmp(head + 0x38, "ARM\x64", 4) == 0)
		*kernel = (struct fl_kernel){ FL_KERNEL_IMAGE, fl_arch_of_elf(EM_AARCH64) };
	else
		return fl_err_set(err, FL_ERR_INVALID,
				  "%s: not a kernel: neither ELF, nor bzImage, nor arm64 Image; check "
				  "kernel.filename", path);
	return 0;
}

int fl_kernel_check_image(const char *path, const char *provider, struct fl_err *err)
{
	struct fl_kernel kernel = { 0 };

	if (fl_kernel_read(path, &kernel, err) < 0)
		return -1;
	if (kernel.format == FL_KERNEL_IMAGE)
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: no arm64 Image, which is all that %s boots on "
			  "arm64; use an image with the kernel's arch/arm64/boot/Image", path, provider);
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
