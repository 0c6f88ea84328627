/* SPDX-License-Identifier: MPL-2.0 */
#include "common/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int exit_status;
	int grpc_status;
	const char *meaning;
} kinds[FL_ERR_KINDS] = {
	[FL_ERR_NONE] = { "none", 0, 0, "done" },
	[FL_ERR_NO] = { "no", 1, 9, "the answer is no" },
	[FL_ERR_USAGE] = { "usage", 2, 3, "the command line is wrong" },
	[FL_ERR_INVALID] = { "invalid", 3, 3, "a document or value is wrong" },
	[FL_ERR_NOT_FOUND] = { "not_found", 4, 5, "what was named does not exist" },
	[FL_ERR_EXISTS] = { "exists", 5, 6, "it exists already and differs" },
	[FL_ERR_DENIED] = { "denied", 6, 7, "the right to do it is missing" },
	[FL_ERR_UNAUTHENTICATED] = { "unauthenticated", 7, 16, "a login is wanted" },
	[FL_ERR_PRECONDITION] = { "precondition", 8, 9, "it is not in a state for this" },
	[FL_ERR_BUSY] = { "busy", 9, 14, "another holds it now" },
	[FL_ERR_UNAVAILABLE] = { "unavailable", 10, 14, "a peer cannot be reached" },
	[FL_ERR_EXHAUSTED] = { "exhausted", 11, 8, "no space, memory or address is left" },
	[FL_ERR_CORRUPT] = { "corrupt", 12, 15, "data is not what its digest or format says" },
	[FL_ERR_UNSUPPORTED] = { "unsupported", 13, 9, "this host or VMM cannot do it" },
	[FL_ERR_TIMEOUT] = { "timeout", 14, 4, "the deadline passed" },
	[FL_ERR_ABORTED] = { "aborted", 15, 10, "it was wanted otherwise meanwhile" },
	[FL_ERR_GUEST] = { "guest", 16, 9, "the guest or its VMM ended badly" },
	[FL_ERR_SYSTEM] = { "system", 17, 13, "the operating system refused" },
	[FL_ERR_INTERRUPTED] = { "interrupted", 130, 1, "a signal asked to stop" },
};

static enum fl_err_kind kind_of_errno(int errnum)
{
	switch (errnum) {
	case ENOENT: case ENODEV: case ENXIO:
		return FL_ERR_NOT_FOUND;
	case EACCES: case EPERM: case EROFS:
		return FL_ERR_DENIED;
	case EEXIST:
		return FL_ERR_EXISTS;
	case ENOSPC: case EDQUOT: case ENOMEM: case EMFILE: case ENFILE:
		return FL_ERR_EXHAUSTED;
	case EBUSY: case EAGAIN:
		return FL_ERR_BUSY;
	case ETIMEDOUT:
		return FL_ERR_TIMEOUT;
	case EINTR:
		return FL_ERR_INTERRUPTED;
	case ECONNREFUSED: case ECONNRESET: case EHOSTUNREACH: case ENETUNREACH:
		return FL_ERR_UNAVAILABLE;
	default:
		return FL_ERR_SYSTEM;
	}
}

int fl_err_vset(struct fl_err *err, enum fl_err_kind kind, const char *fmt, va_list args)
{
	if (!err)
		return -1;
	err->kind = kind;
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	return -1;
}

int fl_err_set(struct fl_err *err, enum fl_err_kind kind, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fl_err_vset(err, kind, fmt, args);
	va_end(args);
	return -1;
}

int fl_err_pass(struct fl_err *err, const struct fl_err *why)
{
	if (err)
		*err = *why;
	return -1;
}

int fl_err_errno(struct fl_err *err, int errnum, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	fl_err_vset(err, kind_of_errno(errnum), fmt, args);
	va_end(args);
	if (!err)
		return -1;
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(errnum));
	return -1;
}

int fl_err_prefix(struct fl_err *err, const char *fmt, ...)
{
	struct fl_err front;
	va_list args;
	size_t len;

	if (!err)
		return -1;
	va_start(args, fmt);
	fl_err_vset(&front, err->kind, fmt, args);
	va_end(args);
	len = strlen(front.text);
	snprintf(front.text + len, sizeof(front.text) - len, ": %s", err->text);
	*err = front;
	return -1;
}

const char *fl_err_kind_name(enum fl_err_kind kind)
{
	return kinds[kind].name;
}

enum fl_err_kind fl_err_kind_of(const char *name)
{
	for (int i = 0; i < FL_ERR_KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return i;
	return FL_ERR_SYSTEM;
}

int fl_err_exit_status(enum fl_err_kind kind)
{
	return kinds[kind].exit_status;
}

int fl_err_grpc_status(enum fl_err_kind kind)
{
	return kinds[kind].grpc_status;
}

const char *fl_err_kind_meaning(enum fl_err_kind kind)
{
	return kinds[kind].meaning;
}
