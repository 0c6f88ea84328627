/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/apply.h"
#include "cmd/fl/chain.h"
#include "cmd/fl/cp.h"
#include "cmd/fl/doctor/doctor.h"
#include "cmd/fl/events.h"
#include "cmd/fl/make_spec.h"
#include "cmd/fl/restore.h"
#include "cmd/fl/ssh.h"
#include "common/alloc.h"
#include "common/mask.h"
#include "common/path.h"
#include "common/step.h"

#include <string.h>

static int inspect_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	const struct fl_args *args = arg;
	fl_cleanup_json fl_json *record = fl_vm_load(vm, err);
	fl_cleanup_json fl_json *shown = NULL;
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	if (!record)
		return -1;
	shown = fl_args_flag(args, "with-metadata") ? fl_json_copy(record)
						    : fl_mask_put_on(record);
	fl_json_print(shown, !fl_args_flag(args, "json"), &out);
	fl_str_add(&out, "\n");
	return fl_cli_print(out.data, out.len, err);
}

static int run_inspect(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };

	if (fl_args_state(args, false, &state, err) < 0)
		return -1;
	return fl_step_each_vm(args, &state, false, inspect_one, args, err);
}

static const struct fl_option inspect_options[] = {
	FL_STEP_ALL_OPTION,
	{ "with-metadata", 0, NULL, "print metadata values, not their digests" },
	{ 0 },
};

static const struct fl_command commands[] = {
	{ "up", "[FILE…]", "bring microVMs up from specs or records", fl_chain_up_options, 0, -1,
	  fl_chain_up },
	{ "down", "[NAMESPACE/NAME|UID…]", "take microVMs away", fl_chain_down_options, 0, -1,
	  fl_chain_down },
	{ "apply", "DIR|FILE", "make the host what the specs in a folder say", fl_apply_options, 1, 1,
	  fl_apply },
	{ "restore", "", "bring back what ran before the host restarted", fl_restore_options, 0, 0,
	  fl_restore },
	{ "spec", "", "print a spec made of options", fl_make_spec_options, 0, 0, fl_make_spec },
	{ "inspect", "NAMESPACE/NAME|UID…", "print the records", inspect_options, 1, -1,
	  run_inspect },
	{ "events", "", "what changed, and what changes", fl_events_options, 0, 0, fl_events },
	{ "cp", "FILE… NAMESPACE/NAME|UID:PATH, or the other way", "copy files into a guest, or out",
	  fl_cp_options, 2, -1, fl_cp },
	{ "doctor", "", "what this host can and cannot do, and how to mend it", NULL, 0, 0,
	  fl_doctor },
	{ "ssh", "NAMESPACE/NAME|UID [COMMAND…]", "log in to a guest, or run a command there",
	  fl_ssh_options, 1, -1, fl_ssh, true },
	{ 0 },
};

/* Verbs of fl-run that people look for here. */
static const char *const of_run[] = { "start", "stop", "pause", "resume",  "reboot",   "wait",
				      "ls",    "metrics", "logs", "status", "console", "providers",
				      "top",   NULL };

/* "fl NAME …" is "fl-NAME …". Returns only when there is no such program. */
static int hand_through(const struct fl_program *program, int argc, char **argv,
			struct fl_err *err)
{
	fl_cleanup_free char *name = fl_asprintf("fl-%s", argv[1]);
	fl_cleanup_free char *path = NULL, *what = NULL;
	fl_cleanup_free char **words = fl_alloc_zero((size_t)argc + 1, sizeof(*words));
	bool is_verb = false;

	for (const char *const *verb = of_run; *verb; verb++)
		is_verb |= strcmp(*verb, argv[1]) == 0;
	path = fl_path_beside_program("", is_verb ? "fl-run" : name);
	memcpy(words, argv + 1, (size_t)argc * sizeof(*words));
	/* fl-run keeps the verb; another program gets only what follows its name. */
	if (is_verb)
		memcpy(words + 1, argv + 1, (size_t)argc * sizeof(*words));
	words[0] = path;
	if (strchr(argv[1], '/') == NULL)
		execvp(path, words);
	what = fl_asprintf("neither a command nor a program %s", name);
	return fl_cli_no_command(program, argv[1], what, err);
}

static const struct fl_synonym synonyms[] = {
	{ "create", "up" },  { "run", "up" },	 { "rm", "down" },     { "remove", "down" },
	{ "delete", "down" }, { "destroy", "down" }, { "kill", "stop" }, { "list", "ls" },
	{ "ps", "ls" },	     { "get", "ls" },	 { "describe", "inspect" }, { "show", "inspect" },
	{ "exec", "ssh" },   { "attach", "console" }, { "restart", "reboot" }, { "unpause", "resume" },
	{ "shutdown", "stop" }, { "stats", "top" }, { 0 },
};

static const struct fl_program program = { "fl", "microVMs from OCI images", commands,
					   hand_through, of_run,
					   "Commands of fl-run; and \"fl NAME\" is the program fl-NAME",
					   "fl-run", synonyms };

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
