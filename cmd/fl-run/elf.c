/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/elf.h"

#include "common/io.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>

static bool is_elf64(const Elf64_Ehdr *header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB &&
	       header->e_phentsize == sizeof(Elf64_Phdr);
}

/* A static program that may lie anywhere has a dynamic section as well, and no interpreter. */
static int find_interpreter(int fd, const Elf64_Ehdr *header, const char *path, bool *found,
			    struct fl_err *err)
{
	*found = false;
	for (unsigned i = 0; i < header->e_phnum && !*found; i++) {
		uint64_t at = header->e_phoff + i * sizeof(Elf64_Phdr);
		Elf64_Phdr segment;

		/* Beyond what off_t counts, nothing is. */
		if (at > INT64_MAX ||
		    fl_io_pread(fd, &segment, sizeof(segment), at, path, NULL) < 0)
			return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: a damaged program", path);
		*found = segment.p_type == PT_INTERP;
	}
	return 0;
}

int fl_elf_is_dynamic(const char *path, bool *dynamic, struct fl_err *err)
{
	fl_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr header;

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	if (fl_io_pread(fd, &header, sizeof(header), 0, path, NULL) < 0 || !is_elf64(&header))
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: not a program (ELF, 64 bits)",
				  path);
	return find_interpreter(fd, &header, path, dynamic, err);
}
