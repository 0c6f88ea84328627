/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/cp.h"

#include "cmd/fl/ssh.h"
#include "common/alloc.h"
#include "common/path.h"

#include <string.h>
#include <sys/stat.h>

const struct fl_option fl_cp_options[] = {
	FL_SSH_OPTIONS,
	{ "recursive", 'r', NULL, "folders with all that is in them" },
	{ "preserve", 'p', NULL, "keep times and modes" },
	{ 0 },
};

/* The microVM of "NAME:PATH", "UID:PATH" or "NAMESPACE/NAME:PATH", the first spelt as the
 * last; NULL: it is a file of this host, as what begins with "." or "/" always is. Caller
 * frees. */
static char *guest_of(const char *operand)
{
	const char *colon = strchr(operand, ':');
	fl_cleanup_free char *text = colon ? fl_strndup(operand, (size_t)(colon - operand)) : NULL;
	char *slash = text ? strchr(text, '/') : NULL;
	bool good;

	if (!text || *operand == '.')
		return NULL;
	if (slash)
		*slash = 0;
	good = fl_path_is_name(text) && (!slash || fl_path_is_name(slash + 1));
	if (slash)
		*slash = '/';
	if (!good)
		return NULL;
	return slash || fl_ulid_is_valid(text) ? fl_steal(&text) : fl_asprintf("default/%s", text);
}

static int no_guest(struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_USAGE, "either the sources or the target lie in one guest: write "
			  "NAMESPACE/NAME:PATH there; a file of this host with a \":\" in its name as ./NAME");
}

/* All sources on one side, the target on the other. */
static int choose_guest(const struct fl_args *args, char **guest, struct fl_err *err)
{
	size_t last = args->operands.count - 1;
	fl_cleanup_free char *target = guest_of(args->operands.items[last]);
	fl_cleanup_free char *source = guest_of(args->operands.items[0]);

	for (size_t i = 1; i < last; i++) {
		fl_cleanup_free char *other = guest_of(args->operands.items[i]);

		if (!fl_str_equal(source, other))
			return no_guest(err);
	}
	if (!source == !target)
		return no_guest(err);
	*guest = source ? fl_steal(&source) : fl_steal(&target);
	return 0;
}

/* As scp wants it: an IPv6 address in brackets, a host's file never taken for another's. */
static char *place_of(const char *operand, const struct fl_ssh_guest *guest)
{
	fl_cleanup_free char *named = guest_of(operand);
	bool is_v6 = strchr(guest->address, ':');

	if (named)
		return fl_asprintf(is_v6 ? "[%s]%s" : "%s%s", guest->address, strchr(operand, ':'));
	return fl_asprintf("%s%s", strchr("./", *operand) ? "" : "./", operand);
}

/* scp would say that a folder is no regular file. */
static int check_folders(const struct fl_args *args, struct fl_err *err)
{
	struct stat st;

	for (size_t i = 0; i + 1 < args->operands.count && !fl_args_flag(args, "recursive"); i++) {
		fl_cleanup_free char *guest = guest_of(args->operands.items[i]);

		if (!guest && stat(args->operands.items[i], &st) == 0 && S_ISDIR(st.st_mode))
			return fl_err_set(err, FL_ERR_USAGE, "%s: is a folder; give --recursive (-r)",
					  args->operands.items[i]);
	}
	return 0;
}

int fl_cp(struct fl_args *args, struct fl_err *err)
{
	static const char *const flags[][2] = { { "recursive", "-r" },
						{ "preserve", "-p" },
						{ "quiet", "-q" } };
	fl_cleanup_ssh struct fl_ssh_guest guest = FL_SSH_GUEST_INIT;
	fl_cleanup_free char *name = NULL;

	if (choose_guest(args, &name, err) < 0 || check_folders(args, err) < 0 || fl_ssh_find(args, name, &guest, err) < 0 ||
	    fl_ssh_begin(args, &guest, "scp", err) < 0)
		return -1;
	for (size_t i = 0; i < FL_COUNT(flags); i++)
		if (fl_args_flag(args, flags[i][0]))
			fl_ssh_add(&guest, flags[i][1]);
	fl_ssh_add(&guest, "--");
	for (size_t i = 0; i < args->operands.count; i++) {
		fl_cleanup_free char *place = place_of(args->operands.items[i], &guest);

		fl_ssh_add(&guest, place);
	}
	return fl_ssh_become(&guest, err);
}
