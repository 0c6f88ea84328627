/* SPDX-License-Identifier: MPL-2.0 */
/* Locks of a microVM, waiting for its record, and its short path. */
#include "common/state.h"

#include "common/alloc.h"
#include "common/atomic.h"
#include "common/clock.h"
#include "common/lock.h"
#include "common/path.h"
#include "common/slot.h"

#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define LOOK_EVERY_MS 100

int fl_vm_lock_step(const struct fl_vm *vm, const struct fl_cancel *cancel, struct fl_err *err)
{
	struct fl_err why = { 0 };

	for (;;) {
		int lock = fl_lock_file(vm->dirfd, "step.lock", FL_LOCK_EXCLUSIVE, 200, &why);

		if (lock >= 0) {
			fl_atomic_sweep(vm->dirfd);
			return lock;
		}
		if (fl_cancel_check(cancel, err) < 0)
			return -1;
		if (why.kind != FL_ERR_BUSY)
			return fl_err_set(err, why.kind, "%s: %s", vm->path, why.text);
	}
}

bool fl_vm_is_lost(const struct fl_vm *vm, const fl_json *record)
{
	static const char *const kept[] = { "starting", "running",   "paused",
					    "stopping", "rebooting", "waiting" };
	const char *state = fl_json_text(fl_json_at(record, "host.vmm.state"));

	for (size_t i = 0; state && i < FL_COUNT(kept); i++)
		if (strcmp(kept[i], state) == 0)
			return !fl_vm_is_supervised(vm);
	return false;
}

int fl_vm_lock_run(const struct fl_vm *vm, int timeout_ms, struct fl_err *err)
{
	return fl_lock_file(vm->dirfd, "run.lock", FL_LOCK_EXCLUSIVE, timeout_ms, err);
}

bool fl_vm_is_supervised(const struct fl_vm *vm)
{
	fl_cleanup_close int lock = -1;

	/* For reading: closing it again must not look like a supervisor's end. */
	lock = openat(vm->dirfd, "run.lock", O_RDONLY | O_CLOEXEC);
	return lock >= 0 && fl_lock_fd(lock, "run.lock", FL_LOCK_SHARED, 0, NULL) < 0;
}

int fl_vm_not_running(const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, NULL);
	const char *why = record ? fl_record_reason(record) : NULL;
	bool was_made = !record || !fl_json_at(record, "host.error") || fl_json_at(record, "host.vmm.state");
	fl_cleanup_free char *mend = was_made ? fl_asprintf("\"fl start %s\" starts it", vm->uid)
					      : fl_strdup("once that is mended, \"fl up\" with its spec goes on");

	return fl_err_set(err, FL_ERR_PRECONDITION, "%s/%s: does not run%s%s; %s", vm->name_space, vm->name,
			  why ? ": " : "", why ? why : "", mend);
}

/* Empties the queue; what was in it only says "look again". */
static void drain(int inotify)
{
	char events[4096];

	while (read(inotify, events, sizeof(events)) > 0)
		;
}

/* Where a user's inotify instances are used up (fs.inotify.max_user_instances), it is looked
 * at now and then instead. */
static bool may_have_changed(struct fl_vm_watch *watch)
{
	char event[4096];

	if (watch->inotify < 0) {
		bool due = fl_clock_ms() >= watch->look_at;

		if (due)
			watch->look_at = fl_clock_ms() + LOOK_EVERY_MS;
		return due;
	}
	if (read(watch->inotify, event, sizeof(event)) <= 0)
		return false;
	drain(watch->inotify);
	return true;
}

static int check_wanted(void *arg, struct fl_err *err)
{
	struct fl_vm_watch *watch = arg;
	fl_cleanup_json fl_json *record = NULL;

	if (!may_have_changed(watch))
		return 0;
	record = fl_vm_load(watch->vm, err);
	if (!record)
		return -1;
	if (fl_record_is_leaving(record))
		return fl_err_set(err, FL_ERR_ABORTED, "%s/%s: is being deleted",
				  watch->vm->name_space, watch->vm->name);
	return 0;
}

int fl_vm_watch_init(struct fl_vm_watch *watch, const struct fl_vm *vm, struct fl_err *err)
{
	*watch = (struct fl_vm_watch){ .vm = vm };
	watch->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if ((watch->inotify < 0 && errno != EMFILE) ||
	    (watch->inotify >= 0 &&
	     inotify_add_watch(watch->inotify, vm->path, IN_MOVED_TO | IN_DELETE) < 0))
		return fl_err_errno(err, errno, "%s: cannot be watched", vm->path);
	watch->cancel = (struct fl_cancel){ watch->inotify, check_wanted, watch };
	return 0;
}

void fl_vm_watch_finish(struct fl_vm_watch *watch)
{
	if (watch->vm && watch->inotify >= 0)
		close(watch->inotify);
	watch->vm = NULL;
}

/* 1, 0 or -1 of judge on the record as it is now; *lost: it says more than is so. */
static int judge_once(const struct fl_vm *vm, fl_vm_judge *judge, void *arg, bool *lost,
		      struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, err);
	int verdict = record ? judge(arg, record, err) : -1;

	*lost = verdict == 0 && fl_vm_is_lost(vm, record);
	return verdict;
}

/* Of a lost one nothing is going to change any more. */
int fl_vm_judge_now(const struct fl_vm *vm, fl_vm_judge *judge, void *arg, struct fl_err *err)
{
	bool lost;
	int verdict = judge_once(vm, judge, arg, &lost, err);

	/* What it saved last may lie between our two looks. */
	if (verdict == 0 && lost)
		verdict = judge_once(vm, judge, arg, &lost, err);
	if (verdict != 0 || !lost)
		return verdict;
	return fl_err_set(err, FL_ERR_GUEST, "%s/%s: its supervisor was killed; \"fl up\" or "
			  "\"fl restore\" brings it back", vm->name_space, vm->name);
}

int fl_vm_wait(const struct fl_vm *vm, int timeout_ms, fl_vm_judge *judge, void *arg,
	       struct fl_err *err)
{
	fl_cleanup_close int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int64_t end = fl_clock_ms() + timeout_ms;

	/* A supervisor that ends, however, closes run.lock; of a folder that is gone the record says so. */
	if ((inotify < 0 && errno != EMFILE) ||
	    (inotify >= 0 && inotify_add_watch(inotify, vm->path, IN_MOVED_TO | IN_DELETE |
							IN_CLOSE_WRITE) < 0 && errno != ENOENT))
		return fl_err_errno(err, errno, "%s: cannot be watched", vm->path);
	for (;;) {
		int64_t left = timeout_ms < 0 ? -1 : end - fl_clock_ms();
		int verdict = fl_vm_judge_now(vm, judge, arg, err);

		if (verdict != 0)
			return verdict < 0 ? -1 : 0;
		if (timeout_ms >= 0 && left <= 0)
			return fl_err_set(err, FL_ERR_TIMEOUT, "%s/%s: not within %d ms",
					  vm->name_space, vm->name, timeout_ms);
		if (inotify < 0 && (left < 0 || left > LOOK_EVERY_MS))
			left = LOOK_EVERY_MS;
		if (fl_cancel_wait(NULL, inotify, (int)left, err) < 0)
			return -1;
		if (inotify >= 0)
			drain(inotify);
	}
}

char *fl_state_run_folder(void)
{
	const char *set = getenv("FL_RUN_DIR");
	const char *user = getenv("XDG_RUNTIME_DIR");

	if (set)
		return fl_strdup(set);
	if (access("/run", W_OK) == 0 || !user)
		return fl_strdup("/run/flintlock");
	return fl_asprintf("%s/flintlock", user);
}

char *fl_vm_run_path(const struct fl_vm *vm)
{
	fl_cleanup_free char *folder = fl_state_run_folder();

	return fl_asprintf("%s/%s", folder, vm->uid);
}

static int make_link(const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_free char *folder = fl_state_run_folder();
	fl_cleanup_free char *path = fl_vm_run_path(vm);
	char target[4096];
	ssize_t len;

	if (fl_path_make_folders(folder, 0755, err) < 0)
		return -1;
	len = readlink(path, target, sizeof(target) - 1);
	if (len > 0 && (size_t)len == strlen(vm->path) && memcmp(target, vm->path, len) == 0)
		return 0;
	if (len > 0)
		unlink(path);
	if (symlink(vm->path, path) < 0 && errno != EEXIST)
		return fl_err_errno(err, errno, "%s: cannot be made", path);
	return 0;
}

int fl_vm_link(const struct fl_vm *vm, struct fl_err *err)
{
	struct fl_err why = { 0 };

	if (make_link(vm, &why) == 0)
		return 0;
	fl_err_pass(err, &why);
	return why.kind == FL_ERR_DENIED ? fl_err_prefix(err, "the folder of sockets (FL_RUN_DIR names another)") : -1;
}

void fl_vm_unlink(const struct fl_vm *vm)
{
	fl_cleanup_free char *folder = fl_state_run_folder();
	fl_cleanup_free char *path = fl_vm_run_path(vm);

	/* The folder itself stays: a service that may write nowhere else has it mounted. */
	unlink(path);
	fl_slot_sweep(folder);
}
