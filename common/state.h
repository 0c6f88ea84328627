/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The state folder: one folder per microVM, its record, its locks, what is wanted of it.
 * Layout and rules: man page fl-state(5).
 *
 *     struct fl_state state;
 *     fl_state_open(&state, dir, true, err);
 *     fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
 *     if (fl_vm_resolve(&state, document, false, &vm, err) < 0) return -1;
 *     fl_cleanup_json fl_json *record = fl_vm_load(&vm, err);
 *     fl_vm_change(&vm, FL_SAVE_PLAIN, set_state, "CREATED", err);
 */
#pragma once

#include "common/cancel.h"
#include "common/json.h"
#include "common/spec.h"
#include "common/ulid.h"
#include "common/vec.h"

#define FL_RECORD_FORMAT 1 /* host.format as written; a higher one is refused */

struct fl_state {
	char *dir; /* absolute */
	int dirfd;
};

/* make: create the folder (0755, vm/ below it 0711) when it is missing. */
int fl_state_open(struct fl_state *state, const char *dir, bool make, struct fl_err *err);
void fl_state_close(struct fl_state *state);
#define fl_cleanup_state FL_CLEANUP(fl_state_close)

/* One microVM's folder, open. */
struct fl_vm {
	const struct fl_state *state; /* borrowed */
	char *name_space, *name;
	char uid[FL_ULID_TEXT];
	char *path; /* of its folder */
	int dirfd;
};

#define FL_VM_INIT { .dirfd = -1 }

void fl_vm_close(struct fl_vm *vm);
#define fl_cleanup_vm FL_CLEANUP(fl_vm_close)

/* Opens by identity; FL_ERR_NOT_FOUND ("… not found: nothing of that name and uid …"). */
int fl_vm_open(const struct fl_state *state, const char *name_space, const char *name,
	       const char *uid, struct fl_vm *vm, struct fl_err *err);

struct fl_vm_name {
	char *name_space, *name;
	char uid[FL_ULID_TEXT];
};

typedef FL_VEC(struct fl_vm_name) fl_vm_names;

/* All microVMs that have a record, sorted by namespace, name and uid. */
int fl_state_list(const struct fl_state *state, fl_vm_names *names, struct fl_err *err);
void fl_vm_names_add(fl_vm_names *names, const struct fl_vm *vm);
void fl_vm_names_finish(fl_vm_names *names);
#define fl_cleanup_vm_names FL_CLEANUP(fl_vm_names_finish)

/* The record of one of them, as fl_vm_load and fl_vm_look give it. Caller owns it; NULL with
 * FL_ERR_NOT_FOUND when it left meanwhile. */
fl_json *fl_state_look(const struct fl_state *state, const struct fl_vm_name *name,
		       struct fl_err *err);
fl_json *fl_state_load(const struct fl_state *state, const struct fl_vm_name *name,
		       struct fl_err *err);

/* How many of them are not on their way out; *only: the one that is not, borrowed; NULL: none, or
 * several. */
size_t fl_state_staying(const struct fl_state *state, const fl_vm_names *names,
			const struct fl_vm_name **only);

/* Those that "NS/NAME", "NAME" (namespace default), "NS/NAME/UID" or a UID means; maybe none.
 * By a uid alone all microVMs are gone through. */
int fl_state_match(const struct fl_state *state, const char *text, fl_vm_names *names,
		   struct fl_err *err);

/*
 * The microVM that a document means: a record or a spec with a uid means the one of that
 * uid, and nothing is ever made for it when it is gone; a bare spec means the one live
 * microVM of its name with an equal spec, or a new one. With another spec than the saved,
 * a record that does not run gets it as its next version.
 * another: a bare spec makes a new one always.
 */
int fl_vm_resolve(const struct fl_state *state, const fl_json *document, bool another,
		  struct fl_vm *vm, struct fl_err *err);

/* The one live microVM that a bare spec, canonical, means: 1, and vm is open; 0: none of its name
 * lives; -1: FL_ERR_EXISTS (another spec, or several), or a record of the name cannot be read. */
int fl_vm_adopt(const struct fl_state *state, const fl_json *spec, struct fl_vm *vm,
		struct fl_err *err);

/* The microVM of input's uid, opened, the record that is saved of it, and the spec that input gives
 * it, canonical and not yet checked: what was masked in it is as it was. Caller owns record and
 * spec; NULL on failure. */
fl_json *fl_vm_read_known(const struct fl_state *state, const fl_json *input, struct fl_vm *vm,
			  fl_json **record, struct fl_err *err);

/* A new microVM, on disk when it returns, whatever else has its name. spec is canonical and
 * was checked; its uid is taken when it has one. host: members for the record's, or NULL. */
int fl_vm_create(const struct fl_state *state, const fl_json *spec, const fl_json *host,
		 struct fl_vm *vm, struct fl_err *err);

/* The record as saved. Caller owns it. */
fl_json *fl_vm_load(const struct fl_vm *vm, struct fl_err *err);

/* The same in a tenth of the time: longer texts, which is metadata, are empty, and so is the VMM's
 * command line. Not to be saved, nor compared with a spec. */
#define FL_VM_LOOK_LONGEST 8192
fl_json *fl_vm_look(const struct fl_vm *vm, struct fl_err *err);

enum fl_save { FL_SAVE_PLAIN, FL_SAVE_SYNC /* on disk when it returns */ };

/* The guest's first address that the record knows, without its prefix; NULL: none. Caller
 * frees. */
char *fl_vm_address(const fl_json *record);

/* Loads, lets change alter the record, saves with a line in the journal; all under the
 * microVM's lock. A change that alters nothing saves nothing; one that returns -1 neither. None
 * takes back that it is to be deleted. */
typedef int fl_vm_changer(void *arg, fl_json *record, struct fl_err *err);
int fl_vm_change(const struct fl_vm *vm, enum fl_save save, fl_vm_changer *change, void *arg,
		 struct fl_err *err);

/* Puts value (taken) at the path of the record. */
int fl_vm_put(const struct fl_vm *vm, const char *path, fl_json *value, struct fl_err *err);

/* Whether it is wanted "deleted": it may still be there for a while. */
bool fl_record_is_leaving(const fl_json *record);

/* Whether its run is over for now: stopped, failed, or waiting for the next try. */
bool fl_record_has_ended(const fl_json *record);

/* Why it is as it is: what it failed at, else why its last run ended. NULL: nothing to tell, as of
 * one that runs. Borrowed. */
const char *fl_record_reason(const fl_json *record);

/* What is wanted: "running", "stopped", "paused" or "deleted". "deleted" is final. */
int fl_vm_desire(const struct fl_vm *vm, const char *desired, struct fl_err *err);

/* The same, asked for by a request whose id stands in the record (host.request) and in the
 * journal from then on. fl_vm_desire takes it from FL_REQUEST_ID. NULL: by nobody's. */
int fl_vm_desire_for(const struct fl_vm *vm, const char *desired, const char *request,
		     struct fl_err *err);

/* The same inside a change of one's own, asked for by FL_REQUEST_ID's request. Whoever asked
 * first for what is desired already stays named. */
void fl_record_desire(fl_json *record, const char *desired);

/* A claim says "this step may have made something"; it is on disk before the first thing is
 * made and goes when all of it is gone. Without claims a microVM that is to be deleted
 * leaves, folder and all (fl_vm_leave: 1 it left, 0 claims or wishes keep it). */
int fl_vm_claim(const struct fl_vm *vm, const char *step, struct fl_err *err);
int fl_vm_release(const struct fl_vm *vm, const char *step, struct fl_err *err);
int fl_vm_leave(const struct fl_vm *vm, struct fl_err *err);

/* Removes what dead programs left under a name, of a uid, or anywhere: folders without a
 * record. */
void fl_state_sweep_name(const struct fl_state *state, const char *name_space, const char *name);
void fl_state_sweep_uid(const struct fl_state *state, const char *uid);
void fl_state_sweep(const struct fl_state *state);

/* step.lock: one chain at a time. Waits, unless cancel says stop. */
int fl_vm_lock_step(const struct fl_vm *vm, const struct fl_cancel *cancel, struct fl_err *err);

/* Whether a supervisor holds run.lock. */
bool fl_vm_is_supervised(const struct fl_vm *vm);

/* FL_ERR_PRECONDITION, naming the members, when one that runs is to have another spec. */
int fl_vm_check_spec(const struct fl_vm *vm, const fl_json *old, const fl_json *spec, struct fl_err *err);

/* FL_ERR_PRECONDITION, for what needs one that runs; -1. */
int fl_vm_not_running(const struct fl_vm *vm, struct fl_err *err);

/* Whether the record says that a VMM is kept and yet nobody keeps it: the supervisor was
 * killed, or the host was restarted. */
bool fl_vm_is_lost(const struct fl_vm *vm, const fl_json *record);

/* run.lock for the caller, who then is the supervisor or proves that there is none. */
int fl_vm_lock_run(const struct fl_vm *vm, int timeout_ms, struct fl_err *err);

/* A reason to stop: signals, or the record is wanted "deleted" (or is gone). Finish with
 * fl_vm_watch_finish. */
struct fl_vm_watch {
	struct fl_cancel cancel;
	const struct fl_vm *vm;
	int inotify;      /* -1: there was none left to have */
	int64_t look_at; /* then: when to look next, on fl_clock_ms() */
};

int fl_vm_watch_init(struct fl_vm_watch *watch, const struct fl_vm *vm, struct fl_err *err);
void fl_vm_watch_finish(struct fl_vm_watch *watch);
#define fl_cleanup_vm_watch FL_CLEANUP(fl_vm_watch_finish)

/* Waits until judge says that the record is as it should be (1), or is never going to be
 * (-1); 0 waits on. Every save is looked at, and the supervisor's death ends the wait with
 * FL_ERR_GUEST; nothing is polled. */
typedef int fl_vm_judge(void *arg, const fl_json *record, struct fl_err *err);
int fl_vm_wait(const struct fl_vm *vm, int timeout_ms, fl_vm_judge *judge, void *arg,
	       struct fl_err *err);

/* The same without waiting: 1, 0 or -1. */
int fl_vm_judge_now(const struct fl_vm *vm, fl_vm_judge *judge, void *arg, struct fl_err *err);

/* The folder with a short path through which sockets are reached, /run/flintlock/UID or
 * $XDG_RUNTIME_DIR/flintlock/UID; caller frees. fl_vm_link makes it, fl_vm_unlink not. */
char *fl_state_run_folder(void); /* without UID */
char *fl_vm_run_path(const struct fl_vm *vm);
int fl_vm_link(const struct fl_vm *vm, struct fl_err *err);
void fl_vm_unlink(const struct fl_vm *vm);
