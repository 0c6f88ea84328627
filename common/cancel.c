/* SPDX-License-Identifier: MPL-2.0 */
#include "common/cancel.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Signals belong to the process, so what was taken does too. */
static struct {
	volatile sig_atomic_t signal;
	int pipe[2];
	bool installed;
} taken = { .pipe = { -1, -1 } };

static void take(int number)
{
	int saved = errno;

	taken.signal = number;
	if (write(taken.pipe[1], "", 1) < 0)
		errno = saved;
	errno = saved;
}

void fl_cancel_catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = take };

	if (taken.installed || pipe2(taken.pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	taken.installed = true;
	for (size_t i = 0; i < FL_COUNT(numbers); i++)
		sigaction(numbers[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int fl_cancel_signal(void)
{
	return taken.signal;
}

int fl_cancel_signal_fd(void)
{
	return taken.pipe[0];
}

int fl_cancel_check(const struct fl_cancel *cancel, struct fl_err *err)
{
	if (taken.signal)
		return fl_err_set(err, FL_ERR_INTERRUPTED, "interrupted by SIG%s",
				  sigabbrev_np(taken.signal));
	return cancel && cancel->check ? cancel->check(cancel->arg, err) : 0;
}

int fl_cancel_wait(const struct fl_cancel *cancel, int fd, int timeout_ms, struct fl_err *err)
{
	struct pollfd fds[3] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = taken.pipe[0], .events = POLLIN },
		{ .fd = cancel ? cancel->fd : -1, .events = POLLIN },
	};
	int64_t end = fl_clock_ms() + timeout_ms;

	for (;;) {
		int64_t left = timeout_ms < 0 ? -1 : end - fl_clock_ms();

		if (fl_cancel_check(cancel, err) < 0)
			return -1;
		if (timeout_ms >= 0 && left < 0)
			return 0;
		if (poll(fds, 3, (int)left) < 0 && errno != EINTR)
			return fl_err_errno(err, errno, "poll");
		if (fds[0].revents)
			return 1;
	}
}
