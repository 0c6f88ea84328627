/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/rules.h"

#include "common/alloc.h"
#include "common/ulid.h"

#include <nftables/libnftables.h>
#include <string.h>

#define OWNED "flintlock_vm_" /* begins the name of a microVM's table */

static enum fl_err_kind kind_of(const char *why)
{
	if (strstr(why, "not permitted"))
		return FL_ERR_DENIED;
	return strstr(why, "not supported") ? FL_ERR_UNSUPPORTED : FL_ERR_SYSTEM;
}

/* output: what the rules print; may be NULL. */
static int ask(const char *name, const char *rules, struct fl_str *output, struct fl_err *err)
{
	struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
	int rc;

	if (!context)
		abort();
	nft_ctx_buffer_error(context);
	nft_ctx_buffer_output(context);
	rc = nft_run_cmd_from_buffer(context, rules);
	if (rc != 0) {
		const char *why = nft_ctx_get_error_buffer(context);

		fl_err_set(err, kind_of(why), "%s: nftables refuses: %.*s", name,
			   (int)strcspn(why, "\n"), why);
	}
	if (rc == 0 && output)
		fl_str_add(output, nft_ctx_get_output_buffer(context));
	nft_ctx_free(context);
	return rc == 0 ? 0 : -1;
}

int fl_rules_run(const char *name, const char *rules, struct fl_err *err)
{
	return ask(name, rules, NULL, err);
}

/* Adding what is there changes nothing: so deleting never misses. */
void fl_rules_add_none(struct fl_str *rules, const char *family, const char *table)
{
	fl_str_addf(rules, "add table %s %s\ndelete table %s %s\n", family, table, family, table);
}

int fl_rules_remove(const char *name, const char *family, const char *table, struct fl_err *err)
{
	fl_cleanup_str struct fl_str rules = FL_STR_INIT;

	fl_rules_add_none(&rules, family, table);
	return fl_rules_run(name, rules.data, err);
}

int fl_rules_are_there(const char *name, const char *family, const char *table, const char *word,
		       struct fl_err *err)
{
	fl_cleanup_free char *rules = fl_asprintf("list table %s %s\n", family, table);
	fl_cleanup_str struct fl_str listing = FL_STR_INIT;
	struct fl_err why = { 0 };

	if (ask(name, rules, &listing, &why) == 0)
		return strstr(listing.data, word) ? 1 : 0;
	return strstr(why.text, "No such file") ? 0 : fl_err_pass(err, &why);
}

char *fl_rules_table_of(const char *uid)
{
	return fl_asprintf(OWNED "%s", uid);
}

int fl_rules_each_owner(const char *name, const char *family,
			int (*each)(void *arg, const char *uid, struct fl_err *err), void *arg,
			struct fl_err *err)
{
	fl_cleanup_str struct fl_str tables = FL_STR_INIT;
	fl_cleanup_free char *list = fl_asprintf("list tables %s\n", family);
	fl_cleanup_free char *mark = fl_asprintf("table %s " OWNED, family);

	if (ask(name, list, &tables, err) < 0)
		return -1;
	for (const char *at = tables.data; (at = strstr(at, mark)); ) {
		fl_cleanup_free char *uid = NULL;

		at += strlen(mark);
		uid = fl_strndup(at, strcspn(at, " \n"));
		if (fl_ulid_is_valid(uid) && each(arg, uid, err) < 0)
			return -1;
	}
	return 0;
}
