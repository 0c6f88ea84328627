/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands that only look: status, ls, providers. Each is a command's function
 * for the table in main.c.
 */
#pragma once

#include "common/step.h"

int fl_show_status(struct fl_args *args, struct fl_err *err);
int fl_show_ls(struct fl_args *args, struct fl_err *err);
int fl_show_providers(struct fl_args *args, struct fl_err *err);
