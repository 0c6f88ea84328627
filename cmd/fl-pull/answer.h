/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a registry or token server says when it does not give what was asked for, and what others
 * say in its place.
 *
 *     if (get.status != 200) return fl_answer_refuse(&get, err);
 */
#pragma once

#include "common/http.h"

/* The error that the status means, with the server's own reason; returns -1. */
int fl_answer_refuse(const struct fl_http_transfer *transfer, struct fl_err *err);

/* FL_ERR_UNAVAILABLE: it is a page for people, such as a portal or a web server gives to whatever is
 * asked for. */
int fl_answer_check(const struct fl_http_transfer *transfer, struct fl_err *err);
