/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl-net dns BRIDGE": names and addresses of the microVMs on a bridge of ours, for as long as it
 * runs. It follows the journal, and dnsmasq(8), its child, answers.
 *
 *     { "dns", "BRIDGE", "…", fl_dns_options, 1, 1, fl_dns_serve },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_dns_options[];

/* Until a signal comes, which is no error. */
int fl_dns_serve(struct fl_args *args, struct fl_err *err);
