/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/helper.h"

#include "cmd/fl-pull/secret.h"
#include "common/alloc.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/path.h"
#include "common/proc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define OUTPUT_LIMIT (64 << 10)

/* A file in memory with the bytes, ready to be read: whatever the size, nobody waits. */
static int input_of(const struct fl_str *input, struct fl_err *err)
{
	fl_cleanup_close int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || fl_io_write(fd, input->data, input->len, "input", err) < 0)
		return fl_err_errno(err, errno, "no file in memory");
	lseek(fd, 0, SEEK_SET);
	return fl_steal_fd(&fd);
}

static int left_until(int64_t deadline)
{
	int64_t left = deadline - fl_clock_ms();

	return left > 0 ? (int)left : 0;
}

static int read_output(const struct fl_helper *helper, int fd, int64_t deadline,
		       struct fl_str *output, struct fl_err *err)
{
	for (;;) {
		int ready = fl_cancel_wait(helper->cancel, fd, left_until(deadline), err);
		ssize_t got;

		if (ready < 0)
			return -1;
		if (ready == 0)
			return fl_err_set(err, FL_ERR_TIMEOUT, "no answer within %d ms",
					  helper->timeout_ms);
		got = read(fd, fl_str_reserve(output, 4096), 4096);
		if (got <= 0)
			return got < 0 ? fl_err_errno(err, errno, "cannot be read") : 0;
		output->len += (size_t)got;
		output->data[output->len] = 0;
		if (output->len > OUTPUT_LIMIT)
			return fl_err_set(err, FL_ERR_INVALID, "its answer is larger than %d bytes",
					  OUTPUT_LIMIT);
	}
}

/* The exit status; what the helper printed is in output. */
static int run_program(const struct fl_helper *helper, const char *program, const char *verb,
		       const struct fl_str *input, struct fl_str *output, struct fl_err *err)
{
	const char *argv[] = { program, verb, NULL };
	int64_t deadline = fl_clock_ms() + helper->timeout_ms;
	fl_cleanup_close int in = input_of(input, err), from = -1, to = -1;
	FL_CLEANUP(fl_proc_finish) struct fl_proc child = { .pidfd = -1 };
	int ends[2];

	if (in < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fl_err_errno(err, errno, "no pipe");
	from = ends[0];
	to = ends[1];
	if (fl_proc_spawn(&child, &(struct fl_proc_spec){ .argv = argv, .in = in, .out = to,
							  .errfd = -1, .die_with_parent = true },
			  err) < 0)
		return -1;
	close(fl_steal_fd(&to));
	if (read_output(helper, from, deadline, output, err) < 0)
		return -1;
	return fl_proc_wait(&child, left_until(deadline) + 1, err);
}

static bool has_none(const struct fl_str *output)
{
	return output->data && strstr(output->data, "credentials not found");
}

/* 1 done, 0 the helper has no such login, -1. A failing helper says why in its output; a
 * JSON document there may be the secret itself. */
static int ask(const struct fl_helper *helper, const char *verb, const struct fl_str *input,
	       struct fl_str *output, struct fl_err *err)
{
	fl_cleanup_free char *program = fl_asprintf("docker-credential-%s", helper->name);
	const char *said;
	int status, len;

	if (!fl_path_is_name(helper->name))
		return fl_err_set(err, FL_ERR_INVALID, "\"%.60s\" is not a credential helper's name",
				  helper->name);
	status = run_program(helper, program, verb, input, output, err);
	if (status == 0)
		return 1;
	if (status < 0)
		return fl_err_prefix(err, "%s %s", program, verb);
	/* The terminal's interrupt reaches both of us, the helper maybe first. */
	if (status >= 256 && fl_cancel_wait(NULL, -1, 50, err) < 0)
		return -1;
	if (has_none(output))
		return 0;
	said = output->data && !strpbrk(output->data, "{}") ? output->data : "";
	len = (int)strcspn(said, "\r\n");
	return fl_err_set(err, FL_ERR_UNAUTHENTICATED, "%s %s: failed with status %d%s%.*s", program,
			  verb, status, len ? ": " : "", len < 200 ? len : 200, said);
}

int fl_helper_get(const struct fl_helper *helper, const char *server, fl_json **login,
		  struct fl_err *err)
{
	fl_cleanup_secret struct fl_str input = FL_STR_INIT, output = FL_STR_INIT;
	int have;

	fl_str_addf(&input, "%s\n", server);
	have = ask(helper, "get", &input, &output, err);
	if (have != 1)
		return have;
	fl_str_add(&output, "");
	*login = fl_json_parse(output.data, output.len, "answer", NULL);
	if (fl_json_text(fl_json_get(*login, "Username")) &&
	    fl_json_text(fl_json_get(*login, "Secret")))
		return 1;
	fl_json_unref(*login);
	*login = NULL;
	return fl_err_set(err, FL_ERR_INVALID, "docker-credential-%s get: its answer is not a JSON "
			  "document with Username and Secret", helper->name);
}

int fl_helper_store(const struct fl_helper *helper, const char *server, const char *user,
		    const char *secret, struct fl_err *err)
{
	fl_cleanup_json fl_json *login = fl_json_new_object();
	fl_cleanup_secret struct fl_str input = FL_STR_INIT, output = FL_STR_INIT;

	fl_json_set(login, "ServerURL", fl_json_new_text(server));
	fl_json_set(login, "Username", fl_json_new_text(user));
	fl_json_set(login, "Secret", fl_json_new_text(secret));
	fl_json_print(login, false, &input);
	return ask(helper, "store", &input, &output, err) < 0 ? -1 : 0;
}

int fl_helper_erase(const struct fl_helper *helper, const char *server, struct fl_err *err)
{
	fl_cleanup_secret struct fl_str input = FL_STR_INIT, output = FL_STR_INIT;

	fl_str_addf(&input, "%s\n", server);
	return ask(helper, "erase", &input, &output, err) < 0 ? -1 : 0;
}
