/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/backend.h"

#include "cmd/fl-snap/thin/pool.h"
#include "common/num.h"

#include <stdio.h>
#include <string.h>

/* Thin first: what is left of a volume in a pool stands in the folder that goes with files. */
const struct fl_backend *const fl_backends[] = { &fl_backend_thin, &fl_backend_qcow2,
						    &fl_backend_file, NULL };

static const char *in_environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* NULL: none is called that. */
static const struct fl_backend *find(const char *name)
{
	size_t i = 0;

	while (fl_backends[i] && strcmp(fl_backends[i]->name, name) != 0)
		i++;
	return fl_backends[i];
}

int fl_backend_site(const struct fl_args *args, struct fl_site *site, struct fl_err *err)
{
	const char *set = in_environment("FL_BACKEND");
	const char *asked = fl_args_text(args, "backend", NULL);
	const char *word = asked ? asked : set ? set : "auto";

	*site = (struct fl_site){
		.state_dir = fl_args_state_dir(args), .backend = word,
		.pool = fl_args_text(args, "pool", in_environment("FL_POOL")),
	};
	if (fl_place_is_known(word))
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "%s: " FL_PLACES " belongs here, not \"%s\"",
			  asked ? "option --backend" : "FL_BACKEND", word);
}

static const struct fl_backend *no_pool(const struct fl_site *site, struct fl_err *err)
{
	if (site->pool)
		fl_err_set(err, FL_ERR_PRECONDITION, "thin pool %s: there is no device of that "
			   "name; \"dmsetup ls\" lists them, and \"vgchange -ay\" switches LVM's on",
			   site->pool);
	else
		fl_err_set(err, FL_ERR_PRECONDITION, "no thin pool is here under a name of "
			   "flintlock's recipes; name one with --pool, make one with "
			   "\"fl-provision devpool\" or \"fl-provision direct_lvm\", or ask for "
			   "--backend file");
	return NULL;
}

const struct fl_backend *fl_backend_choose(struct fl_site *site, struct fl_err *err)
{
	bool optional = strcmp(site->backend, "auto") == 0 && !site->pool;
	struct fl_thin_pool pool = FL_THIN_POOL_INIT;
	int found;

	if (strcmp(site->backend, "auto") != 0 && strcmp(site->backend, "thin") != 0)
		return find(site->backend);
	found = fl_thin_pool_find(site->pool, &pool, optional ? NULL : err);
	if (found > 0) {
		snprintf(site->found, sizeof(site->found), "%s", pool.name);
		return &fl_backend_thin;
	}
	if (optional)
		return &fl_backend_file;
	return found < 0 ? NULL : no_pool(site, err);
}

int fl_backend_of(const struct fl_volume_call *call, const struct fl_backend **backend,
		  struct fl_err *err)
{
	*backend = NULL;
	for (size_t i = 0; fl_backends[i]; i++) {
		int has = fl_backends[i]->has(call, err);

		if (has < 0)
			return -1;
		if (has)
			*backend = fl_backends[i];
	}
	return 0;
}

int fl_backend_has_file(const struct fl_volume_call *call, const char *name, struct fl_err *err)
{
	if (faccessat(call->folder, name, F_OK, 0) == 0)
		return 1;
	return errno == ENOENT ? 0 : fl_err_errno(err, errno, "%s: cannot be looked at", name);
}

int fl_backend_check_growth(const struct fl_volume_call *call, uint64_t now, uint64_t size,
			    struct fl_err *err)
{
	char text[16];

	if (size >= now)
		return 0;
	fl_num_print_size(now, text);
	return fl_err_set(err, FL_ERR_INVALID, "volume %s has %s, and is never made smaller", call->id, text);
}
