/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Standard input as something that can be read out of order.
 *
 *     fl_cleanup_close int fd = fl_spool_stdin(cancel, err);
 */
#pragma once

#include "common/cancel.h"

/* Standard input itself when it is a file, else a copy in a file without a name, in $TMPDIR
 * or /var/tmp. Caller closes it. */
int fl_spool_stdin(const struct fl_cancel *cancel, struct fl_err *err);
