/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What was asked of a CNI network for an interface, on disk before the first plugin runs, and what
 * it answered: STATE/cni/UID-DEVICE.json. DEL needs it, also when the record is gone.
 *
 *     fl_cleanup_claim struct fl_claim claim = FL_CLAIM_INIT;
 *     if (fl_claim_open(&state, uid, device, &claim, err) < 0) return -1;
 *     if (claim.document) …                                 // something may have been made
 */
#pragma once

#include "common/lock.h"
#include "common/state.h"

struct fl_claim {
	char *path;
	char *container; /* UID-DEVICE, as plugins are told */
	int folder;
	int lock; /* held also by plugins, and by what they started, when we were killed */
	/* list, wanted, parts, arguments, path, timeout_ms, boot_id, and result after ADD; NULL:
	 * nothing is claimed. */
	fl_json *document;
};

#define FL_CLAIM_INIT { .folder = -1, .lock = -1 }

/* What plugins are told for a microVM's interface: UID-DEVICE. Caller frees. */
char *fl_claim_container(const char *uid, const char *device);

/* Waits for a plugin that a killed program left, but not longer than one may take. */
int fl_claim_open(const struct fl_state *state, const char *uid, const char *device,
		  struct fl_claim *claim, struct fl_err *err);
void fl_claim_close(struct fl_claim *claim);
#define fl_cleanup_claim FL_CLEANUP(fl_claim_close)

/* The document's own members, on disk when it returns. */
int fl_claim_save(const struct fl_claim *claim, struct fl_err *err);

/* Nothing of it is left. */
int fl_claim_drop(struct fl_claim *claim, struct fl_err *err);

/* While somebody holds it alone (FL_LOCK_EXCLUSIVE) no interface is claimed that was not: who claims
 * one holds it shared until that is on disk. Waits, unless cancel says stop; caller closes. */
int fl_claim_lock_all(const struct fl_state *state, enum fl_lock_mode mode,
		      const struct fl_cancel *cancel, struct fl_err *err);

/* Calls each for all there are, of one microVM (uid), or of any (NULL). One that fails does not
 * keep the others from it, a signal does; the first failure is the result. */
int fl_claim_each(const struct fl_state *state, const char *uid,
		  int (*each)(void *arg, const char *uid, const char *device, struct fl_err *err),
		  void *arg, struct fl_err *err);
