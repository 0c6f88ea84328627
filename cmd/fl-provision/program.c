/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/program.h"

#include "common/io.h"
#include "common/log.h"
#include "common/path.h"
#include "common/proc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define MOST_OUTPUT ((size_t)256 << 20)

/* A file in memory takes whatever is printed; nobody has to empty a pipe meanwhile. */
static int make_file(const char *program, struct fl_err *err)
{
	int fd = memfd_create(program, MFD_CLOEXEC);

	return fd >= 0 ? fd : fl_err_errno(err, errno, "%s: no room for its output", program);
}

static int read_back(int fd, const char *program, struct fl_str *text, struct fl_err *err)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fl_err_errno(err, errno, "%s", program);
	return fl_io_read_all(fd, MOST_OUTPUT, text, program, err);
}

static void trim(struct fl_str *text)
{
	while (text->len && text->data[text->len - 1] == '\n')
		text->data[--text->len] = 0;
}

/* Neither remarks that come before a failure nor where to read on afterwards. */
static bool tells_reason(const char *line)
{
	static const char *const others[] = { "WARNING:", "Warning:", "W:", "File descriptor ",
					      "Run `", "Try '", "Usage:", "See " };

	for (size_t i = 0; i < FL_COUNT(others); i++)
		if (fl_str_starts(line, others[i]))
			return false;
	return *line && !strstr(line, ": warning: ");
}

/* The first line of a program's that tells why: those that follow say what it gave up then. */
static const char *reason_of(struct fl_str *words)
{
	const char *last = "it said nothing";
	char *save = NULL;

	fl_str_add(words, "");
	for (char *line = strtok_r(words->data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		last = line + strspn(line, " \t");
		if (tells_reason(last))
			return last;
	}
	return last;
}

static int failed(const char *program, int status, int words, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (status >= 256)
		return fl_err_set(err, FL_ERR_SYSTEM, "%s: ended by signal %d", program, status - 256);
	read_back(words, program, &text, NULL);
	return fl_err_set(err, FL_ERR_SYSTEM, "%s: status %d: %s", program, status, reason_of(&text));
}

/* Of what a step needs that "apt" alone does not install. */
static const char *how_to_install(const char *program)
{
	static const char *const storage[] = { "pv", "vg", "lv", "dmsetup", "mkfs.xfs" };

	for (size_t i = 0; i < FL_COUNT(storage); i++)
		if (fl_str_starts(program, storage[i]))
			return "; \"fl-provision apt\" installs it, given this step's --disk, --dev or --reflink";
	return "";
}

/* The exit status as fl_proc_wait tells it. */
static int run(const char *const *argv, int in, int out, int words, struct fl_err *err)
{
	/* LVM complains of whatever the one who started us left open. */
	static const char *const variables[] = { "LVM_SUPPRESS_FD_WARNINGS=1", NULL };
	struct fl_proc child FL_CLEANUP(fl_proc_finish) = { .pidfd = -1 };
	fl_cleanup_free char *path = fl_path_find_program(argv[0]);

	if (!path)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: is not installed%s", argv[0],
				  how_to_install(argv[0]));
	if (fl_proc_spawn(&child, &(struct fl_proc_spec){ .argv = argv, .variables = variables,
							  .in = in, .out = out, .errfd = words,
							  .die_with_parent = true },
			  err) < 0)
		return -1;
	return fl_proc_wait(&child, -1, err);
}

static void say(const char *const *argv)
{
	fl_cleanup_str struct fl_str line = FL_STR_INIT;

	for (; *argv; argv++)
		fl_str_addf(&line, "%s%s", line.len ? " " : "", *argv);
	fl_log(FL_LOG_DEBUG, "runs %s", line.data);
}

static int run_with(const char *const *argv, int in, struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_close int out = make_file(argv[0], err), words = make_file(argv[0], err);
	int status;

	if (out < 0 || words < 0)
		return -1;
	say(argv);
	status = run(argv, in, out, words, err);
	if (status != 0)
		return status < 0 ? -1 : failed(argv[0], status, words, err);
	if (text && read_back(out, argv[0], text, err) < 0)
		return -1;
	return 0;
}

static int open_nothing(struct fl_err *err)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? fd : fl_err_errno(err, errno, "/dev/null");
}

int fl_program_run(const char *const *argv, struct fl_str *out, struct fl_err *err)
{
	fl_cleanup_close int in = open_nothing(err);

	if (in < 0 || run_with(argv, in, out, err) < 0)
		return -1;
	if (out && out->len)
		trim(out);
	return 0;
}

int fl_program_filter(const char *const *argv, const struct fl_str *in, struct fl_str *out,
		      struct fl_err *err)
{
	fl_cleanup_close int fd = make_file(argv[0], err);

	if (fd < 0 || fl_io_write(fd, in->data, in->len, argv[0], err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fl_err_errno(err, errno, "%s", argv[0]);
	return run_with(argv, fd, out, err);
}

int fl_program_status(const char *const *argv)
{
	fl_cleanup_close int in = open_nothing(NULL);
	fl_cleanup_close int out = open("/dev/null", O_WRONLY | O_CLOEXEC);

	say(argv);
	return in < 0 || out < 0 ? -1 : run(argv, in, out, out, NULL);
}
