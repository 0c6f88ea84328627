/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/console.h"

#include "cmd/fl-run/logs.h"
#include "cmd/fl-run/terminal.h"
#include "common/alloc.h"
#include "common/clock.h"
#include "common/log.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define HELLO_MS 2000
#define NO_KEY (-1)

const struct fl_option fl_console_options[] = {
	{ "print", 0, NULL, "print what the guest said so far, and end" },
	{ "read-only", 'r', NULL, "look, and leave typing to others" },
	{ "scrollback", 0, "SIZE", "how much of what was said is shown first (64K)" },
	{ "detach", 0, "KEY", "the key that ends it: ^A to ^_, or none (^])" },
	{ "linger", 0, "TIME", "once a piped script has ended, wait for so long a silence (1s)" },
	FL_LIFE_ALL_OPTION,
	{ 0 },
};

struct attached {
	const struct fl_vm *vm;
	struct fl_tail *tail;
	int socket; /* -1: not the writer */
	int key;
	bool is_terminal;   /* standard input */
	bool takes_input, input_ended, detached;
	char pending[4096]; /* typed, not taken yet */
	size_t len, at;
	char out[16384]; /* said, not printed yet */
	size_t out_len, out_at;
	uint64_t linger_ms;
	int64_t quiet_since;
};

static int read_key(const struct fl_args *args, int *key, struct fl_err *err)
{
	const char *text = fl_args_text(args, "detach", "^]");

	*key = NO_KEY;
	if (strcmp(text, "none") == 0)
		return 0;
	if (text[0] != '^' || text[1] < 'A' || text[1] > '_' || text[2])
		return fl_err_set(err, FL_ERR_USAGE, "option --detach: \"%s\" is not none or one of "
				  "^A to ^_", text);
	*key = text[1] & 0x1f;
	return 0;
}

static int connect_to(const struct fl_vm *vm)
{
	fl_cleanup_free char *run = fl_vm_run_path(vm);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	fl_cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/console.sock", run);

	if (fd < 0 || len >= (int)sizeof(address.sun_path) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return fl_steal_fd(&fd);
}

static fl_json *read_hello(int fd)
{
	char line[512];
	ssize_t got = fd >= 0 && fl_cancel_wait(NULL, fd, HELLO_MS, NULL) > 0
			      ? read(fd, line, sizeof(line))
			      : -1;

	return got > 0 ? fl_json_parse(line, (size_t)got, "console", NULL) : NULL;
}

/* Becomes the writer, or says why not; a script that cannot be typed is an error. */
static int ask_to_write(struct attached *attached, struct fl_err *err)
{
	fl_cleanup_close int fd = connect_to(attached->vm);
	fl_cleanup_json fl_json *hello = read_hello(fd);
	fl_cleanup_free char *why = NULL;

	if (fl_json_bool(fl_json_get(hello, "writer"))) {
		attached->socket = fl_steal_fd(&fd);
		return 0;
	}
	why = fl_json_get(hello, "pid")
		      ? fl_asprintf("process %lld writes to this console",
				    (long long)fl_json_int(fl_json_get(hello, "pid")))
		      : fl_strdup("its supervisor takes no input");
	if (!attached->is_terminal)
		return fl_err_set(err, FL_ERR_BUSY, "%s/%s: %s; give --read-only to look on",
				  attached->vm->name_space, attached->vm->name, why);
	fl_log(FL_LOG_WARN, "%s; here it is only shown", why);
	return 0;
}

static int print_all(struct fl_tail *tail, struct fl_err *err)
{
	char data[16384];
	ssize_t got;

	while ((got = fl_tail_read(tail, data, sizeof(data))) > 0)
		if (fl_cli_print(data, (size_t)got, err) < 0)
			return -1;
	return 0;
}

static bool has_output(struct attached *attached)
{
	ssize_t got;

	if (attached->out_at < attached->out_len)
		return true;
	got = fl_tail_read(attached->tail, attached->out, sizeof(attached->out));
	attached->out_at = 0;
	attached->out_len = got > 0 ? (size_t)got : 0;
	return got > 0;
}

/* No more than a pipe that says "writable" takes at once: keys and signals are heard also
 * while nobody takes what is printed. */
static int put_output(struct attached *attached, struct fl_err *err)
{
	const char *data = attached->out + attached->out_at;
	size_t size = attached->out_len - attached->out_at;
	ssize_t put = write(STDOUT_FILENO, data, size < PIPE_BUF ? size : PIPE_BUF);

	attached->quiet_since = fl_clock_ms();
	if (put > 0)
		attached->out_at += (size_t)put;
	if (put >= 0 || errno == EAGAIN || errno == EINTR)
		return 0;
	return errno == EPIPE ? fl_cli_lost_reader(err)
			      : fl_err_errno(err, errno, "standard output");
}

static void end_input(struct attached *attached)
{
	attached->input_ended = true;
	attached->takes_input = false;
	attached->quiet_since = fl_clock_ms();
}

static void take_keys(struct attached *attached)
{
	ssize_t got = read(STDIN_FILENO, attached->pending, sizeof(attached->pending));
	const char *key;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	attached->at = 0;
	attached->len = got > 0 ? (size_t)got : 0;
	if (got <= 0)
		end_input(attached);
	key = attached->is_terminal && attached->key != NO_KEY && got > 0
		      ? memchr(attached->pending, attached->key, attached->len)
		      : NULL;
	if (key) {
		attached->len = (size_t)(key - attached->pending);
		attached->detached = true;
	}
	if (attached->socket < 0)
		attached->len = 0;
}

static void let_socket_go(struct attached *attached)
{
	close(attached->socket);
	attached->socket = -1;
	attached->len = attached->at = 0;
}

static void send_keys(struct attached *attached)
{
	ssize_t put;

	if (attached->socket < 0)
		return;
	if (attached->at < attached->len) {
		put = send(attached->socket, attached->pending + attached->at,
			   attached->len - attached->at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put > 0)
			attached->at += (size_t)put;
		else if (errno != EAGAIN && errno != EINTR)
			let_socket_go(attached);
	}
	if (attached->input_ended && attached->at >= attached->len && attached->socket >= 0)
		shutdown(attached->socket, SHUT_WR);
}

/* The supervisor says nothing more: what is readable is the end, which it brings about
 * when the guest has taken all. */
static void hear_end(struct attached *attached)
{
	char data[64];
	ssize_t got = read(attached->socket, data, sizeof(data));

	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	let_socket_go(attached);
	attached->quiet_since = fl_clock_ms();
}

/* Milliseconds until the silence has been long enough; -1: it is not waited for. */
static int left_to_linger(const struct attached *attached)
{
	int64_t left;

	if (!attached->input_ended || attached->socket >= 0)
		return -1;
	left = attached->quiet_since + (int64_t)attached->linger_ms - fl_clock_ms();
	return left > 0 ? (int)left : 0;
}

enum { AT_TAIL, AT_OUTPUT, AT_INPUT, AT_SOCKET, AT_SIGNAL, AT_END };

static void collect(const struct attached *attached, bool output, struct pollfd fds[static AT_END])
{
	bool full = attached->at < attached->len;

	fds[AT_TAIL] = (struct pollfd){ .fd = output ? -1 : attached->tail->inotify, .events = POLLIN };
	fds[AT_OUTPUT] = (struct pollfd){ .fd = STDOUT_FILENO, .events = output ? POLLOUT : 0 };
	fds[AT_INPUT] = (struct pollfd){ .fd = full || !attached->takes_input ? -1 : STDIN_FILENO,
					 .events = POLLIN };
	fds[AT_SOCKET] = (struct pollfd){ .fd = attached->socket,
					  .events = full ? POLLIN | POLLOUT : POLLIN };
	fds[AT_SIGNAL] = (struct pollfd){ .fd = fl_cancel_signal_fd(), .events = POLLIN };
}

static int wait_for_more(struct attached *attached, bool output, struct fl_err *err)
{
	struct pollfd fds[AT_END];

	collect(attached, output, fds);
	if (poll(fds, AT_END, output ? -1 : left_to_linger(attached)) < 0)
		return 0;
	if (fds[AT_INPUT].revents)
		take_keys(attached);
	send_keys(attached);
	if (attached->socket >= 0 && fds[AT_SOCKET].revents & (POLLIN | POLLHUP | POLLERR))
		hear_end(attached);
	if (fds[AT_OUTPUT].revents & (POLLERR | POLLHUP))
		return fl_cli_lost_reader(err);
	return fds[AT_OUTPUT].revents ? put_output(attached, err) : 0;
}

/* Whether it lives is asked before the last look, lest its last words be missed. */
static int run(struct attached *attached, struct fl_err *err)
{
	while (!attached->detached) {
		bool lives = fl_vm_is_supervised(attached->vm);
		bool output = has_output(attached);

		if (fl_cancel_check(NULL, err) < 0)
			return -1;
		if (!output && (!lives || left_to_linger(attached) == 0))
			return 0;
		if (wait_for_more(attached, output, err) < 0)
			return -1;
	}
	return 0;
}

static void say_hello(const struct attached *attached)
{
	if (!attached->is_terminal)
		return;
	if (attached->key == NO_KEY)
		fl_log(FL_LOG_INFO, "attached to %s/%s", attached->vm->name_space, attached->vm->name);
	else
		fl_log(FL_LOG_INFO, "attached to %s/%s; Ctrl-%c detaches", attached->vm->name_space,
		       attached->vm->name, attached->key | 0x40);
}

/* 0: only what comes from now on. */
static int read_scrollback(const struct fl_args *args, uint64_t *size, struct fl_err *err)
{
	*size = 0;
	return strcmp(fl_args_text(args, "scrollback", ""), "0") == 0
		       ? 0
		       : fl_args_size(args, "scrollback", 65536, size, err);
}

static int attach(const struct fl_args *args, struct attached *attached, struct fl_err *err)
{
	uint64_t scrollback;
	int rc;

	if (read_scrollback(args, &scrollback, err) < 0 ||
	    fl_args_duration(args, "linger", 1000, &attached->linger_ms, err) < 0 ||
	    read_key(args, &attached->key, err) < 0)
		return -1;
	attached->is_terminal = isatty(STDIN_FILENO);
	attached->takes_input = attached->is_terminal || !fl_args_flag(args, "read-only");
	fl_tail_seek_back(attached->tail, scrollback);
	if (!fl_vm_is_supervised(attached->vm)) {
		if (print_all(attached->tail, err) < 0)
			return -1;
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s/%s: does not run; this is what it said "
				  "last", attached->vm->name_space, attached->vm->name);
	}
	if (!fl_args_flag(args, "read-only") && ask_to_write(attached, err) < 0)
		return -1;
	say_hello(attached);
	fl_terminal_take();
	rc = run(attached, err);
	fl_terminal_give_back();
	if (attached->socket >= 0)
		close(attached->socket);
	if (attached->is_terminal && fl_cli_is_terminal())
		fl_cli_print("\n", 1, NULL);
	if (attached->is_terminal)
		fl_log(FL_LOG_INFO, "%s", attached->detached ? "detached" : "the console ended");
	return rc;
}

static int console_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	const struct fl_args *args = arg;
	fl_cleanup_log_file struct fl_log_file file = FL_LOG_FILE_INIT;
	struct attached attached = { .vm = vm, .tail = &file.tail, .socket = -1 };

	if (fl_log_file_open(&file, vm, "console", err) < 0)
		return -1;
	return fl_args_flag(args, "print") ? print_all(&file.tail, err)
					   : attach(args, &attached, err);
}

int fl_console(struct fl_args *args, struct fl_err *err)
{
	if (!fl_args_flag(args, "print") && args->operands.count != 1)
		return fl_err_set(err, FL_ERR_USAGE, "name one microVM, or give --print");
	return fl_life_each(args, console_one, args, err);
}
