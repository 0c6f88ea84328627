/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What fl-serve needs to serve other machines safely: a CA, certificates of the server and of
 * a first client, a token, and settings that name them.
 *
 *     fl_service_add(&site, &acts);
 */
#pragma once

#include "cmd/fl-provision/act.h"

void fl_service_add(const struct fl_site *site, fl_acts *acts);

/* The keys and certificates, in service's folder. */
void fl_pki_add(fl_acts *acts);
#define FL_PKI_DIR "/etc/flintlock/pki"

/* fl-serve's configuration file: what is in it stays, and what is missing is added. */
void fl_config_add(fl_acts *acts);
#define FL_TOKENS_FILE "/etc/flintlock/tokens"

/* The address that fl-serve is to be reached at. Caller frees. */
char *fl_service_address(const struct fl_host *host);
