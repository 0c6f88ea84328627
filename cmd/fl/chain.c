/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/chain.h"

#include "common/accel.h"
#include "common/alloc.h"
#include "common/boot.h"
#include "common/condition.h"
#include "common/documents.h"
#include "common/io.h"
#include "common/path.h"
#include "common/proc.h"
#include "common/step.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

static const char *const up_order[] = { "fl-pull", "fl-snap", "fl-net", "fl-meta", "fl-run" };
static const char *const down_order[] = { "fl-run", "fl-meta", "fl-net", "fl-snap" };

/* An option of the chain, the one program it goes on to (NULL: to all), and whether taking a file
 * out of an image is told it, too. */
struct passed {
	const char *name, *to;
	bool to_file;
};

static const struct passed passed_on[] = {
	{ "state-dir", NULL, true }, { "quiet", NULL, true }, { "verbose", NULL, true },
	{ "with-metadata", NULL },
	{ "selector", "fl-run" }, { "new", NULL }, { "platform", "fl-pull", true },
	{ "pull", "fl-pull" }, { "plain-http", "fl-pull" }, { "ca-file", "fl-pull" },
	{ "auth-file", "fl-pull" }, { "registries", "fl-pull" }, { "retries", "fl-pull" },
	{ "limit-rate", "fl-pull" }, { "progress", "fl-pull" }, { "progress", "fl-snap" },
	{ "max-pulls", "fl-pull" }, { "verify-key", "fl-pull" }, { "max-size", "fl-snap", true },
	{ "max-entries", "fl-snap", true }, { "max-builds", "fl-snap", true },
	{ "backend", "fl-snap" }, { "pool", "fl-snap" },
	{ "parent-iface", "fl-net" }, { "macvtap-mode", "fl-net" },
	{ "cni-conf-dir", "fl-net" }, { "cni-path", "fl-net" }, { "cni-timeout", "fl-net" },
	{ "seed-format", "fl-meta" },
	{ "accel", "fl-run" },
	{ "restart", "fl-run" }, { "settle", "fl-run" }, { "qemu", "fl-run" },
	{ "firecracker", "fl-run" }, { "cloudhypervisor", "fl-run" }, { "jailer", "fl-run" },
	{ "all", "fl-run" },
};

const struct fl_option fl_chain_up_options[] = {
	FL_STEP_UP_OPTIONS,
	FL_CHAIN_UP_OPTIONS,
	{ 0 },
};

const struct fl_option fl_chain_down_options[] = { FL_STEP_DOWN_OPTIONS, { 0 } };

typedef FL_VEC(const char *) words;

static void add_option(const struct fl_args *args, const char *name, words *argv)
{
	const char *value;

	for (size_t i = 0; (value = fl_args_each(args, name, i)); i++)
		FL_VEC_ADD(argv, fl_asprintf("--%s%s%s", name, *value ? "=" : "", value));
}

static void add_options(const struct fl_args *args, const char *program, words *argv)
{
	for (size_t i = 0; i < FL_COUNT(passed_on); i++)
		if (!passed_on[i].to || strcmp(passed_on[i].to, program) == 0)
			add_option(args, passed_on[i].name, argv);
}

static void words_finish(words *argv)
{
	for (size_t i = 0; i < argv->count; i++)
		free((void *)argv->items[i]);
	free(argv->items);
}

static int start(const struct fl_args *args, const char *program, const char *verb, bool dry,
		 char *const *operands, size_t count, int in, int out, struct fl_proc *child,
		 struct fl_err *err)
{
	words argv = { 0 };
	int rc;

	FL_VEC_ADD(&argv, fl_path_beside_program("", program));
	FL_VEC_ADD(&argv, fl_strdup(verb));
	if (dry)
		FL_VEC_ADD(&argv, fl_strdup("--dry-run"));
	add_options(args, program, &argv);
	for (size_t i = 0; i < count; i++)
		FL_VEC_ADD(&argv, fl_strdup(operands[i]));
	FL_VEC_ADD(&argv, NULL);
	rc = fl_proc_spawn(child, &(struct fl_proc_spec){ .argv = argv.items, .in = in, .out = out,
							  .errfd = -1 }, err);
	words_finish(&argv);
	return rc;
}

struct pipeline {
	struct fl_proc children[FL_COUNT(up_order)];
	size_t count;
	int out; /* what the last one says */
};

static int start_pipeline(const struct fl_args *args, const char *const *programs, size_t count,
			  const char *verb, int in, struct pipeline *pipeline, struct fl_err *err)
{
	pipeline->out = in < 0 ? dup(STDIN_FILENO) : dup(in);
	for (size_t i = 0; i < count; i++) {
		fl_cleanup_close int from = pipeline->out;
		int ends[2];
		bool first = i == 0;

		if (pipe2(ends, O_CLOEXEC) < 0)
			return fl_err_errno(err, errno, "a pipe");
		pipeline->out = ends[0];
		if (start(args, programs[i], verb, false,
			  first && in < 0 ? args->operands.items : NULL,
			  first && in < 0 ? args->operands.count : 0, from, ends[1],
			  &pipeline->children[i], err) < 0) {
			close(ends[1]);
			return -1;
		}
		pipeline->count++;
		close(ends[1]);
	}
	return 0;
}

/* Signals are for the programs to take: each stops what it does and says why. */
static void pass_signal(struct pipeline *pipeline)
{
	for (size_t i = 0; i < pipeline->count; i++)
		fl_proc_signal(&pipeline->children[i], fl_cancel_signal());
}

/* The kind of the first failed record decides; without one, a program's own status. */
struct outcome {
	bool is_silent; /* the records are not printed */
	enum fl_err_kind kind;
	char text[1020];
	FL_VEC(char *) uids; /* of the records that came out */
};

static void take_outcome(struct outcome *outcome, const fl_json *record)
{
	const char *kind = fl_json_text(fl_json_at(record, "host.error.kind"));
	const char *text = fl_json_text(fl_json_at(record, "host.error.text"));
	const char *uid = fl_json_text(fl_json_at(record, "spec.uid"));

	if (uid)
		FL_VEC_ADD(&outcome->uids, fl_strdup(uid));
	if (!kind || outcome->kind != FL_ERR_NONE)
		return;
	outcome->kind = fl_err_kind_of(kind);
	snprintf(outcome->text, sizeof(outcome->text), "%s", text ? text : "failed");
}

static int read_records(const struct fl_args *args, struct pipeline *pipeline,
			struct outcome *outcome, struct fl_err *err)
{
	fl_cleanup_documents struct fl_documents in = { .fd = pipeline->out, .name = "the chain" };

	for (;;) {
		struct fl_err fault = { 0 };
		fl_cleanup_json fl_json *record = fl_documents_next(&in, &fault);

		if (!record && fault.kind == FL_ERR_INTERRUPTED) {
			pass_signal(pipeline);
			return fl_err_pass(err, &fault);
		}
		if (!record)
			return 0;
		take_outcome(outcome, record);
		if (outcome->is_silent || (!fl_json_at(record, "spec.uid") && fl_cli_is_terminal()))
			continue;
		if (fl_step_print(args, record, err) < 0)
			return -1;
	}
}

/* The first in the pipe's order, but that of one whose reader was gone: the reader tells why. */
static int worst_status(struct pipeline *pipeline)
{
	int worst = 0;

	for (size_t i = 0; i < pipeline->count; i++) {
		int status = -1;

		while (pipeline->children[i].pidfd >= 0 && status < 0)
			status = fl_proc_wait(&pipeline->children[i], 20000, NULL);
		worst = worst && worst != 128 + SIGPIPE ? worst : status ? status : worst;
	}
	return worst;
}

static void outcome_finish(struct outcome *outcome)
{
	for (size_t i = 0; i < outcome->uids.count; i++)
		free(outcome->uids.items[i]);
	free(outcome->uids.items);
}

/* Of what fl_proc_wait says, as a shell tells of a signal. */
static int exit_status(int status)
{
	return status >= 256 ? 128 + status - 256 : status;
}

int fl_chain_run(const char *const *argv, struct fl_err *err)
{
	fl_cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct fl_proc child;
	int rc;

	if (fl_proc_spawn(&child, &(struct fl_proc_spec){ .argv = argv, .in = null, .out = null,
							  .errfd = -1 }, err) < 0)
		return -1;
	rc = fl_proc_wait(&child, -1, err);
	if (rc < 0 && fl_cancel_signal()) {
		fl_proc_signal(&child, fl_cancel_signal());
		rc = fl_proc_wait(&child, 20000, err);
	}
	return rc;
}

/* Adds the image to what a program of the chain is to do for it, and lets it. As fl_chain_get. */
static int run_for_image(const struct fl_args *args, words *argv, const char *image, const char *file,
			 const char *platform, struct fl_err *err)
{
	int status;

	if (platform && !fl_args_flag(args, "platform"))
		FL_VEC_ADD(argv, fl_asprintf("--platform=%s", platform));
	FL_VEC_ADD(argv, fl_strdup(image));
	if (file)
		FL_VEC_ADD(argv, fl_strdup(file));
	FL_VEC_ADD(argv, NULL);
	status = fl_chain_run(argv->items, err);
	words_finish(argv);
	return exit_status(status);
}

int fl_chain_get(const struct fl_args *args, const char *image, const char *platform,
		 struct fl_err *err)
{
	words argv = { 0 };

	FL_VEC_ADD(&argv, fl_path_beside_program("", "fl-pull"));
	FL_VEC_ADD(&argv, fl_strdup("get"));
	add_options(args, "fl-pull", &argv);
	return run_for_image(args, &argv, image, NULL, platform, err);
}

int fl_chain_keep_file(const struct fl_args *args, const char *image, const char *file,
		       const char *platform, struct fl_err *err)
{
	words argv = { 0 };

	FL_VEC_ADD(&argv, fl_path_beside_program("", "fl-snap"));
	FL_VEC_ADD(&argv, fl_strdup("file"));
	for (size_t i = 0; i < FL_COUNT(passed_on); i++)
		if (passed_on[i].to_file)
			add_option(args, passed_on[i].name, &argv);
	return run_for_image(args, &argv, image, file, platform, err);
}

/* "fl-run wait" for all that came up; standard output is the records' alone. */
static int wait_for(struct fl_args *args, const struct outcome *outcome, struct fl_err *err)
{
	words argv = { 0 };
	const char *text;
	int rc;

	FL_VEC_ADD(&argv, fl_path_beside_program("", "fl-run"));
	FL_VEC_ADD(&argv, fl_strdup("wait"));
	FL_VEC_ADD(&argv, fl_asprintf("--state-dir=%s", fl_args_state_dir(args)));
	for (size_t i = 0; (text = fl_args_each(args, "wait", i)); i++)
		FL_VEC_ADD(&argv, fl_asprintf("--for=%s", text));
	FL_VEC_ADD(&argv, fl_asprintf("--timeout=%s", fl_args_text(args, "wait-timeout", "5m")));
	for (size_t i = 0; i < outcome->uids.count; i++)
		FL_VEC_ADD(&argv, fl_strdup(outcome->uids.items[i]));
	FL_VEC_ADD(&argv, NULL);
	rc = fl_chain_run(argv.items, err);
	words_finish(&argv);
	if (rc >= 0)
		args->exit_status = exit_status(rc);
	return rc < 0 ? -1 : 0;
}

/* The programs have said what failed: only the status is left to tell. */
static int run_programs(struct fl_args *args, const char *const *programs, size_t count,
			const char *verb, int in, struct outcome *outcome, struct fl_err *err)
{
	struct pipeline pipeline = { .out = -1 };
	int rc = start_pipeline(args, programs, count, verb, in, &pipeline, err);
	int status;

	if (rc == 0)
		rc = read_records(args, &pipeline, outcome, err);
	close(pipeline.out);
	status = worst_status(&pipeline);
	if (rc < 0)
		return -1;
	/* On the way down, what failed on the way up is history. */
	if (strcmp(verb, "down") == 0)
		outcome->kind = FL_ERR_NONE;
	args->exit_status = outcome->kind != FL_ERR_NONE ? fl_err_exit_status(outcome->kind)
							 : exit_status(status);
	return 0;
}

static int run_pipeline(struct fl_args *args, const char *const *programs, size_t count,
			const char *verb, int in, bool is_silent, struct fl_err *err)
{
	struct outcome outcome = { .is_silent = is_silent };
	int rc = run_programs(args, programs, count, verb, in, &outcome, err);

	if (rc == 0 && args->exit_status == 0 && fl_args_flag(args, "wait"))
		rc = wait_for(args, &outcome, err);
	outcome_finish(&outcome);
	return rc;
}

/* A descriptor that gives the text, from its beginning. */
static int in_memory(const struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_close int fd = memfd_create("documents", MFD_CLOEXEC);

	if (fd < 0)
		return fl_err_errno(err, errno, "memory for the documents");
	if (fl_io_write(fd, text->data ? text->data : "", text->len, "the documents", err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fl_err_errno(err, errno, "the documents");
	return fl_steal_fd(&fd);
}

static int add_document(void *arg, fl_json *document, struct fl_err *err)
{
	struct fl_str *text = arg;

	(void)err;
	fl_json_print(document, false, text);
	fl_str_add(text, "\n");
	return 0;
}

/* What comes in is kept in memory, so that every program can read it. */
static int spool(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	const struct fl_step_reader reader = { .each = add_document, .arg = &text, .none_is_fine = true };
	int rc = args->operands.count
			 ? fl_step_each_document(args, &reader, err)
			 : fl_io_read_all(STDIN_FILENO, 64 << 20, &text, "standard input", err);

	return rc < 0 ? -1 : in_memory(&text, err);
}

static int dry_run(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_close int in = spool(args, err);

	if (in < 0)
		return -1;
	for (size_t i = 0; i < FL_COUNT(up_order) && args->exit_status == 0; i++) {
		fl_cleanup_str struct fl_str head = FL_STR_INIT;
		struct fl_proc child;

		fl_str_addf(&head, "# %s up\n", up_order[i]);
		if (fl_cli_print(head.data, head.len, err) < 0 || lseek(in, 0, SEEK_SET) < 0 ||
		    start(args, up_order[i], "up", true, NULL, 0, in, -1, &child, err) < 0)
			return -1;
		args->exit_status = fl_proc_wait(&child, -1, err);
		if (args->exit_status < 0)
			return -1;
	}
	return 0;
}

/* A word that is none is told before anything is made. */
static int check_wait(const struct fl_args *args, struct fl_err *err)
{
	struct fl_condition condition;
	size_t count = 0;

	for (const char *text; (text = fl_args_each(args, "wait", count)); count++)
		if (fl_condition_parse(text, &condition, err) < 0)
			return fl_err_prefix(err, "option --wait");
	return fl_condition_check_count(count, err) < 0 ? fl_err_prefix(err, "option --wait") : 0;
}

int fl_chain_check(const struct fl_args *args, struct fl_err *err)
{
	uint64_t ms;

	if (fl_args_duration(args, "settle", 0, &ms, err) < 0 ||
	    fl_args_duration(args, "wait-timeout", 0, &ms, err) < 0 || check_wait(args, err) < 0)
		return -1;
	if (fl_accel_check(fl_args_text(args, "accel", "auto"), err) < 0)
		return -1;
	return fl_labels_check_restart(fl_args_text(args, "restart", "no"), err);
}

int fl_chain_up(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };

	if (fl_chain_check(args, err) < 0)
		return -1;
	if (fl_args_flag(args, "dry-run"))
		return dry_run(args, err);
	/* Else each of the programs says that it cannot be made. */
	if (fl_args_state(args, true, &state, err) < 0)
		return -1;
	return run_pipeline(args, up_order, FL_COUNT(up_order), "up", -1, false, err);
}

int fl_chain_up_text(struct fl_args *args, const struct fl_str *text, bool is_silent,
		     struct fl_err *err)
{
	fl_cleanup_close int in = in_memory(text, err);

	if (in < 0)
		return -1;
	return run_pipeline(args, up_order, FL_COUNT(up_order), "up", in, is_silent, err);
}

int fl_chain_down(struct fl_args *args, struct fl_err *err)
{
	return run_pipeline(args, down_order, FL_COUNT(down_order), "down", -1, false, err);
}
