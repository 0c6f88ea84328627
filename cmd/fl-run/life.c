/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/life.h"

#include "cmd/fl-run/start.h"
#include "common/alloc.h"
#include "common/control.h"
#include "common/log.h"

#include <inttypes.h>
#include <string.h>

/* Nobody means standard input here. */
int fl_life_check_operands(const struct fl_args *args, struct fl_err *err)
{
	if (args->operands.count || fl_args_flag(args, "selector") || fl_args_flag(args, "all"))
		return 0;
	return fl_step_nobody_named(args, err);
}

int fl_life_each(struct fl_args *args,
		 int (*each)(void *arg, const struct fl_vm *vm, struct fl_err *err), void *arg,
		 struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };

	if (fl_life_check_operands(args, err) < 0 || fl_args_state(args, false, &state, err) < 0)
		return -1;
	return fl_step_each_vm(args, &state, false, each, arg, err);
}

/* What a stop leaves is stopped, whoever kept it before. */
static int put_stopped(void *arg, fl_json *record, struct fl_err *err)
{
	(void)arg;
	(void)err;
	fl_json_put(record, "host.vmm.state", fl_json_new_text("stopped"));
	fl_json_put(record, "status.state", fl_json_new_text("CREATED"));
	return 0;
}

static int ask_stop(void *arg, fl_json *record, struct fl_err *err)
{
	if (fl_record_is_leaving(record))
		return fl_err_set(err, FL_ERR_ABORTED, "the microVM is being deleted");
	fl_json_put(record, "host.stop_ms", fl_json_new_int(*(int64_t *)arg));
	fl_record_desire(record, "stopped");
	return 0;
}

#define PATIENCE_MS 2000
#define LONGEST_MS (1 << 30) /* twelve days, which whoever waits counts as an int */

/* Whoever looks on wonders after a while. */
static void say_waiting(const struct fl_args *args, const struct fl_vm *vm, int64_t ms)
{
	fl_cleanup_close int lock = -1;

	if (ms <= PATIENCE_MS || !fl_cli_shows_progress(args))
		return;
	lock = fl_vm_lock_run(vm, PATIENCE_MS, NULL);
	if (lock < 0)
		fl_log(FL_LOG_INFO, "%s/%s: its guest has not powered off yet; it has %" PRId64 " s (--timeout)",
		       vm->name_space, vm->name, ms / 1000);
}

/* All are asked before any is waited for: guests that do not listen take one timeout together, and
 * those that start settle together. */
struct asking {
	struct fl_args *args;
	int64_t ms;        /* how long each may take */
	fl_vm_names asked; /* whom to wait for */
};

/* see looks how one of those that ask has put down comes to its end. */
static int ask_all(struct asking *asking,
		   int (*ask)(void *arg, const struct fl_vm *vm, struct fl_err *err),
		   int (*see)(const struct asking *asking, const struct fl_vm *vm, struct fl_err *err),
		   struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };
	struct fl_err first = { 0 };

	if (fl_life_check_operands(asking->args, err) < 0 ||
	    fl_args_state(asking->args, false, &state, err) < 0)
		return -1;
	fl_step_each_vm(asking->args, &state, false, ask, asking, &first);
	for (size_t i = 0; i < asking->asked.count && first.kind != FL_ERR_INTERRUPTED; i++) {
		const struct fl_vm_name *name = &asking->asked.items[i];
		fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
		struct fl_err failure = { 0 };

		if (fl_vm_open(&state, name->name_space, name->name, name->uid, &vm, &failure) < 0 ||
		    (see(asking, &vm, &failure) < 0 && fl_step_name_failure(&vm, &failure) < 0))
			fl_step_keep_first(&first, &failure);
	}
	fl_vm_names_finish(&asking->asked);
	return fl_step_take_first(&first, err);
}

static int ask_to_stop(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	struct asking *asking = arg;
	bool is_supervised = fl_vm_is_supervised(vm);

	if (fl_vm_change(vm, FL_SAVE_SYNC, ask_stop, &asking->ms, err) < 0)
		return -1;
	if (!is_supervised)
		return fl_stop_for_good(vm, (int)asking->ms + 10000, err) < 0
			       ? -1
			       : fl_vm_change(vm, FL_SAVE_PLAIN, put_stopped, NULL, err);
	fl_vm_names_add(&asking->asked, vm);
	return 0;
}

static int see_stopped(const struct asking *asking, const struct fl_vm *vm, struct fl_err *err)
{
	say_waiting(asking->args, vm, asking->ms);
	return fl_stop_for_good(vm, (int)asking->ms + 10000, err);
}

int fl_life_stop(struct fl_args *args, struct fl_err *err)
{
	struct asking stopping = { .args = args };
	uint64_t timeout;

	if (fl_args_duration(args, "timeout", 30000, &timeout, err) < 0)
		return -1;
	stopping.ms = fl_args_flag(args, "force") ? 0 : timeout < LONGEST_MS ? (int64_t)timeout : LONGEST_MS;
	return ask_all(&stopping, ask_to_stop, see_stopped, err);
}

static int start_locked(struct asking *asking, const struct fl_vm *vm,
			const struct fl_cancel *cancel, struct fl_err *err)
{
	static const struct fl_err none;
	fl_cleanup_close int lock = fl_vm_lock_step(vm, cancel, err);
	fl_cleanup_json fl_json *record = NULL;
	struct fl_step_call call = { .args = asking->args, .vm = vm, .cancel = cancel };
	int rc;

	if (lock < 0 || fl_vm_claim(vm, "run", err) < 0 ||
	    fl_step_note(vm, "run", &none, err) < 0)
		return -1;
	record = fl_vm_load(vm, err);
	if (!record)
		return -1;
	call.record = record;
	call.spec = fl_spec_view(fl_json_get(record, "spec"));
	rc = fl_start(&call, err);
	if (rc == 0)
		asking->ms = call.settle_ms;
	fl_spec_finish(&call.spec);
	return rc;
}

/* What a step before failed at is still so, and the reason to keep. */
static int check_steps(const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, err);
	const char *step = fl_json_text(fl_json_at(record, "host.error.step"));
	const char *kind = fl_json_text(fl_json_at(record, "host.error.kind"));

	if (!record)
		return -1;
	if (!step || strcmp(step, "run") == 0 || fl_vm_is_supervised(vm))
		return 0;
	return fl_err_set(err, fl_err_kind_of(kind ? kind : ""), "%s; once that is mended, \"fl up\" with its "
			  "spec, or \"fl apply\", goes on",
			  fl_json_text(fl_json_at(record, "host.error.text")));
}

static int ask_to_start(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_vm_watch struct fl_vm_watch watch = { 0 };
	struct asking *asking = arg;

	if (check_steps(vm, err) < 0 || fl_vm_watch_init(&watch, vm, err) < 0)
		return -1;
	if (start_locked(asking, vm, &watch.cancel, err) < 0) {
		fl_step_note(vm, "run", err, NULL);
		return -1;
	}
	fl_vm_names_add(&asking->asked, vm);
	return 0;
}

static int see_started(const struct asking *asking, const struct fl_vm *vm, struct fl_err *err)
{
	if (fl_vm_wait(vm, (int)asking->ms, fl_start_judge, NULL, err) == 0)
		return 0;
	fl_step_note(vm, "run", err, NULL);
	return -1;
}

int fl_life_start(struct fl_args *args, struct fl_err *err)
{
	struct asking starting = { .args = args };

	return fl_start_check(args, err) < 0 ? -1 : ask_all(&starting, ask_to_start, see_started, err);
}

static int judge_state(void *arg, const fl_json *record, struct fl_err *err)
{
	const char *state = fl_json_text(fl_json_at(record, "host.vmm.state"));
	const char *refused = fl_json_text(fl_json_at(record, "host.vmm.refused"));
	const char *desired = fl_json_text(fl_json_at(record, "host.desired"));

	if (refused)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "%s/%s: %s",
				  fl_json_text(fl_json_at(record, "spec.namespace")),
				  fl_json_text(fl_json_at(record, "spec.id")), refused);
	if (fl_str_equal(state, arg))
		return 1;
	if (!fl_str_equal(desired, arg))
		return fl_err_set(err, FL_ERR_ABORTED, "%s/%s: is to be %s meanwhile, as somebody else "
				  "wants it", fl_json_text(fl_json_at(record, "spec.namespace")),
				  fl_json_text(fl_json_at(record, "spec.id")), desired);
	if (fl_str_equal(state, "failed") || fl_str_equal(state, "stopped"))
		return fl_err_set(err, FL_ERR_PRECONDITION, "it ended meanwhile");
	return 0;
}

/* A supervisor that waits for its next try has no VMM to tell. */
static bool has_vmm(const struct fl_vm *vm)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, NULL);

	return fl_vm_is_supervised(vm) &&
	       !fl_str_equal(fl_json_text(fl_json_at(record, "host.vmm.state")), "waiting");
}

/* Which of several did not, and what. */
static int say_late(const struct fl_vm *vm, const char *what, struct fl_err *err)
{
	if (err->kind != FL_ERR_TIMEOUT)
		return -1;
	return fl_err_set(err, FL_ERR_TIMEOUT, "%s/%s: %s; \"fl status %s\" says how it is", vm->name_space,
			  vm->name, what, vm->uid);
}

static int wish_and_wait(const struct fl_vm *vm, const char *wish, struct fl_err *err)
{
	fl_cleanup_free char *late = fl_asprintf("is not %s after 15 s", wish);

	if (!has_vmm(vm))
		return fl_vm_not_running(vm, err);
	if (fl_vm_desire(vm, wish, err) < 0)
		return -1;
	return fl_vm_wait(vm, 15000, judge_state, (void *)wish, err) < 0 ? say_late(vm, late, err) : 0;
}

static int pause_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	(void)arg;
	return wish_and_wait(vm, "paused", err);
}

static int resume_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	(void)arg;
	return wish_and_wait(vm, "running", err);
}

int fl_life_pause(struct fl_args *args, struct fl_err *err)
{
	return fl_life_each(args, pause_one, args, err);
}

int fl_life_resume(struct fl_args *args, struct fl_err *err)
{
	return fl_life_each(args, resume_one, args, err);
}

static int judge_reboots(void *arg, const fl_json *record, struct fl_err *err)
{
	if (fl_json_int(fl_json_at(record, "host.vmm.reboots")) > *(int64_t *)arg)
		return fl_start_judge(NULL, record, err);
	if (!fl_record_has_ended(record))
		return 0;
	return fl_err_set(err, FL_ERR_ABORTED, "%s/%s: has ended, and does not come up again; \"fl status %s\" "
			  "says how it is", fl_json_text(fl_json_at(record, "spec.namespace")),
			  fl_json_text(fl_json_at(record, "spec.id")),
			  fl_json_text(fl_json_at(record, "spec.uid")));
}

/* What a guest that was not asked, or did not listen, may have lost is not passed over. */
static void tell_kill(const struct fl_vm *vm)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, NULL);
	const char *kind = fl_json_text(fl_json_at(record, "host.vmm.exit.kind"));
	const char *reason = fl_json_text(fl_json_at(record, "host.vmm.exit.reason"));

	if (fl_str_equal(kind, "fault") && reason)
		fl_log(FL_LOG_WARN, "%s/%s: %s", vm->name_space, vm->name, reason);
}

static int reboot_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, err);
	fl_cleanup_json fl_json *request = fl_json_new_object();
	int64_t before = fl_json_int(fl_json_at(record, "host.vmm.reboots"));
	const char *desired = fl_json_text(fl_json_at(record, "host.desired"));

	(void)arg;
	if (!record)
		return -1;
	if (!fl_vm_is_supervised(vm))
		return fl_vm_not_running(vm, err);
	if (fl_str_equal(desired, "paused") && wish_and_wait(vm, "running", err) < 0)
		return -1;
	fl_json_set(request, "do", fl_json_new_text("reboot"));
	if (fl_control_ask(vm, request, err) < 0)
		return -1;
	if (fl_vm_wait(vm, 120000, judge_reboots, &before, err) < 0)
		return say_late(vm, "has not come up again after 120 s", err);
	tell_kill(vm);
	return 0;
}

int fl_life_reboot(struct fl_args *args, struct fl_err *err)
{
	return fl_life_each(args, reboot_one, args, err);
}
