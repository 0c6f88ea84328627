/* SPDX-License-Identifier: MPL-2.0 */
/* A microVM's record: loading, changing, wishes, claims, leaving. */
#include "common/record.h"

#include "common/alloc.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/journal.h"
#include "common/lock.h"
#include "common/path.h"
#include "common/spare.h"

#include <fcntl.h>
#include <string.h>

static int gone(const struct fl_vm *vm, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_NOT_FOUND, "%s/%s: microvm %s not found: it is gone",
			  vm->name_space, vm->name, vm->uid);
}

static int check_format(const struct fl_vm *vm, const fl_json *format, struct fl_err *err)
{
	if (format && !fl_json_is_int(format))
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: host.format of the record is no number", vm->path);
	if (fl_json_int(format) <= FL_RECORD_FORMAT)
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED,
			  "%s: the record has format %lld, and this version knows up to %d; use a newer "
			  "flintlock toolkit", vm->path, (long long)fl_json_int(format), FL_RECORD_FORMAT);
}

static fl_json *load(const struct fl_vm *vm, bool skimmed, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *record = NULL;
	struct fl_err why;

	if (fl_io_read_file(vm->dirfd, "record.json", FL_RECORD_LIMIT, &text, &why) < 0) {
		if (why.kind == FL_ERR_NOT_FOUND) {
			gone(vm, err);
		} else {
			fl_err_pass(err, &why);
			fl_err_prefix(err, "%s", vm->path);
		}
		return NULL;
	}
	if (skimmed)
		fl_json_skim(&text, FL_VM_LOOK_LONGEST, "argv");
	/* What we wrote ourselves, and nobody asked for wrongly. */
	record = fl_json_parse(text.data, text.len, "record.json", &why);
	if (!record) {
		fl_err_set(err, FL_ERR_CORRUPT, "%s: %s; mend it by hand, or remove the folder when nothing of the "
			   "microVM is left", vm->path, why.text);
		return NULL;
	}
	return check_format(vm, fl_json_at(record, "host.format"), err) < 0 ? NULL : fl_json_ref(record);
}

fl_json *fl_vm_load(const struct fl_vm *vm, struct fl_err *err)
{
	return load(vm, false, err);
}

fl_json *fl_vm_look(const struct fl_vm *vm, struct fl_err *err)
{
	return load(vm, true, err);
}

static const char *request_of(const fl_json *record)
{
	return fl_json_text(fl_json_at(record, "host.request"));
}

int fl_record_save(const struct fl_vm *vm, const fl_json *record, const char *what,
		   enum fl_save how, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct fl_event event = { vm->uid, vm->name_space, vm->name, what, request_of(record), record };
	fl_cleanup_close int events = -1;

	fl_json_print(record, true, &text);
	fl_str_add(&text, "\n");
	if (fl_atomic_open(&file, vm->dirfd, "record.json", 0600, err) < 0 ||
	    fl_io_write(file.fd, text.data, text.len, "record.json", err) < 0)
		return fl_err_prefix(err, "%s", vm->path);
	if (how == FL_SAVE_SYNC && fl_atomic_sync(&file, err) < 0)
		return fl_err_prefix(err, "%s", vm->path);
	events = fl_journal_lock(vm->state->dirfd, err);
	if (events < 0 || fl_journal_add(vm->state->dirfd, &event, err) < 0)
		return -1;
	return fl_atomic_publish(&file, how == FL_SAVE_SYNC, err);
}

static const char *desired_of(const fl_json *record)
{
	return fl_json_text(fl_json_at(record, "host.desired"));
}

bool fl_record_is_leaving(const fl_json *record)
{
	return fl_str_equal(desired_of(record), "deleted");
}

static int lock_record(const struct fl_vm *vm, struct fl_err *err)
{
	int lock = fl_lock_file(vm->dirfd, "lock", FL_LOCK_EXCLUSIVE, FL_LOCK_FOREVER, err);

	if (lock >= 0 || !err)
		return lock;
	return err->kind == FL_ERR_NOT_FOUND ? gone(vm, err) : fl_err_prefix(err, "%s", vm->path);
}

bool fl_record_has_ended(const fl_json *record)
{
	const char *state = fl_json_text(fl_json_at(record, "host.vmm.state"));

	return fl_str_equal(state, "failed") || fl_str_equal(state, "stopped") ||
	       fl_str_equal(state, "waiting");
}

const char *fl_record_reason(const fl_json *record)
{
	const char *error = fl_json_text(fl_json_at(record, "host.error.text"));

	/* A guest that its VMM holds up. */
	if (!error && fl_str_equal(fl_json_text(fl_json_at(record, "host.vmm.state")), "paused") &&
	    fl_str_equal(desired_of(record), "running"))
		return fl_json_text(fl_json_at(record, "host.vmm.refused"));
	if (error || !fl_record_has_ended(record))
		return error;
	return fl_json_text(fl_json_at(record, "host.vmm.exit.reason"));
}

/* "deleted" is final, whatever a change that began before it would write. */
static void keep_deleted(const fl_json *before, fl_json *record)
{
	if (!fl_record_is_leaving(before))
		return;
	fl_json_put(record, "host.desired", fl_json_new_text("deleted"));
	fl_json_put(record, "status.state", fl_json_new_text("DELETING"));
}

static bool is_stopping(const fl_json *before, const fl_json *record)
{
	return fl_str_equal(desired_of(record), "stopped") &&
	       !(fl_str_equal(desired_of(before), "stopped") &&
		 fl_json_equal(fl_json_at(before, "host.vmm.state"), fl_json_at(record, "host.vmm.state")));
}

/* The way to room on a full disk leads by stopping and deleting. */
static int save_change(const struct fl_vm *vm, const fl_json *before, const fl_json *record,
		       enum fl_save how, struct fl_err *err)
{
	struct fl_err why = { 0 };

	if (fl_record_save(vm, record, "changed", how, &why) == 0)
		return 0;
	if (why.kind != FL_ERR_EXHAUSTED || !(fl_record_is_leaving(record) || is_stopping(before, record)))
		return fl_err_pass(err, &why);
	/* Or another has given it just now. */
	fl_spare_give(vm->state->dirfd);
	return fl_record_save(vm, record, "changed", how, err);
}

int fl_vm_change(const struct fl_vm *vm, enum fl_save how, fl_vm_changer *change, void *arg,
		 struct fl_err *err)
{
	fl_cleanup_close int lock = lock_record(vm, err);
	fl_cleanup_json fl_json *record = lock < 0 ? NULL : fl_vm_load(vm, err);
	fl_cleanup_json fl_json *before = NULL;

	if (!record)
		return -1;
	before = fl_json_copy(record);
	if (change(arg, record, err) < 0)
		return -1;
	keep_deleted(before, record);
	if (fl_json_equal(before, record))
		return 0;
	return save_change(vm, before, record, how, err);
}

struct put {
	const char *path;
	fl_json *value;
};

static int change_put(void *arg, fl_json *record, struct fl_err *err)
{
	struct put *put = arg;

	(void)err;
	fl_json_put(record, put->path, put->value ? fl_json_ref(put->value) : NULL);
	return 0;
}

int fl_vm_put(const struct fl_vm *vm, const char *path, fl_json *value, struct fl_err *err)
{
	fl_cleanup_json fl_json *taken = value;
	struct put put = { path, taken };

	return fl_vm_change(vm, FL_SAVE_PLAIN, change_put, &put, err);
}

static const char *request_of_environment(void)
{
	return getenv("FL_REQUEST_ID");
}

static void desire(fl_json *record, const char *desired, const char *request)
{
	/* Whoever asks once more is to get an answer of this time. */
	fl_json_put(record, "host.vmm.refused", NULL);
	if (fl_str_equal(desired_of(record), desired))
		return;
	fl_json_put(record, "host.desired", fl_json_new_text(desired));
	fl_json_put(record, "host.request", request ? fl_json_new_text(request) : NULL);
}

void fl_record_desire(fl_json *record, const char *desired)
{
	desire(record, desired, request_of_environment());
}

struct wish {
	const char *desired, *request;
};

static int change_desired(void *arg, fl_json *record, struct fl_err *err)
{
	const struct wish *wish = arg;
	bool is_end = strcmp(wish->desired, "deleted") == 0;

	if (!is_end && fl_record_is_leaving(record))
		return fl_err_set(err, FL_ERR_ABORTED, "the microVM is being deleted");
	desire(record, wish->desired, wish->request);
	if (is_end)
		fl_json_put(record, "status.state", fl_json_new_text("DELETING"));
	return 0;
}

int fl_vm_desire_for(const struct fl_vm *vm, const char *desired, const char *request,
		     struct fl_err *err)
{
	struct wish wish = { desired, request };

	return fl_vm_change(vm, FL_SAVE_SYNC, change_desired, &wish, err) < 0 ? -1 : 0;
}

int fl_vm_desire(const struct fl_vm *vm, const char *desired, struct fl_err *err)
{
	return fl_vm_desire_for(vm, desired, request_of_environment(), err);
}

/* host.claims is an object with a member per step, so that it reads well. */
static int change_claim(void *arg, fl_json *record, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("host.claims.%s", (const char *)arg);

	if (fl_record_is_leaving(record))
		return fl_err_set(err, FL_ERR_ABORTED, "the microVM is being deleted");
	fl_json_put(record, path, fl_json_new_bool(true));
	return 0;
}

int fl_vm_claim(const struct fl_vm *vm, const char *step, struct fl_err *err)
{
	return fl_vm_change(vm, FL_SAVE_SYNC, change_claim, (void *)step, err);
}

static int change_release(void *arg, fl_json *record, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("host.claims.%s", (const char *)arg);

	(void)err;
	fl_json_put(record, path, NULL);
	return 0;
}

int fl_vm_release(const struct fl_vm *vm, const char *step, struct fl_err *err)
{
	return fl_vm_change(vm, FL_SAVE_PLAIN, change_release, (void *)step, err);
}

static int lock_name(const struct fl_state *state, const char *name_space, const char *name,
		     struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/vm/%s/%s", state->dir, name_space, name);
	fl_cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	if (fl_lock_fd(fd, path, FL_LOCK_EXCLUSIVE, FL_LOCK_FOREVER, err) < 0)
		return -1;
	return fl_steal_fd(&fd);
}

static void sweep_locked(const struct fl_state *state, int name_fd, const char *name_space,
			 const char *name)
{
	fl_cleanup_free char *above = fl_asprintf("vm/%s", name_space);
	fl_cleanup_free char *path = fl_asprintf("vm/%s/%s", name_space, name);
	fl_cleanup_dir DIR *dir = fdopendir(openat(name_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		fl_cleanup_free char *record = fl_asprintf("%s/record.json", entry->d_name);

		if (fl_ulid_is_valid(entry->d_name) && faccessat(name_fd, record, F_OK, 0) < 0)
			fl_path_remove_tree(name_fd, entry->d_name, NULL);
	}
	unlinkat(state->dirfd, path, AT_REMOVEDIR);
	unlinkat(state->dirfd, above, AT_REMOVEDIR);
}

void fl_state_sweep_name(const struct fl_state *state, const char *name_space, const char *name)
{
	fl_cleanup_close int lock = lock_name(state, name_space, name, NULL);
	fl_cleanup_free char *above = fl_asprintf("vm/%s", name_space);

	if (lock >= 0)
		sweep_locked(state, lock, name_space, name);
	else
		unlinkat(state->dirfd, above, AT_REMOVEDIR);
}

static bool may_leave(const fl_json *record)
{
	return fl_record_is_leaving(record) &&
	       fl_json_count(fl_json_at(record, "host.claims")) == 0;
}

static int unlink_record(const struct fl_vm *vm, const char *request, struct fl_err *err)
{
	struct fl_event event = { vm->uid, vm->name_space, vm->name, "deleted", request, NULL };
	fl_cleanup_close int events = fl_journal_lock(vm->state->dirfd, err);

	if (events < 0 || fl_journal_add(vm->state->dirfd, &event, err) < 0)
		return -1;
	if (unlinkat(vm->dirfd, "record.json", 0) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s/record.json: cannot be removed", vm->path);
	fsync(vm->dirfd);
	return 0;
}

int fl_vm_leave(const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_close int name_fd = lock_name(vm->state, vm->name_space, vm->name, NULL);
	fl_cleanup_close int lock = -1;
	fl_cleanup_json fl_json *record = NULL;

	if (name_fd < 0)
		return 1;
	if (faccessat(vm->dirfd, "record.json", F_OK, 0) == 0) {
		lock = lock_record(vm, err);
		record = lock < 0 ? NULL : fl_vm_load(vm, err);
		if (!record)
			return -1;
		if (!may_leave(record))
			return 0;
		if (unlink_record(vm, request_of(record), err) < 0)
			return -1;
	}
	fl_vm_unlink(vm);
	sweep_locked(vm->state, name_fd, vm->name_space, vm->name);
	fl_spare_keep(vm->state->dirfd);
	return 1;
}

char *fl_vm_address(const fl_json *record)
{
	const fl_json *network = fl_json_at(record, "host.network");

	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		const char *address = fl_json_text(fl_json_get(fl_json_value(i), "address"));

		if (address)
			return fl_strndup(address, strcspn(address, "/"));
	}
	return NULL;
}
