/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/file.h"

#include "common/alloc.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/path.h"
#include "common/sha256.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LONGEST ((size_t)256 << 20)

struct fl_act *fl_file_add(fl_acts *acts, const char *step, const char *path,
			   const struct fl_file *file)
{
	const char *slash = strrchr(path, '/');
	fl_cleanup_free char *folder = fl_strndup(path, slash ? (size_t)(slash - path) : 0);
	struct fl_act *act;

	fl_folder_add(acts, step, folder, 0755);
	act = fl_acts_add(acts, &fl_act_file, step, fl_about(path));
	act->file = file;
	return act;
}

/* 1: a file, read; 0: there is nothing; FL_LOOK_KEEP is the caller's for what is no file. */
static int read_now(const char *path, struct fl_str *now, bool *is_file, struct fl_err *err)
{
	struct stat st;

	fl_str_add(now, "");
	*is_file = true;
	if (lstat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	*is_file = S_ISREG(st.st_mode);
	if (*is_file && fl_io_read_file(AT_FDCWD, path, LONGEST, now, err) < 0)
		return -1;
	return 1;
}

static bool has_digest(const fl_json *of, const struct fl_str *text)
{
	char hex[FL_SHA256_HEX];

	fl_sha256_hex(text->data, text->len, hex);
	return strcmp(fl_about_text(of, "sha256"), hex) == 0;
}

static void set_digest(fl_json *of, const struct fl_str *text)
{
	char hex[FL_SHA256_HEX];

	fl_sha256_hex(text->data, text->len, hex);
	fl_json_set(of, "sha256", fl_json_new_text(hex));
}

/* The entry that wrote a text there. The newest need not have come to it. */
static const fl_json *entry_of(const struct fl_site *site, const char *path,
			       const struct fl_str *text)
{
	const fl_json *entries = site->ledger->entries;

	for (size_t i = fl_json_count(entries); i > 0; i--) {
		const fl_json *one = fl_json_item(entries, i - 1);

		if (strcmp(fl_about_text(one, "kind"), "file") == 0 &&
		    strcmp(fl_about_text(one, "name"), path) == 0 && has_digest(one, text))
			return one;
	}
	return NULL;
}

bool fl_file_is_ours(const struct fl_site *site, const char *path, const struct fl_str *now)
{
	return entry_of(site, path, now) != NULL;
}

const fl_json *fl_file_entry(const struct fl_site *site, const char *path)
{
	fl_cleanup_str struct fl_str now = FL_STR_INIT;
	bool is_file;
	int found = read_now(path, &now, &is_file, NULL);

	return found ? entry_of(site, path, &now) : fl_ledger_find(site->ledger, "file", path);
}

/* The entry that wrote what another entry found; NULL: that was not ours. */
static fl_json *entry_before(const struct fl_site *site, const fl_json *entry)
{
	const fl_json *entries = site->ledger->entries;
	const char *digest = fl_about_text(fl_json_get(entry, "before"), "sha256");

	for (size_t i = fl_json_count(entries); i > 0; i--) {
		fl_json *one = fl_json_item(entries, i - 1);

		if (fl_json_int(fl_json_get(one, "n")) < fl_json_int(fl_json_get(entry, "n")) &&
		    strcmp(fl_about_text(one, "name"), fl_about_text(entry, "name")) == 0 &&
		    strcmp(fl_about_text(one, "sha256"), digest) == 0)
			return one;
	}
	return NULL;
}

/* What stood there before we came, in place of what we wrote: 1, or 0 when that was nothing. */
static int read_before(const struct fl_site *site, const char *path, struct fl_str *base,
		       struct fl_err *err)
{
	const fl_json *entry = entry_of(site, path, base), *older;

	while (entry && (older = entry_before(site, entry)))
		entry = older;
	fl_str_clear(base);
	if (!fl_json_get(entry, "before"))
		return 0;
	return fl_ledger_kept(site->ledger, entry, base, err) < 0 ? -1 : 1;
}

int fl_file_base(const struct fl_site *site, const char *path, struct fl_str *base,
		 struct fl_err *err)
{
	bool is_file;
	int found = read_now(path, base, &is_file, err);

	if (found <= 0 || !is_file || !fl_file_is_ours(site, path, base))
		return found < 0 ? -1 : found && is_file;
	return read_before(site, path, base, err);
}

/* Runs the file's own write; one that merges, over what is another's. */
static int compose(const struct fl_site *site, const struct fl_act *act, const struct fl_str *now,
		   struct fl_str *text, struct fl_str *why, struct fl_err *err)
{
	const struct fl_file *file = act->file;
	fl_cleanup_str struct fl_str base = FL_STR_INIT;

	fl_str_add(text, "");
	if (file->merges) {
		int has_base = fl_file_base(site, fl_act_name(act), &base, err);

		if (has_base < 0)
			return -1;
		now = has_base ? &base : NULL;
	}
	if (file->write(site->host, act->about, now, text, why, err) < 0)
		return -1;
	return file->accept ? file->accept(act->about, text, err) : 0;
}

static int may_write(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	return act->file->may_write ? act->file->may_write(site, act->about, err) : 0;
}

static int judge(const struct fl_site *site, const struct fl_act *act, const struct fl_str *now,
		 struct fl_str *why, struct fl_err *err)
{
	const struct fl_file *file = act->file;
	bool ours = fl_file_is_ours(site, fl_act_name(act), now);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (file->keeps || (file->is_good && file->is_good(site, act->about, now)))
		return FL_LOOK_DONE;
	if (!file->is_good) {
		if (compose(site, act, now, &text, why, err) < 0)
			return -1;
		if (text.len == now->len && memcmp(text.data, now->data, now->len) == 0)
			return FL_LOOK_DONE;
	}
	if (ours || file->merges)
		return may_write(site, act, err) < 0 ? -1 : FL_LOOK_CHANGE;
	fl_str_addf(why, "it is another's, or was changed");
	return FL_LOOK_KEEP;
}

/* What merges has remarks from the first time on. */
static int look_at_new(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		       struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (act->file->merges && compose(site, act, NULL, &text, why, err) < 0)
		return -1;
	return may_write(site, act, err) < 0 ? -1 : FL_LOOK_MAKE;
}

static int look(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		struct fl_err *err)
{
	fl_cleanup_str struct fl_str now = FL_STR_INIT;
	bool is_file;
	int found = read_now(fl_act_name(act), &now, &is_file, err);

	if (found < 0)
		return -1;
	if (!found)
		return look_at_new(site, act, why, err);
	if (is_file)
		return judge(site, act, &now, why, err);
	fl_str_add(why, "it is no ordinary file");
	return FL_LOOK_KEEP;
}

static int keep_before(const struct fl_site *site, const char *path, const struct fl_str *now,
		       fl_json *entry, struct fl_err *err)
{
	fl_json *before = fl_json_new_object();
	struct stat st = { 0 };

	fl_json_set(entry, "before", before);
	set_digest(before, now);
	if (stat(path, &st) < 0)
		return fl_err_errno(err, errno, "%s", path);
	fl_json_set(before, "mode", fl_json_new_int(st.st_mode & 07777));
	fl_json_set(before, "uid", fl_json_new_int(st.st_uid));
	fl_json_set(before, "gid", fl_json_new_int(st.st_gid));
	return fl_ledger_keep(site->ledger, now, err);
}

static int before(const struct fl_site *site, struct fl_act *act, fl_json *entry,
		  struct fl_err *err)
{
	fl_cleanup_str struct fl_str now = FL_STR_INIT, why = FL_STR_INIT;
	bool is_file;
	int found = read_now(fl_act_name(act), &now, &is_file, err);

	if (found < 0 || compose(site, act, found ? &now : NULL, &act->text, &why, err) < 0)
		return -1;
	set_digest(entry, &act->text);
	return found ? keep_before(site, fl_act_name(act), &now, entry, err) : 0;
}

/* Whose a file is to be, and who may read it. */
struct owner {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

static int put(const char *path, struct owner owner, const struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;

	if (fl_atomic_open_path(&file, path, owner.mode & 0600, err) < 0)
		return -1;
	if (fchown(file.fd, owner.uid, owner.gid) < 0 || fchmod(file.fd, owner.mode) < 0)
		return fl_err_errno(err, errno, "%s: its owner cannot be set", path);
	/* What an earlier run left when it was killed. */
	fl_atomic_sweep(file.dirfd);
	if (fl_io_write(file.fd, text->data, text->len, path, err) < 0)
		return -1;
	return fl_atomic_publish(&file, true, err) < 0 ? -1 : fl_unit_changed(path, err);
}

static int make(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	const char *path = fl_act_name(act);
	struct owner owner = { act->file->mode, geteuid(), getegid() };
	struct stat st;

	(void)site;
	if (act->file->merges && stat(path, &st) == 0)
		owner = (struct owner){ st.st_mode & 07777, st.st_uid, st.st_gid };
	return put(path, owner, &act->text, err);
}

static void sweep_beside(const char *path)
{
	const char *slash = strrchr(path, '/');
	fl_cleanup_free char *folder = fl_strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
	fl_cleanup_close int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd >= 0)
		fl_atomic_sweep(dirfd);
}

static struct owner owner_before(const fl_json *earlier)
{
	/* Without them, as entries were once, it is root's. */
	return (struct owner){ .mode = (mode_t)fl_json_int(fl_json_get(earlier, "mode")),
			       .uid = (uid_t)fl_json_int(fl_json_get(earlier, "uid")),
			       .gid = (gid_t)fl_json_int(fl_json_get(earlier, "gid")) };
}

static int take_back(const struct fl_site *site, const fl_json *entry, const char *path,
		     struct fl_err *err)
{
	const fl_json *earlier = fl_json_get(entry, "before");
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (earlier) {
		fl_str_add(&text, "");
		if (fl_ledger_kept(site->ledger, entry, &text, err) < 0)
			return -1;
		return put(path, owner_before(earlier), &text, err);
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be removed", path);
	return fl_unit_changed(path, err);
}

/* What stays may name what does not. */
static void say_named(const struct fl_site *site, const fl_json *entry, struct fl_str *kept)
{
	const fl_json *own = fl_json_get(entry, "own");
	size_t named = 0;

	for (size_t i = 0; i < fl_json_count(own); i++) {
		const char *file = fl_json_text(fl_json_item(own, i));

		if (fl_ledger_find(site->ledger, "file", file))
			fl_str_addf(kept, "%s%s", named++ ? ", " : "; it names what goes: ", file);
	}
	if (named)
		fl_str_addf(kept, " (\"fl-provision %s\" makes that again)",
			    fl_about_text(entry, "step"));
}

static int undo(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		struct fl_err *err)
{
	const char *path = fl_about_text(entry, "name");
	fl_cleanup_str struct fl_str now = FL_STR_INIT;
	bool is_file;
	int found = read_now(path, &now, &is_file, err);

	sweep_beside(path);
	if (found <= 0)
		return found;
	if (is_file && has_digest(entry, &now))
		return take_back(site, entry, path, err);
	if (!is_file || !has_digest(fl_json_get(entry, "before"), &now)) {
		fl_str_add(kept, "it was changed since");
		say_named(site, entry, kept);
	}
	return 0;
}

const struct fl_act_kind fl_act_file = {
	.name = "file",
	.look = look,
	.before = before,
	.make = make,
	.undo = undo,
};
