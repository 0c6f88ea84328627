/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Architectures of processors, under each of their names.
 *
 *     const struct fl_arch *guest = fl_arch_of_platform("linux/arm64/v8");
 *     if (guest != fl_arch_host()) ...          // it must be emulated
 *     printf("qemu-system-%s\n", guest->machine);
 */
#pragma once

struct fl_arch {
	const char *name;     /* images' and Debian's: "arm64" */
	const char *machine;  /* uname's and, with 64 bits, QEMU's: "aarch64" */
	const char *platform; /* an image's for it: "linux/arm64" */
	unsigned elf;         /* e_machine of its programs */
};

/* This machine's; one that is not known has the name "unknown". Each is there once: equal
 * pointers mean equal architectures. */
const struct fl_arch *fl_arch_host(void);

/* Of "linux/ARCH" or "linux/ARCH/VARIANT"; NULL: of none that is known. */
const struct fl_arch *fl_arch_of_platform(const char *platform);

/* A platform as images have it, of what people write: "linux/arm64" of "arm64", "aarch64" and
 * "linux/aarch64". Anything else is itself. */
const char *fl_arch_platform(const char *text);

const struct fl_arch *fl_arch_of_elf(unsigned machine);
