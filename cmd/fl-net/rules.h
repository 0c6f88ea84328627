/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tables of nftables in this network namespace. The owner of libnftables.
 *
 *     fl_cleanup_free char *table = fl_rules_table_of(uid);
 *     fl_rules_add_none(&rules, "inet", table);
 *     fl_str_addf(&rules, "table inet %s { … }\n", table);
 *     if (fl_rules_run("published ports", rules.data, err) < 0) return -1;
 */
#pragma once

#include "common/err.h"
#include "common/str.h"

/* name, here and below, begins what an error says. The commands of nft(8) in rules are done all
 * at once, or not at all. FL_ERR_DENIED without the right to, FL_ERR_UNSUPPORTED when the kernel
 * does not know what is asked for. */
int fl_rules_run(const char *name, const char *rules, struct fl_err *err);

/* Commands after which there is no such table, whether there was one or not. */
void fl_rules_add_none(struct fl_str *rules, const char *family, const char *table);

/* Gone already is fine. */
int fl_rules_remove(const char *name, const char *family, const char *table, struct fl_err *err);

/* Whether there is such a table, and word in it: 1 or 0. */
int fl_rules_are_there(const char *name, const char *family, const char *table, const char *word,
		       struct fl_err *err);

/* What a microVM's table is called in each family; caller frees. */
char *fl_rules_table_of(const char *uid);

/* Calls each for the uid of every microVM that has a table of that family here. */
int fl_rules_each_owner(const char *name, const char *family,
			int (*each)(void *arg, const char *uid, struct fl_err *err), void *arg,
			struct fl_err *err);
