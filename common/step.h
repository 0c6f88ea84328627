/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One step of the chain, done to every record that comes in: what "up" and "down" of the
 * five programs have in common. Records come from files or standard input and leave on
 * standard output; a failure is written into its record and passed on; later steps hand it
 * through.
 *
 *     static const struct fl_step step = { "net", up, down, plan };
 *     static int run_up(struct fl_args *args, struct fl_err *err)
 *     {
 *             return fl_step_up(&step, args, err);
 *     }
 */
#pragma once

#include "common/cli.h"
#include "common/num.h"
#include "common/provider.h"

struct fl_step_call {
	const struct fl_args *args;
	const struct fl_vm *vm;
	const struct fl_cancel *cancel; /* signals, and the wish to delete */
	fl_json *record;                /* as saved when the step began; owned by the caller */
	struct fl_spec spec;            /* a view of it */
	int settle_ms;                  /* for up to say: how long the step's judge may take */
};

struct fl_step {
	const char *name; /* "pull", "snap", "net", "meta" or "run": also the claim's name */
	/* Makes what is missing. With claims, the claim is on disk before up is called. */
	int (*up)(struct fl_step_call *call, struct fl_err *err);
	/* Whether what up began has come to its end, for fl_vm_wait: waited for without step.lock, and
	 * while others are begun. NULL: up returns when it is done. */
	fl_vm_judge *judge;
	/* Removes what up may have made; NULL: nothing. The claim goes afterwards. */
	int (*down)(struct fl_step_call *call, struct fl_err *err);
	/* Adds lines that say what up would do. */
	int (*plan)(struct fl_step_call *call, struct fl_str *out, struct fl_err *err);
	bool claims;       /* makes things outside of the record */
	bool without_lock; /* step.lock is not held (for downloads) */
};

/* The options of every "up" and "down", to stand first in a command's table. */
#define FL_STEP_UP_OPTIONS                                                                      \
	{ "dry-run", 'n', NULL, "print what would be done, and do nothing" },                   \
	{ "new", 0, NULL, "make another microVM, even if one with this spec exists" },          \
	{ "with-metadata", 0, NULL, "print metadata values, not their digests" }
/* Where CNI's things are: of fl-net, to which fl hands them on. */
#define FL_STEP_CNI_OPTIONS                                                                     \
	{ "cni-conf-dir", 0, "DIR", "where CNI networks are (FL_CNI_CONF_DIR; /etc/cni/net.d)" }, \
	{ "cni-path", 0, "DIRS", "where CNI plugins are (CNI_PATH; /usr/lib/cni:/opt/cni/bin)" }, \
	{ "cni-timeout", 0, "TIME", "how long a CNI plugin may take (FL_CNI_TIMEOUT; 60s)" }
#define FL_STEP_SETTLE_OPTION                                                                   \
	{ "settle", 0, "TIME", "how long a guest must live to count as created (2s)" }
/* How a VMM is started: of "up" and "start" of fl-run, to which fl hands them on. */
#define FL_STEP_START_OPTIONS                                                                   \
	{ "accel", 0, "auto|kvm|tcg", "auto (default): KVM where it works" },              \
	{ "qemu", 0, "PROGRAM", "the QEMU to run (qemu-system-ARCH)" },                         \
	{ "firecracker", 0, "PROGRAM", "the Firecracker to run" },                              \
	{ "cloudhypervisor", 0, "PROGRAM", "the Cloud Hypervisor to run (cloud-hypervisor)" },  \
	{ "jailer", 0, "PROGRAM", "keep Firecracker in a jail by this jailer; none: no jail" }, \
	{ "restart", 0, "no|on-failure|always", "start what ended by itself again (no)" },                       \
	FL_STEP_SETTLE_OPTION

#define FL_STEP_SELECTOR_OPTION                                                                 \
	{ "selector", 'l', "LABELS", "those with these labels: a=b, a!=b, a, !a; may be repeated" }
#define FL_STEP_ALL_OPTION                                                                      \
	{ "all", 'a', NULL, "all microVMs; with names, all of each name, not only a single one" }
#define FL_STEP_DOWN_OPTIONS                                                                    \
	FL_STEP_ALL_OPTION,                                                                     \
	FL_STEP_SELECTOR_OPTION,                                                                \
	{ "with-metadata", 0, NULL, "print metadata values, not their digests" }

/* The commands "up [FILE…]" and "down [NAMESPACE/NAME|UID…]". */
int fl_step_up(const struct fl_step *step, struct fl_args *args, struct fl_err *err);
int fl_step_down(const struct fl_step *step, struct fl_args *args, struct fl_err *err);

struct fl_step_reader {
	int (*each)(void *arg, fl_json *document, struct fl_err *err);
	/* What may be done while no document is there: in how many ms it is to be called again; -1: not
	 * before the next document. NULL: nothing. */
	int (*idle)(void *arg);
	void *arg;
	bool none_is_fine; /* no document at all is no error */
};

/* Calls each for every document of the operands (files, "-") or standard input; goes on
 * after a failure and keeps the first. */
int fl_step_each_document(struct fl_args *args, const struct fl_step_reader *reader,
			  struct fl_err *err);

/* Calls each for every microVM that the operands name, that --selector means, or that the
 * records on standard input mean. Several of one name need --all. With none_is_fine a name
 * without microVM is no error. */
int fl_step_each_vm(struct fl_args *args, const struct fl_state *state, bool none_is_fine,
		    int (*each)(void *arg, const struct fl_vm *vm, struct fl_err *err), void *arg,
		    struct fl_err *err);

/* For who names nobody (FL_ERR_USAGE), or somebody who is not there (FL_ERR_NOT_FOUND); -1. */
int fl_step_nobody_named(const struct fl_args *args, struct fl_err *err);
int fl_step_not_found(const struct fl_state *state, const char *text, struct fl_err *err);

/* FL_ERR_USAGE with the uids of those that a name means; otherwise: words for what else may be done, or
 * "". -1. */
int fl_step_several(const char *text, const fl_vm_names *names, const char *otherwise, struct fl_err *err);

/* Calls each for every microVM there is that --selector means (all without it), and goes on
 * after a failure. How many there were; -1 with the first failure. */
int fl_step_each_selected(const struct fl_args *args, const struct fl_state *state,
			  int (*each)(void *arg, const struct fl_vm *vm, struct fl_err *err),
			  void *arg, struct fl_err *err);

/* FL_ERR_USAGE when a --selector is none. */
int fl_step_check_selectors(const struct fl_args *args, struct fl_err *err);

/* Whether --selector, if it was given and is right, means this record (NULL: none any more). */
bool fl_step_is_selected(const struct fl_args *args, const fl_json *record);

/* Of several failures main says the first; the others are logged. */
void fl_step_keep_first(struct fl_err *first, const struct fl_err *failure);

/* What all of it comes to: 0 when none was kept, else -1 with it. */
int fl_step_take_first(const struct fl_err *first, struct fl_err *err);

/* Whether one that comes before the step failed at the microVM. */
bool fl_step_failed_before(const struct fl_step *step, const fl_json *record);

/* Whether it begins the chain. */
bool fl_step_is_first(const struct fl_step *step);

/* For people, who see of which microVM it is; -1. */
int fl_step_name_failure(const struct fl_vm *vm, struct fl_err *err);

/* Writes host.error; FL_ERR_NONE clears what step or a later one wrote. */
int fl_step_note(const struct fl_vm *vm, const char *step, const struct fl_err *failure,
		 struct fl_err *err);

/* The same in a change of one's own: host.error. */
void fl_step_put_failure(fl_json *record, const char *step, const struct fl_err *failure);

/* Who is to run it: what the spec leaves open is for whoever made the record to say. NULL when the
 * spec names one that is unknown. */
const struct fl_provider *fl_step_provider(const struct fl_step_call *call);

/* Of an option that holds for the microVM until it is given anew, as a restore after the host's reboot
 * cannot know it else: what is asked now, or was the last time; else otherwise. */
const char *fl_step_asked(const struct fl_step_call *call, const char *option, const char *otherwise);

/* Keeps such options, ended by NULL, in a record that a step is about to save. */
void fl_step_keep_asked(const struct fl_args *args, const char *const *options, fl_json *record);

/* Prints a record as the options ask: masked or not. */
int fl_step_print(const struct fl_args *args, const fl_json *record, struct fl_err *err);
