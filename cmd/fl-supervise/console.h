/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the guest says: kept in a bounded, rotated file, and searched for the lines that
 * tell how it fares.
 *
 *     struct fl_console console;
 *     fl_console_init(&console, dirfd, "qemu.stdout", false);
 *     fl_console_add(&console, data, size);
 *     if (*console.panic) ...
 *     fl_console_finish(&console);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FL_CONSOLE_LINE 400

struct fl_console {
	int dirfd; /* borrowed */
	int fd;
	char name[64];
	uint64_t size;
	bool stamped;  /* every line in the file begins with its time */
	bool mid_line; /* of the file */
	char line[FL_CONSOLE_LINE]; /* the one that is not yet whole */
	size_t line_len;
	char last[FL_CONSOLE_LINE];       /* the last whole line that was not empty */
	char panic[FL_CONSOLE_LINE];      /* the kernel's panic line; "" without */
	char no_root[FL_CONSOLE_LINE];    /* the initrd's or kernel's "no root" line */
	char cloud_init[FL_CONSOLE_LINE]; /* what our part reported: "done", "error: …" */
	bool booted;                      /* it is up: asks for a login, or says so */
	bool halted;                      /* halted for good, though the VMM lives */
	bool powered_off;                 /* its kernel's last word was that */
};

/* Appends to the file name in dirfd; without a place to write it only searches. stamped:
 * with its time before each line. */
void fl_console_init(struct fl_console *console, int dirfd, const char *name, bool stamped);
void fl_console_finish(struct fl_console *console);

/* True when one of the findings is new. */
bool fl_console_add(struct fl_console *console, const char *data, size_t size);

/* A new boot of the guest: findings of the last one are forgotten. */
void fl_console_restart(struct fl_console *console);
