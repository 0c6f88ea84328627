/* SPDX-License-Identifier: MPL-2.0 */
#include "common/arch.h"

#include "common/macro.h"

#include <elf.h>
#include <string.h>
#include <sys/utsname.h>

#define LINUX "linux/"

static const struct fl_arch known[] = {
	{ "amd64", "x86_64", "linux/amd64", EM_X86_64 },
	{ "arm64", "aarch64", "linux/arm64", EM_AARCH64 },
	{ "arm", "armv7l", "linux/arm/v7", EM_ARM },
	{ "riscv64", "riscv64", "linux/riscv64", EM_RISCV },
};

const struct fl_arch *fl_arch_host(void)
{
	static const struct fl_arch other = { "unknown", "unknown", "linux/unknown", EM_NONE };
	struct utsname host;

	uname(&host);
	for (size_t i = 0; i < FL_COUNT(known); i++)
		if (strcmp(known[i].machine, host.machine) == 0)
			return &known[i];
	return &other;
}

const struct fl_arch *fl_arch_of_platform(const char *platform)
{
	const char *name = platform + strlen(LINUX);
	size_t size;

	if (strncmp(platform, LINUX, strlen(LINUX)) != 0)
		return NULL;
	size = strcspn(name, "/");
	for (size_t i = 0; i < FL_COUNT(known); i++)
		if (strlen(known[i].name) == size && strncmp(known[i].name, name, size) == 0)
			return &known[i];
	return NULL;
}

const char *fl_arch_platform(const char *text)
{
	const char *name = strncmp(text, LINUX, strlen(LINUX)) == 0 ? text + strlen(LINUX) : text;

	for (size_t i = 0; i < FL_COUNT(known); i++)
		if (strcmp(known[i].machine, name) == 0 || (name == text && strcmp(known[i].name, name) == 0))
			return known[i].platform;
	return text;
}

const struct fl_arch *fl_arch_of_elf(unsigned machine)
{
	for (size_t i = 0; i < FL_COUNT(known); i++)
		if (known[i].elf == machine)
			return &known[i];
	return NULL;
}
