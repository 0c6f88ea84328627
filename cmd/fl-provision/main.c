/* SPDX-License-Identifier: MPL-2.0 */
/* fl-provision: make a host ready for microVMs, and take that back. */
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/options.h"
#include "cmd/fl-provision/service.h"
#include "cmd/fl-provision/steps.h"

#include "common/log.h"
#include "common/path.h"

#include <string.h>
#include <unistd.h>

static int check_root(struct fl_err *err)
{
	if (geteuid() == 0)
		return 0;
	return fl_err_set(err, FL_ERR_DENIED, "only root may change the host; \"fl-provision plan\" "
			  "shows what would change");
}

enum way { PLAN, MAKE };

/* Before the first thing is made: a "no", or a disk that may not be taken, leaves the host as it
 * was. */
static int confirm(const struct fl_site *site, const fl_acts *acts, struct fl_err *err)
{
	fl_cleanup_str struct fl_str losses = FL_STR_INIT;
	char answer[8] = "";

	if (fl_acts_losses(site, acts, &losses, err) < 0)
		return -1;
	if (!losses.len || site->host->unattended)
		return 0;
	if (!isatty(STDIN_FILENO))
		return fl_err_set(err, FL_ERR_USAGE, "takes a disk: %s; nobody can be asked here: give "
				  "--unattended", losses.data);
	fprintf(stderr, "Takes a disk: %s. Go on? Type yes: ", losses.data);
	if (fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0)
		return 0;
	return fl_err_set(err, FL_ERR_NO, "nothing was changed");
}

static int go(const struct fl_args *args, const struct fl_host *host, struct fl_ledger *ledger,
	      const char *step, enum way way, struct fl_err *err)
{
	const struct fl_site site = { host, ledger };
	fl_cleanup_acts fl_acts acts = { 0 };

	if (fl_steps_add(&site, step, &acts, err) < 0)
		return -1;
	if (way == PLAN)
		return fl_acts_plan(&site, &acts, fl_args_flag(args, "json"), err);
	if (confirm(&site, &acts, err) < 0)
		return -1;
	if (fl_acts_make(&site, &acts, err) < 0)
		return -1;
	fl_service_tell(&site, &acts);
	return 0;
}

/* A plan goes without, when only root can read it. */
static int open_ledger(const struct fl_host *host, struct fl_ledger *ledger, enum way way,
		       struct fl_err *err)
{
	struct fl_err why = { 0 };

	if (fl_ledger_open(ledger, host->state_dir, way == MAKE, &why) == 0)
		return 0;
	if (way == MAKE || why.kind != FL_ERR_DENIED || geteuid() == 0)
		return fl_err_pass(err, &why);
	fl_log(FL_LOG_WARN, "%s; what fl-provision made is taken for another's: root sees more",
	       why.text);
	return 0;
}

/* step NULL: all that the settings ask for. */
static int run(struct fl_args *args, const char *file, const char *step, enum way way,
	       struct fl_err *err)
{
	fl_cleanup_host struct fl_host host = FL_HOST_INIT;
	fl_cleanup_ledger struct fl_ledger ledger = FL_LEDGER_INIT;

	if (way == MAKE && check_root(err) < 0)
		return -1;
	if (fl_host_read(&host, args, file, err) < 0 || open_ledger(&host, &ledger, way, err) < 0)
		return -1;
	if (go(args, &host, &ledger, step, way, err) < 0) {
		if (way == MAKE)
			fl_ledger_forget(&ledger, NULL);
		return -1;
	}
	return way == MAKE ? fl_ledger_forget(&ledger, err) : 0;
}

static int run_step(struct fl_args *args, struct fl_err *err)
{
	return run(args, NULL, args->command->name, MAKE, err);
}

static int run_all(struct fl_args *args, struct fl_err *err)
{
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		fl_log(FL_LOG_WARN, "no KVM here: QEMU emulates, slowly, and other VMMs do not run");
	return run(args, NULL, NULL, MAKE, err);
}

static int run_apply(struct fl_args *args, struct fl_err *err)
{
	return run(args, args->operands.items[0], NULL, MAKE, err);
}

static int run_plan(struct fl_args *args, struct fl_err *err)
{
	return run(args, args->operands.count ? args->operands.items[0] : NULL, NULL, PLAN, err);
}

static int run_containerd(struct fl_args *args, struct fl_err *err)
{
	(void)args;
	(void)err;
	fl_log(FL_LOG_INFO, "containerd: is not needed: fl-pull keeps images itself");
	return 0;
}

/* Becomes "fl doctor", which knows. */
static int run_check(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_free char *program = fl_path_beside_program("", "fl");

	execlp(program, "fl", "doctor", "--state-dir", fl_args_state_dir(args),
	       fl_args_flag(args, "json") ? "--json" : NULL, NULL);
	return fl_err_errno(err, errno, "%s: cannot be executed", program);
}

/* Records name disks and links that would be gone. */
static int check_records(const struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	struct fl_err why = { 0 };

	if (fl_args_state(args, false, &state, &why) < 0)
		return why.kind == FL_ERR_NOT_FOUND ? 0 : fl_err_pass(err, &why);
	if (fl_state_list(&state, &names, err) < 0)
		return -1;
	if (!names.count)
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION, "%zu microVM%s still here, such as %s/%s; take "
			  "them down first (fl down)", names.count,
			  names.count == 1 ? " is" : "s are", names.items[0].name_space,
			  names.items[0].name);
}

static int run_undo(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_host struct fl_host host = FL_HOST_INIT;
	fl_cleanup_ledger struct fl_ledger ledger = FL_LEDGER_INIT;
	const struct fl_site site = { &host, &ledger };
	bool dry_run = fl_args_flag(args, "dry-run");

	if (!dry_run && (check_root(err) < 0 || check_records(args, err) < 0))
		return -1;
	if (fl_host_read(&host, args, NULL, err) < 0 ||
	    fl_ledger_open(&ledger, host.state_dir, !dry_run, err) < 0)
		return -1;
	return fl_acts_undo(&site, !dry_run ? FL_UNDO
				   : fl_args_flag(args, "json") ? FL_UNDO_PRINT_JSON : FL_UNDO_PRINT,
			    err);
}

static int run_restore(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_host struct fl_host host = FL_HOST_INIT;
	fl_cleanup_ledger struct fl_ledger ledger = FL_LEDGER_INIT;
	const struct fl_site site = { &host, &ledger };

	/* Not for changing: the unit that runs this is also started by an fl-provision at work. */
	if (check_root(err) < 0 || fl_host_read(&host, args, NULL, err) < 0 ||
	    fl_ledger_open(&ledger, host.state_dir, false, err) < 0)
		return -1;
	return fl_acts_restore(&site, err);
}

static const struct fl_command commands[] = {
	{ "check", "", "say what this host can and cannot do", NULL, 0, 0, run_check },
	{ "plan", "[FILE]", "print what would change, and do nothing", fl_provision_options, 0, 1,
	  run_plan },
	{ "apply", "FILE", "make the host as a file says", fl_provision_options, 1, 1, run_apply },
	{ "all", "", "make the host ready, by options", fl_provision_options, 0, 0, run_all },
	{ "undo", "", "take back all that was changed", fl_undo_options, 0, 0, run_undo },
	{ "restore", "", "make again what a reboot has taken", NULL, 0, 0, run_restore },
	{ "bridge", "", "the bridge for guests", fl_bridge_options, 0, 0, run_step },
	{ "reflink", "", "a file system that shares blocks between files", fl_reflink_options, 0, 0,
	  run_step },
	{ "apt", "", "packages of the distribution", fl_packages_options, 0, 0,
	  run_step },
	{ "direct_lvm", "", "a thin pool on a disk", fl_lvm_options, 0, 0, run_step },
	{ "devpool", "", "a thin pool in loop devices, for development", fl_devpool_options, 0, 0,
	  run_step },
	{ "firecracker", "", "Firecracker of a release", fl_release_options, 0, 0, run_step },
	{ "cloudhypervisor", "", "Cloud Hypervisor of a release", fl_release_options, 0, 0, run_step },
	{ "flintlock", "", "keys, certificates, a token and settings of fl-serve",
	  fl_service_options, 0, 0, run_step },
	{ "containerd", "", "nothing: it is not needed", fl_unused_options, 0, 0, run_containerd },
	{ 0 },
};

static const struct fl_program program = {
	"fl-provision", "make a host ready for microVMs", commands, NULL,
};

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
