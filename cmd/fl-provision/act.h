/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Acts: changes of the host, each small enough to be found done, made and taken back by
 * itself. What a host should be is a list of them, in order.
 *
 *     fl_acts acts = { 0 };
 *     fl_acts_add(&acts, &fl_act_bridge, "bridge", about);
 *     fl_acts_plan(&site, &acts, json, err);             // says what would change
 *     fl_acts_make(&site, &acts, err);                   // makes what is missing
 *     fl_acts_undo(&site, FL_UNDO, err);                 // all that the ledger has
 *     fl_acts_finish(&acts);
 *
 * Every act is looked at before it is made, so that doing a list again goes on where it was
 * broken off; the ledger has its entry, on disk, before it is begun.
 */
#pragma once

#include "cmd/fl-provision/ledger.h"
#include "common/vec.h"

struct fl_host;

struct fl_site {
	const struct fl_host *host;
	struct fl_ledger *ledger;
};

enum fl_look {
	FL_LOOK_DONE,   /* it is so already */
	FL_LOOK_MAKE,   /* it is missing */
	FL_LOOK_CHANGE, /* it is there, of ours or open to additions, and has to be changed */
	FL_LOOK_KEEP    /* it is another's and otherwise; it stays, and people are told */
};

struct fl_act {
	const struct fl_act_kind *kind;
	const char *step;         /* which step wants it, for people */
	fl_json *about;           /* "name" and what else the kind needs; goes into the ledger */
	const struct fl_file *file; /* of a file: how its text is made */
	struct fl_str text;       /* of a file: what is written, once prepared */
};

typedef FL_VEC(struct fl_act) fl_acts;

struct fl_act_kind {
	const char *name;
	bool destroys; /* what is on a disk; asked for before it is made */
	bool stays;    /* undo leaves it */
	/* A fl_look; -1: it cannot be made so, or must not be. why is for people. */
	int (*look)(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		    struct fl_err *err);
	/* Adds to the entry what undo has to know of the time before. May be NULL. */
	int (*before)(const struct fl_site *site, struct fl_act *act, fl_json *entry,
		      struct fl_err *err);
	int (*make)(const struct fl_site *site, const struct fl_act *act, struct fl_err *err);
	/* Also what was half made, or is gone already. What others have changed meanwhile is left
	 * alone, and kept says so. */
	int (*undo)(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		    struct fl_err *err);
	/* Makes again what a reboot of the host has taken; NULL: it takes nothing. */
	int (*restore)(const struct fl_site *site, const fl_json *entry, struct fl_err *err);
};

/* Takes about. The act, until the next is added. */
struct fl_act *fl_acts_add(fl_acts *acts, const struct fl_act_kind *kind, const char *step,
			   fl_json *about);

/* {"name": name}; caller owns it. */
fl_json *fl_about(const char *name);
const char *fl_act_name(const struct fl_act *act);

/* A member of an act's "about", or of an entry, as text; "" without. */
const char *fl_about_text(const fl_json *about, const char *key);

/* Prints every act and what would become of it; an act that cannot be made does not end the
 * list, and is the error at its end. What only root could look at is none. */
int fl_acts_plan(const struct fl_site *site, const fl_acts *acts, bool json, struct fl_err *err);

/* Adds, by name and remark, what of a disk would be lost; nothing when nothing would. */
int fl_acts_losses(const struct fl_site *site, const fl_acts *acts, struct fl_str *losses,
		   struct fl_err *err);

int fl_acts_make(const struct fl_site *site, fl_acts *acts, struct fl_err *err);

/* Takes back what the ledger has, newest first, or prints it. */
enum fl_undo { FL_UNDO, FL_UNDO_PRINT, FL_UNDO_PRINT_JSON };
int fl_acts_undo(const struct fl_site *site, enum fl_undo how, struct fl_err *err);

/* After a reboot: what the ledger has, oldest first. */
int fl_acts_restore(const struct fl_site *site, struct fl_err *err);

void fl_acts_finish(fl_acts *acts);
#define fl_cleanup_acts FL_CLEANUP(fl_acts_finish)

/* A file was written or removed: where it is part of a unit, systemd that runs is told. */
int fl_unit_changed(const char *path, struct fl_err *err);

/* The kinds, each in the file of its matter. */
extern const struct fl_act_kind fl_act_file, fl_act_folder;         /* file.c */
extern const struct fl_act_kind fl_act_bridge;                      /* bridge.c */
extern const struct fl_act_kind fl_act_image, fl_act_mount;         /* mount.c */
extern const struct fl_act_kind fl_act_unit;                        /* unit.c */
extern const struct fl_act_kind fl_act_lvm;                         /* lvm.c */
extern const struct fl_act_kind fl_act_pool;                        /* pool.c */
extern const struct fl_act_kind fl_act_package;                     /* packages.c */
