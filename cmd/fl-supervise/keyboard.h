/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What is typed at a guest's console. One client at a time is the writer; it is told so in
 * one JSON line, {"hello":"console","writer":true}, and everything it sends goes to the
 * guest, as fast as the guest takes it. Others are told who writes,
 * {"hello":"console","writer":false,"pid":…}, and that is all. What the guest says stands in
 * a file, which any number of viewers reads: none of them can hold up anything here.
 *
 *     fl_keyboard_listen(&keyboard, "/run/flintlock/UID/console.sock", err);
 *     fl_keyboard_poll(&keyboard, vmm_stdin);       // in every round of the loop
 */
#pragma once

#include "common/err.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

struct fl_keyboard {
	int listener;
	int writer; /* -1: nobody */
	pid_t pid;  /* of the writer */
	char pending[4096]; /* not yet taken by the guest */
	size_t len, at;
	bool ended; /* the writer has sent all */
	char path[108];
};

#define FL_KEYBOARD_INIT { .listener = -1, .writer = -1 }
#define FL_KEYBOARD_POLLS 3

int fl_keyboard_listen(struct fl_keyboard *keyboard, const char *path, struct fl_err *err);
void fl_keyboard_finish(struct fl_keyboard *keyboard);

/* What to wait for; to is where the guest takes it, -1 while it does not run. */
void fl_keyboard_collect(const struct fl_keyboard *keyboard, int to,
			 struct pollfd fds[static FL_KEYBOARD_POLLS]);
void fl_keyboard_poll(struct fl_keyboard *keyboard, int to);
