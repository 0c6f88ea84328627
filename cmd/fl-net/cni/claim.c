/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/cni/claim.h"

#include "common/alloc.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/log.h"
#include "common/path.h"
#include "common/step.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define FILE_LIMIT (4 << 20)
#define SUFFIX ".json"
#define LOCK ".lock"
#define UNKNOWN_MS 10000 /* to wait where no claim says how long a plugin may take */
#define MARGIN_MS 1000
#define LOOK_EVERY_MS 200

static char *folder_of(const struct fl_state *state)
{
	return fl_asprintf("%s/cni", state->dir);
}

static int load(struct fl_claim *claim, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_json_unref(claim->document);
	claim->document = NULL;
	if (access(claim->path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (fl_io_read_file(AT_FDCWD, claim->path, FILE_LIMIT, &text, err) < 0)
		return -1;
	claim->document = fl_json_parse(text.data, text.len, claim->path, err);
	if (fl_json_is_object(fl_json_get(claim->document, "list")))
		return 0;
	return fl_err_set(err, FL_ERR_CORRUPT, "%s: does not say what was made of a CNI network; "
			  "remove the file, and what the network's plugins have for %s",
			  claim->path, claim->container);
}

static int patience(const struct fl_claim *claim)
{
	int64_t ms = fl_json_int(fl_json_get(claim->document, "timeout_ms"));

	return ms > 0 && ms < INT_MAX - MARGIN_MS ? (int)ms + MARGIN_MS : UNKNOWN_MS;
}

/* A plugin that became a daemon may hold it for ever: that is not waited for. */
static int take_lock(struct fl_claim *claim, struct fl_err *err)
{
	int timeout_ms = patience(claim);
	fl_cleanup_free char *name = fl_asprintf("%s" LOCK, claim->container);
	struct fl_err why = { 0 };

	claim->lock = fl_lock_file(claim->folder, name, FL_LOCK_EXCLUSIVE, timeout_ms, &why);
	if (claim->lock >= 0)
		return 0;
	if (why.kind != FL_ERR_BUSY && why.kind != FL_ERR_TIMEOUT)
		return fl_err_pass(err, &why);
	fl_log(FL_LOG_WARN, "%s: what a CNI plugin started still runs; going on without it",
	       claim->container);
	return 0;
}

char *fl_claim_container(const char *uid, const char *device)
{
	return fl_asprintf("%s-%s", uid, device);
}

int fl_claim_open(const struct fl_state *state, const char *uid, const char *device,
		  struct fl_claim *claim, struct fl_err *err)
{
	fl_cleanup_free char *folder = folder_of(state);

	*claim = (struct fl_claim)FL_CLAIM_INIT;
	claim->container = fl_claim_container(uid, device);
	claim->path = fl_asprintf("%s/%s" SUFFIX, folder, claim->container);
	if (fl_path_make_folders(folder, 0700, err) < 0)
		return -1;
	claim->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (claim->folder < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", folder);
	/* Looked at before, for how long to wait; and again, as it may be another one by now. */
	if (load(claim, err) < 0 || take_lock(claim, err) < 0)
		return -1;
	return load(claim, err);
}

static void remove_lock(const struct fl_claim *claim)
{
	fl_cleanup_free char *name = fl_asprintf("%s" LOCK, claim->container);

	unlinkat(claim->folder, name, 0);
}

void fl_claim_close(struct fl_claim *claim)
{
	/* Nothing is claimed: nobody has to wait for anybody. */
	if (claim->lock >= 0 && access(claim->path, F_OK) < 0)
		remove_lock(claim);
	if (claim->lock >= 0)
		close(claim->lock);
	if (claim->folder >= 0)
		close(claim->folder);
	fl_json_unref(claim->document);
	free(claim->container);
	free(claim->path);
	*claim = (struct fl_claim)FL_CLAIM_INIT;
}

int fl_claim_save(const struct fl_claim *claim, struct fl_err *err)
{
	fl_cleanup_free char *name = fl_asprintf("%s" SUFFIX, claim->container);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_json_print(claim->document, false, &text);
	fl_str_add(&text, "\n");
	return fl_atomic_write(claim->folder, name, 0600, text.data, text.len, true, err);
}

int fl_claim_drop(struct fl_claim *claim, struct fl_err *err)
{
	fl_json_unref(claim->document);
	claim->document = NULL;
	if (unlink(claim->path) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be removed", claim->path);
	/* Who still holds it holds nothing any more. */
	if (claim->lock < 0)
		remove_lock(claim);
	fl_atomic_sweep(claim->folder);
	return 0;
}

int fl_claim_lock_all(const struct fl_state *state, enum fl_lock_mode mode,
		      const struct fl_cancel *cancel, struct fl_err *err)
{
	fl_cleanup_free char *folder = folder_of(state);
	fl_cleanup_close int fd = -1;
	struct fl_err why = { 0 };

	if (fl_path_make_folders(folder, 0700, err) < 0)
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", folder);
	while (fl_lock_fd(fd, folder, mode, LOOK_EVERY_MS, &why) < 0) {
		if (fl_cancel_check(cancel, err) < 0)
			return -1;
		if (why.kind != FL_ERR_BUSY)
			return fl_err_pass(err, &why);
	}
	return fl_steal_fd(&fd);
}

static bool split(const char *name, const char *uid, char of[static FL_ULID_TEXT])
{
	size_t len = FL_ULID_TEXT - 1;

	if (strlen(name) < len + 2 || name[len] != '-')
		return false;
	snprintf(of, FL_ULID_TEXT, "%s", name);
	return fl_ulid_is_valid(of) && (!uid || strcmp(uid, of) == 0);
}

/* A lock alone is what a kill left before the claim was there. */
static int is_claim(const struct dirent *entry)
{
	const char *name = entry->d_name;

	return *name != '.' && (fl_str_ends(name, SUFFIX) || fl_str_ends(name, LOCK));
}

/* Sorted, a claim stands before its lock. */
static bool is_same(const char *a, const char *b)
{
	size_t len = strcspn(a, ".");

	return strncmp(a, b, len) == 0 && b[len] == '.';
}

int fl_claim_each(const struct fl_state *state, const char *uid,
		  int (*each)(void *arg, const char *uid, const char *device, struct fl_err *err),
		  void *arg, struct fl_err *err)
{
	fl_cleanup_free char *folder = folder_of(state);
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_claim, alphasort);
	struct fl_err first = { 0 };
	char of[FL_ULID_TEXT];

	if (count < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be read", folder);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		struct fl_err failure = { 0 };

		if (first.kind != FL_ERR_INTERRUPTED && split(name, uid, of) &&
		    !(i && is_same(entries[i - 1]->d_name, name))) {
			fl_cleanup_free char *device = fl_strndup(
				name + FL_ULID_TEXT, strcspn(name + FL_ULID_TEXT, "."));

			if (each(arg, of, device, &failure) < 0)
				fl_step_keep_first(&first, &failure);
		}
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return fl_step_take_first(&first, err);
}
