/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fl-supervise STATE_DIR NAMESPACE NAME UID LOCK: keeps one microVM's VMM. Started by fl-run,
 * never by hand; LOCK is the number of the descriptor that holds run.lock; "fl-supervise guard
 * UID" is started by itself. Standard output tells once whether the VMM was started: "ready", or
 * the kind and text of an error.
 */
#include "cmd/fl-supervise/guard.h"
#include "cmd/fl-supervise/launch.h"
#include "cmd/fl-supervise/verdict.h"
#include "common/num.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* From here on nobody listens on the standard descriptors, and no folder is kept busy. */
static void detach(void)
{
	fl_cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	if (chdir("/") < 0)
		return;
}

static int report(const struct fl_err *err)
{
	if (err)
		printf("%s %s\n", fl_err_kind_name(err->kind), err->text);
	else
		printf("ready\n");
	fflush(stdout);
	detach();
	return err ? fl_err_exit_status(err->kind) : 0;
}

static int keep(const struct fl_vm *vm)
{
	struct fl_machine machine;
	struct fl_err err = { 0 };
	int rc;

	rc = fl_machine_init(&machine, vm, &err);
	if (rc == 0)
		rc = fl_launch(&machine, &err);
	if (rc == 0)
		fl_verdict_save(&machine, "starting", NULL, NULL);
	rc = report(rc < 0 ? &err : NULL);
	if (rc == 0)
		fl_machine_run(&machine);
	fl_machine_finish(&machine);
	return rc;
}

/* Nobody whom it starts is to hold it as well. It is let go of by the end. */
static int take_lock(const char *number, struct fl_err *err)
{
	uint64_t fd;

	if (fl_num_u64(number, 3, INT_MAX, &fd, err) < 0)
		return -1;
	return fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0 ? fl_err_errno(err, errno, "run.lock") : 0;
}

int main(int argc, char **argv)
{
	struct fl_state state;
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	struct fl_err err = { 0 };
	int rc;

	if (argc == 3 && strcmp(argv[1], "guard") == 0)
		return fl_guard_main(argv[2]);
	if (argc != 6) {
		fprintf(stderr, "fl-supervise: started by fl-run only; see fl-run(8)\n");
		return 2;
	}
	fl_cancel_catch_signals();
	setsid();
	if (take_lock(argv[5], &err) < 0 || fl_state_open(&state, argv[1], false, &err) < 0 ||
	    fl_vm_open(&state, argv[2], argv[3], argv[4], &vm, &err) < 0)
		return report(&err);
	rc = keep(&vm);
	fl_state_close(&state);
	return rc;
}
