/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What fl-serve needs to serve other machines safely: a CA, certificates of the server and of
 * a first client, a token, and settings that name them.
 *
 *     fl_service_add(&site, &acts);
 */
#pragma once

#include "cmd/fl-provision/act.h"
#include "common/str.h"

void fl_service_add(const struct fl_site *site, fl_acts *acts);

/* Where fl-serve is reached now, and with what; nothing when the acts had nothing of it. */
void fl_service_tell(const struct fl_site *site, const fl_acts *acts);

/* Without that step: what a fl-serve that is there needs for a pool that the acts make. */
void fl_service_add_pool(const struct fl_site *site, const char *step, fl_acts *acts);

/* The keys and certificates, in service's folder. served: the hosts that fl-serve listens at,
 * joined by commas. */
void fl_pki_add(fl_acts *acts, const char *served);
#define FL_PKI_DIR "/etc/flintlock/pki"
#define FL_TOKENS_FILE "/etc/flintlock/tokens"

/* What fl-serve's configuration file is going to say, as far as other things hang on it. */
struct fl_serving {
	struct fl_str hosts;  /* that it listens at, joined by commas */
	bool own_certificate; /* it serves by one of ours */
	bool own_tokens;
	bool is_new; /* there is no configuration of another's: what joins is the whole */
	const char *address; /* of --grpc-address, where that counts; NULL: it does not */
	char *endpoint;  /* of gRPC; NULL: not known */
	char *state_dir; /* that it uses; NULL: not known */
	fl_json *reread; /* files that fl-serve reads again when told to; NULL: not known */
	char *joined_from; /* the file whose settings join, or ""; NULL: not known */
	char *joined;      /* its text; NULL: not known */
};

int fl_config_look(const struct fl_site *site, struct fl_serving *serving, struct fl_err *err);
void fl_serving_finish(struct fl_serving *serving);

/* The file itself: what is in it stays, and what is missing is added. */
void fl_config_add(fl_acts *acts, const struct fl_serving *serving);

/* Whether fl-serve, where it is beside us, takes the settings; about: of the file's act. */
int fl_config_accept(const fl_json *about, const struct fl_str *text, struct fl_err *err);

/* What units have not by themselves: a state folder elsewhere, to write to and to restore from, and to
 * make volumes in a pool, of the acts or (also_earlier) of the ledger. False: there is none. */
#define FL_DROPIN_STATE "/etc/systemd/system/fl-serve.service.d/fl-provision-state.conf"
#define FL_DROPIN_RESTORE "/etc/systemd/system/fl-restore.service.d/fl-provision-state.conf"
#define FL_DROPIN_DNS "/etc/systemd/system/fl-dns@.service.d/fl-provision-state.conf"
#define FL_DROPIN_POOL "/etc/systemd/system/fl-serve.service.d/fl-provision-pool.conf"
void fl_dropin_add_state(const char *folder, fl_acts *acts);
bool fl_dropin_add_pool(const struct fl_site *site, const char *step, bool also_earlier,
			fl_acts *acts);

/* Stands first in every file of a unit that fl-provision writes. */
#define FL_UNIT_HEAD "# Written by fl-provision; \"fl-provision undo\" removes it.\n"

/* Whether a unit can hold the path as it is. */
int fl_service_check_path(const char *path, struct fl_err *err);

/* The address that fl-serve is to be reached at. Caller frees. */
char *fl_service_address(const struct fl_host *host);
