/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/console.h"
#include "cmd/fl-run/life.h"
#include "cmd/fl-run/logs.h"
#include "cmd/fl-run/metrics.h"
#include "cmd/fl-run/show.h"
#include "cmd/fl-run/start.h"
#include "cmd/fl-run/top.h"
#include "cmd/fl-run/wait.h"
#include "common/alloc.h"

static int step_down(struct fl_step_call *call, struct fl_err *err)
{
	/* "deleted" is written already: the supervisor kills at once. */
	if (fl_stop_for_good(call->vm, 10000, err) < 0)
		return -1;
	fl_vm_unlink(call->vm);
	return 0;
}

static const struct fl_step step = {
	.name = "run", .up = fl_start, .judge = fl_start_judge, .down = step_down,
	.plan = fl_start_plan, .claims = true
};

static int run_up(struct fl_args *args, struct fl_err *err)
{
	return fl_start_check(args, err) < 0 ? -1 : fl_step_up(&step, args, err);
}

static int run_down(struct fl_args *args, struct fl_err *err)
{
	return fl_step_down(&step, args, err);
}

static const struct fl_option up_options[] = { FL_STEP_UP_OPTIONS, FL_STEP_START_OPTIONS, { 0 } };
static const struct fl_option down_options[] = { FL_STEP_DOWN_OPTIONS, { 0 } };
static const struct fl_option start_options[] = { FL_STEP_START_OPTIONS, FL_LIFE_ALL_OPTION, { 0 } };
static const struct fl_option all_options[] = { FL_LIFE_ALL_OPTION, { 0 } };
static const struct fl_option stop_options[] = {
	{ "timeout", 't', "TIME", "kill after this, when the guest does not power off (30s)" },
	{ "force", 'f', NULL, "kill at once" },
	FL_LIFE_ALL_OPTION,
	{ 0 },
};
static const struct fl_option ls_options[] = { FL_STEP_SELECTOR_OPTION, { 0 } };
#define VM "NAMESPACE/NAME|UID…"

static const struct fl_command commands[] = {
	{ "up", "[FILE…]", "start the VMMs of specs or records", up_options, 0, -1, run_up },
	{ "down", "[" VM "]", "end them; without operands, of the records on standard input",
	  down_options, 0, -1, run_down },
	{ "start", VM, "start what was stopped", start_options, 0, -1, fl_life_start },
	{ "stop", VM, "power off, and kill what does not", stop_options, 0, -1, fl_life_stop },
	{ "pause", VM, "hold the guest's processors", all_options, 0, -1, fl_life_pause },
	{ "resume", VM, "let a paused guest go on", all_options, 0, -1, fl_life_resume },
	{ "reboot", VM, "power off and start again", all_options, 0, -1, fl_life_reboot },
	{ "wait", VM, "wait until something is so", fl_wait_options, 0, -1, fl_wait },
	{ "status", VM, "tell how it is", all_options, 0, -1, fl_show_status },
	{ "ls", "[" VM "]", "list the microVMs", ls_options, 0, -1, fl_show_ls },
	{ "console", VM, "look at the guest's console, and type", fl_console_options, 0, -1,
	  fl_console },
	{ "logs", VM, "what the VMM said", fl_logs_options, 0, -1, fl_logs },
	{ "metrics", "[" VM "]", "what they use (all of them, without operands)", all_options, 0, -1,
	  fl_metrics_show },
	{ "top", "[" VM "]", "what they use, again and again", fl_top_options, 0, -1, fl_top },
	{ "providers", "", "list the VMMs and what they can do", NULL, 0, 0, fl_show_providers },
	{ 0 },
};

static const struct fl_program program = { "fl-run", "run microVMs: the VMM and its life", commands, NULL };

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
