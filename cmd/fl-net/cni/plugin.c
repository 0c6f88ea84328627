/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/cni/plugin.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"
#include "common/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define OUTPUT_LIMIT (1 << 20)
#define WORDS_LIMIT 4096
#define LOCK_AT 200 /* the lock's number in plugins */
#define LONGEST_WORDS 400

/* One of the plugin's pipes. */
struct stream {
	int fd; /* -1 at its end */
	size_t limit;
	bool is_over; /* there was more than the limit */
	struct fl_str text;
};

struct run {
	const struct fl_cni_call *call;
	const char *type;
	struct fl_proc child;
	struct stream output, words;
	int events;
};

char *fl_cni_plugin_find(const char *path, const char *type, struct fl_err *err)
{
	const char *at = path;

	while (*at) {
		size_t len = strcspn(at, ":");
		char *program = fl_asprintf("%.*s/%s", (int)len, at, type);
		struct stat st;

		if (len && stat(program, &st) == 0 && S_ISREG(st.st_mode) && access(program, X_OK) == 0)
			return program;
		free(program);
		at += len + (at[len] == ':');
	}
	fl_err_set(err, FL_ERR_PRECONDITION, "plugin %s: there is no such program in %s; install it, or "
		   "set CNI_PATH", type, path);
	return NULL;
}

static int input_of(const fl_json *config, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_close int fd = memfd_create("config", MFD_CLOEXEC);

	fl_json_print(config, false, &text);
	if (fd < 0 || fl_io_write(fd, text.data, text.len, "configuration", err) < 0)
		return fl_err_errno(err, errno, "no file in memory");
	lseek(fd, 0, SEEK_SET);
	return fl_steal_fd(&fd);
}

/* The end that the plugin writes to. */
static int open_stream(struct run *run, struct stream *stream, size_t limit, struct fl_err *err)
{
	struct epoll_event wanted = { .events = EPOLLIN };
	int ends[2];

	stream->limit = limit;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fl_err_errno(err, errno, "no pipe");
	stream->fd = ends[0];
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	epoll_ctl(run->events, EPOLL_CTL_ADD, ends[0], &wanted);
	return ends[1];
}

static void drain(struct stream *stream)
{
	ssize_t got = 1;

	while (stream->fd >= 0 && got > 0) {
		got = read(stream->fd, fl_str_reserve(&stream->text, 4096), 4096);
		if (got > 0 && stream->text.len < stream->limit)
			stream->text.len += (size_t)got;
		else if (got > 0)
			stream->is_over = true;
		stream->text.data[stream->text.len] = 0;
		/* Whoever fills it for ever is not to keep us here. */
		if (stream->is_over)
			return;
	}
	if (got == 0) {
		close(stream->fd);
		stream->fd = -1;
	}
}

static int left_until(int64_t deadline)
{
	int64_t left = deadline - fl_clock_ms();

	return left > 0 ? (int)left : 0;
}

/* All that it started goes as well: a plugin has others do its work. */
static void kill_all(struct run *run)
{
	if (run->child.pid > 0 && run->child.pidfd >= 0)
		kill(-run->child.pid, SIGKILL);
	fl_proc_finish(&run->child);
}

/* Its exit status, as of fl_proc_wait. What it started may still hold the pipes. */
static int follow(struct run *run, struct fl_err *err)
{
	int64_t deadline = fl_clock_ms() + run->call->timeout_ms;

	for (;;) {
		int ready = fl_cancel_wait(run->call->cancel, run->events, left_until(deadline), err);
		struct fl_err running = { 0 };
		int status;

		/* Cut off in the middle, some leave what their own DEL stumbles over: one that is
		 * not waited for any more does its work to the end, and DEL waits for the lock. */
		if (ready < 0)
			return -1;
		if (ready == 0) {
			kill_all(run);
			return fl_err_set(err, FL_ERR_TIMEOUT, "no answer within %d ms; it was killed",
					  run->call->timeout_ms);
		}
		status = fl_proc_wait(&run->child, 0, &running);
		drain(&run->output);
		drain(&run->words);
		if (run->output.is_over) {
			kill_all(run);
			return fl_err_set(err, FL_ERR_INVALID, "it prints more than %d bytes",
					  OUTPUT_LIMIT);
		}
		if (status >= 0 || running.kind != FL_ERR_TIMEOUT)
			return status < 0 ? fl_err_pass(err, &running) : status;
	}
}

static int spawn(struct run *run, const char *program, int in, int out, int words,
		 struct fl_err *err)
{
	const struct fl_cni_call *call = run->call;
	const char *argv[] = { program, NULL };
	fl_cleanup_free char *command = fl_asprintf("CNI_COMMAND=%s", call->command);
	fl_cleanup_free char *container =
		fl_asprintf("CNI_CONTAINERID=%s", call->container ? call->container : "");
	fl_cleanup_free char *netns = fl_asprintf("CNI_NETNS=%s", call->netns ? call->netns : "");
	fl_cleanup_free char *interface =
		fl_asprintf("CNI_IFNAME=%s", call->container ? FL_CNI_INTERFACE : "");
	fl_cleanup_free char *arguments =
		fl_asprintf("CNI_ARGS=%s", call->arguments ? call->arguments : "");
	fl_cleanup_free char *path = fl_asprintf("CNI_PATH=%s", call->path);
	const char *const variables[] = { command, container, netns, interface, arguments, path, NULL };
	struct fl_proc_descriptor lock = { call->lock, LOCK_AT };

	return fl_proc_spawn(&run->child,
			     &(struct fl_proc_spec){ .argv = argv, .variables = variables, .in = in,
						     .out = out, .errfd = words, .more = &lock,
						     .more_count = call->lock >= 0,
						     .new_session = true },
			     err);
}

static void run_finish(struct run *run)
{
	if (run->child.pidfd >= 0)
		close(run->child.pidfd);
	if (run->output.fd >= 0)
		close(run->output.fd);
	if (run->words.fd >= 0)
		close(run->words.fd);
	if (run->events >= 0)
		close(run->events);
	fl_str_finish(&run->output.text);
	fl_str_finish(&run->words.text);
}

static int execute(struct run *run, const char *program, const fl_json *config, struct fl_err *err)
{
	struct epoll_event wanted = { .events = EPOLLIN };
	fl_cleanup_close int in = input_of(config, err), out = -1, words = -1;

	run->events = epoll_create1(EPOLL_CLOEXEC);
	if (in < 0 || run->events < 0)
		return in < 0 ? -1 : fl_err_errno(err, errno, "no epoll");
	out = open_stream(run, &run->output, OUTPUT_LIMIT, err);
	words = out < 0 ? -1 : open_stream(run, &run->words, WORDS_LIMIT, err);
	if (words < 0 || spawn(run, program, in, out, words, err) < 0)
		return -1;
	close(fl_steal_fd(&out));
	close(fl_steal_fd(&words));
	epoll_ctl(run->events, EPOLL_CTL_ADD, run->child.pidfd, &wanted);
	return follow(run, err);
}

/* Words of another's, on one line and not endless. */
static void add_words(struct fl_str *out, const char *text)
{
	size_t len = strnlen(text, LONGEST_WORDS);

	while (len && (unsigned char)text[len - 1] <= ' ')
		len--;
	for (size_t i = 0; i < len; i++)
		fl_str_add_bytes(out, (unsigned char)text[i] < ' ' ? " " : text + i, 1);
}

/* The specification's, "Error" (section 5). */
static enum fl_err_kind kind_of(int64_t code)
{
	switch (code) {
	case 1: /* the version is incompatible */
	case 2: /* a field of the configuration is not supported */
		return FL_ERR_UNSUPPORTED;
	case 7: /* the configuration is invalid */
		return FL_ERR_INVALID;
	default:
		return FL_ERR_UNAVAILABLE;
	}
}

static int take_error(const struct run *run, int status, struct fl_err *err)
{
	const struct fl_str *text = &run->output.text;
	fl_cleanup_json fl_json *answer =
		text->len ? fl_json_parse(text->data, text->len, "answer", NULL) : NULL;
	const char *message = fl_json_text(fl_json_get(answer, "msg"));
	const char *details = fl_json_text(fl_json_get(answer, "details"));
	int64_t code = fl_json_int(fl_json_get(answer, "code"));
	fl_cleanup_str struct fl_str words = FL_STR_INIT;

	fl_str_add(&words, "");
	if (message) {
		add_words(&words, message);
		if (details && *details) {
			fl_str_add(&words, "; ");
			add_words(&words, details);
		}
		return fl_err_set(err, kind_of(code), "failed with code %lld: %s", (long long)code,
				  words.data);
	}
	add_words(&words, run->words.text.len ? run->words.text.data : text->len ? text->data : "");
	return fl_err_set(err, FL_ERR_UNAVAILABLE, "ended with %s %d and no error of CNI's%s%s",
			  status >= 256 ? "signal" : "status", status % 256, words.len ? ": " : "",
			  words.data);
}

static int take_result(const struct run *run, fl_json **result, struct fl_err *err)
{
	const struct fl_str *text = &run->output.text;
	struct fl_err why = { 0 };

	*result = NULL;
	if (strcmp(run->call->command, "ADD") != 0)
		return 0;
	*result = fl_json_parse(text->len ? text->data : "", text->len, "its answer", &why);
	if (*result && fl_json_is_object(*result))
		return 0;
	fl_json_unref(*result);
	*result = NULL;
	return fl_err_set(err, FL_ERR_INVALID, "%s",
			  why.kind != FL_ERR_NONE ? why.text : "its answer is not an object");
}

static int run_program(struct run *run, const char *program, const fl_json *config,
		       fl_json **result, struct fl_err *err)
{
	int status = execute(run, program, config, err);

	if (status < 0)
		return -1;
	if (run->words.text.len)
		fl_log(FL_LOG_DEBUG, "CNI plugin %s: %s", run->type, run->words.text.data);
	return status ? take_error(run, status, err) : take_result(run, result, err);
}

int fl_cni_plugin_run(const struct fl_cni_call *call, const char *type, const fl_json *config,
		      fl_json **result, struct fl_err *err)
{
	struct run run = { .call = call, .type = type, .child = { .pidfd = -1 },
			   .output = { .fd = -1 }, .words = { .fd = -1 }, .events = -1 };
	fl_cleanup_free char *program = fl_cni_plugin_find(call->path, type, err);
	int rc;

	if (!program)
		return -1;
	rc = run_program(&run, program, config, result, err);
	run_finish(&run);
	return rc < 0 ? fl_err_prefix(err, "plugin %s, %s", type, call->command) : 0;
}
