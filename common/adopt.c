/* SPDX-License-Identifier: MPL-2.0 */
/* From a document to the one microVM it means: identity. */
#include "common/state.h"

#include "common/alloc.h"
#include "common/boot.h"
#include "common/clock.h"
#include "common/lock.h"
#include "common/mask.h"
#include "common/path.h"
#include "common/record.h"
#include "common/spare.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* names: of the members in which it would differ. */
static int check_stopped(const struct fl_vm *vm, const struct fl_str *names, struct fl_err *err)
{
	if (!names->len || !fl_vm_is_supervised(vm))
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION,
			  "%s/%s: runs with another %s; stop it first (fl stop %s), or leave that "
			  "as it is", vm->name_space, vm->name, names->data, vm->uid);
}

int fl_vm_check_spec(const struct fl_vm *vm, const fl_json *old, const fl_json *spec, struct fl_err *err)
{
	fl_cleanup_str struct fl_str names = FL_STR_INIT;

	fl_spec_difference(old, spec, &names);
	return check_stopped(vm, &names, err);
}

fl_json *fl_vm_read_known(const struct fl_state *state, const fl_json *input, struct fl_vm *vm,
			  fl_json **record, struct fl_err *err)
{
	const char *name_space = fl_json_text(fl_json_get(input, "namespace"));
	const char *name = fl_json_text(fl_json_get(input, "id"));
	const char *uid = fl_json_text(fl_json_get(input, "uid"));
	fl_cleanup_json fl_json *saved = NULL;
	fl_cleanup_json fl_json *whole = NULL;
	fl_json *spec;

	if (fl_vm_open(state, name_space && *name_space ? name_space : "default", name ? name : "", uid, vm,
		       err) < 0)
		return NULL;
	saved = fl_vm_load(vm, err);
	whole = saved ? fl_mask_lift(input, fl_json_get(saved, "spec"), err) : NULL;
	spec = whole ? fl_spec_read(whole, err) : NULL;
	if (spec)
		*record = fl_steal(&saved);
	return spec;
}

struct revision {
	const struct fl_vm *vm;
	const fl_json *spec;
};

static int change_spec(void *arg, fl_json *record, struct fl_err *err)
{
	struct revision *revision = arg;
	fl_json *old = fl_json_get(record, "spec"), *spec;
	fl_cleanup_str struct fl_str names = FL_STR_INIT;
	char now[FL_CLOCK_TEXT];

	fl_spec_difference(old, revision->spec, &names);
	if (!names.len)
		return 0;
	if (check_stopped(revision->vm, &names, err) < 0 || fl_spec_check(revision->spec, err) < 0)
		return -1;
	fl_clock_print_now(now);
	spec = fl_json_copy(revision->spec);
	fl_json_set(spec, "uid", fl_json_new_text(revision->vm->uid));
	fl_json_set(spec, "created_at", fl_json_copy(fl_json_get(old, "created_at")));
	fl_json_set(spec, "updated_at", fl_json_new_text(now));
	fl_json_set(record, "spec", spec);
	fl_json_set(record, "version",
		    fl_json_new_int(fl_json_int(fl_json_get(record, "version")) + 1));
	return 0;
}

/* A record, or a spec with a uid. */
static int resolve_known(const struct fl_state *state, const fl_json *input, struct fl_vm *vm,
			 struct fl_err *err)
{
	fl_cleanup_json fl_json *record = NULL;
	fl_cleanup_json fl_json *spec = fl_vm_read_known(state, input, vm, &record, err);
	struct revision revision = { vm, spec };

	if (!spec)
		return -1;
	if (fl_spec_equal(fl_json_get(record, "spec"), spec))
		return 0;
	if (fl_vm_change(vm, FL_SAVE_SYNC, change_spec, &revision, err) < 0)
		return -1;
	fl_spec_warn(spec);
	return 0;
}

static fl_json *new_record(const fl_json *spec, const char *uid)
{
	fl_json *record = fl_json_new_object();
	fl_json *copy = fl_json_copy(spec);
	char now[FL_CLOCK_TEXT], boot[FL_BOOT_ID_TEXT];

	fl_clock_print_now(now);
	fl_boot_id(boot);
	fl_json_set(copy, "uid", fl_json_new_text(uid));
	fl_json_set(copy, "created_at", fl_json_new_text(now));
	fl_json_set(record, "version", fl_json_new_int(1));
	fl_json_set(record, "spec", copy);
	fl_json_put(record, "status.state", fl_json_new_text("PENDING"));
	fl_json_put(record, "host.format", fl_json_new_int(FL_RECORD_FORMAT));
	fl_json_put(record, "host.desired", fl_json_new_text("running"));
	fl_json_put(record, "host.boot_id", fl_json_new_text(boot));
	return record;
}

static void join_host(fl_json *record, const fl_json *host)
{
	fl_json *into = fl_json_get(record, "host");

	for (void *i = fl_json_first(host); i; i = fl_json_next(host, i))
		fl_json_set(into, fl_json_key(i), fl_json_ref(fl_json_value(i)));
}

/* What was made for a microVM that could not be made, unless others live there. Its lock is
 * held; whoever waits for it makes the folder anew (open_name). */
static void leave_name(const struct fl_state *state, const struct fl_vm *vm)
{
	fl_cleanup_free char *name = fl_asprintf("%s/vm/%s/%s", state->dir, vm->name_space, vm->name);
	fl_cleanup_free char *name_space = fl_asprintf("%s/vm/%s", state->dir, vm->name_space);

	if (rmdir(name) == 0)
		rmdir(name_space);
}

/* Under the name's lock, so that a folder without a record is known to be a dead one's. */
static int create(const struct fl_state *state, int name_fd, const fl_json *spec,
		  const fl_json *host, struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_spec struct fl_spec view = fl_spec_view(spec);
	fl_cleanup_json fl_json *record = NULL;

	vm->state = state;
	vm->name_space = fl_strdup(view.name_space);
	vm->name = fl_strdup(view.name);
	if (view.uid)
		snprintf(vm->uid, sizeof(vm->uid), "%s", view.uid);
	else
		fl_ulid_new(vm->uid);
	vm->path = fl_asprintf("%s/vm/%s/%s/%s", state->dir, vm->name_space, vm->name, vm->uid);
	if (mkdirat(name_fd, vm->uid, 0700) < 0) {
		fl_err_errno(err, errno, "%s: cannot be made", vm->path);
		leave_name(state, vm);
		return -1;
	}
	vm->dirfd = openat(name_fd, vm->uid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (vm->dirfd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", vm->path);
	fl_spare_keep(state->dirfd);
	record = new_record(spec, vm->uid);
	join_host(record, host);
	if (fl_record_save(vm, record, "created", FL_SAVE_SYNC, err) < 0) {
		unlinkat(name_fd, vm->uid, AT_REMOVEDIR);
		leave_name(state, vm);
		return -1;
	}
	fsync(name_fd);
	return 0;
}

static int several(const fl_vm_names *names, const char *why, struct fl_err *err)
{
	fl_cleanup_str struct fl_str uids = FL_STR_INIT;

	for (size_t i = 0; i < names->count; i++)
		fl_str_addf(&uids, " %s", names->items[i].uid);
	return fl_err_set(err, FL_ERR_EXISTS,
			  "%s/%s: %s:%s; name one by its uid in the spec, change it with \"fl apply\", take it "
			  "away with \"fl down\", or make another with --new",
			  names->items[0].name_space, names->items[0].name, why, uids.data);
}

/* As fl_vm_adopt, of those. */
static int adopt(const struct fl_state *state, const fl_vm_names *names, const fl_json *spec,
		 struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_str struct fl_str differs = FL_STR_INIT;
	const struct fl_vm_name *found = NULL;
	fl_cleanup_free char *why = NULL;
	size_t live = 0, equal = 0;

	for (size_t i = 0; i < names->count; i++) {
		const struct fl_vm_name *one = &names->items[i];
		struct fl_err failure = { 0 };
		fl_cleanup_json fl_json *record = fl_state_load(state, one, &failure);

		/* It may be the very one that is meant: another beside it must be asked for. */
		if (!record && failure.kind != FL_ERR_NOT_FOUND)
			return fl_err_set(err, failure.kind, "%s; --new makes another %s/%s beside it",
					  failure.text, one->name_space, one->name);
		if (!record || fl_record_is_leaving(record))
			continue;
		live++;
		fl_str_clear(&differs);
		fl_spec_difference(fl_json_get(record, "spec"), spec, &differs);
		if (differs.len)
			continue;
		equal++;
		found = one;
	}
	if (equal == 1)
		return fl_vm_open(state, found->name_space, found->name, found->uid, vm, err) < 0
			       ? -1
			       : 1;
	if (equal > 1)
		return several(names, "several with this spec exist", err);
	if (!live)
		return 0;
	why = fl_asprintf("exists with another spec (%s)", differs.data);
	return several(names, why, err);
}

int fl_vm_adopt(const struct fl_state *state, const fl_json *spec, struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_spec struct fl_spec view = fl_spec_view(spec);
	fl_cleanup_free char *text = fl_asprintf("%s/%s", view.name_space, view.name);
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	if (fl_state_match(state, text, &names, err) < 0)
		return -1;
	return adopt(state, &names, spec, vm, err);
}

/* The folder of the name, locked, and still the one under that name: a leaving microVM
 * may take it away while we wait for the lock. */
static int open_name(const struct fl_state *state, const struct fl_spec *view, struct fl_err *err)
{
	fl_cleanup_free char *path =
		fl_asprintf("%s/vm/%s/%s", state->dir, view->name_space, view->name);

	for (;;) {
		fl_cleanup_close int fd = -1;
		struct stat held, named;

		/* What lies above may leave just as well. */
		if (fl_path_make_folders(path, 0700, err) < 0) {
			if (errno == ENOENT)
				continue;
			return -1;
		}
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return fl_err_errno(err, errno, "%s: cannot be opened", path);
		if (fl_lock_fd(fd, path, FL_LOCK_EXCLUSIVE, FL_LOCK_FOREVER, err) < 0)
			return -1;
		if (fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino)
			return fl_steal_fd(&fd);
	}
}

static int resolve_bare(const struct fl_state *state, const fl_json *input, bool another,
			struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_json fl_json *spec = fl_spec_read(input, err);
	fl_cleanup_spec struct fl_spec view = { 0 };
	fl_cleanup_close int name_fd = -1;
	int rc;

	if (!spec)
		return -1;
	/* What is missed may be there under a name that is none. */
	if (fl_spec_check(spec, err) < 0) {
		fl_spec_warn(spec);
		return -1;
	}
	view = fl_spec_view(spec);
	name_fd = open_name(state, &view, err);
	if (name_fd < 0)
		return -1;
	rc = another ? 0 : fl_vm_adopt(state, spec, vm, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	fl_spec_warn(spec);
	return create(state, name_fd, spec, NULL, vm, err);
}

int fl_vm_create(const struct fl_state *state, const fl_json *spec, const fl_json *host,
		 struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_spec struct fl_spec view = fl_spec_view(spec);
	fl_cleanup_close int name_fd = open_name(state, &view, err);

	*vm = (struct fl_vm)FL_VM_INIT;
	return name_fd < 0 ? -1 : create(state, name_fd, spec, host, vm, err);
}

int fl_vm_resolve(const struct fl_state *state, const fl_json *document, bool another,
		  struct fl_vm *vm, struct fl_err *err)
{
	const fl_json *input = fl_spec_of(document);
	const char *uid = fl_json_text(fl_json_get(input, "uid"));

	if (!fl_json_is_object(input))
		return fl_err_set(err, FL_ERR_INVALID, "the document is %s, not a spec or a record",
				  fl_json_type_name(input));
	if (uid && *uid)
		return resolve_known(state, input, vm, err);
	return resolve_bare(state, input, another, vm, err);
}
