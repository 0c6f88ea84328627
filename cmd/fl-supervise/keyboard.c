/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/keyboard.h"

#include "cmd/fl-supervise/listener.h"
#include "common/cleanup.h"

#include <stdio.h>
#include <sys/socket.h>

int fl_keyboard_listen(struct fl_keyboard *keyboard, const char *path, struct fl_err *err)
{
	snprintf(keyboard->path, sizeof(keyboard->path), "%s", path);
	keyboard->listener = fl_listener_open(path, err);
	return keyboard->listener < 0 ? -1 : 0;
}

static void let_go(struct fl_keyboard *keyboard)
{
	if (keyboard->writer >= 0)
		close(keyboard->writer);
	keyboard->writer = -1;
	keyboard->len = keyboard->at = 0;
	keyboard->ended = false;
}

void fl_keyboard_finish(struct fl_keyboard *keyboard)
{
	let_go(keyboard);
	if (keyboard->listener >= 0) {
		close(keyboard->listener);
		unlink(keyboard->path);
	}
	keyboard->listener = -1;
}

void fl_keyboard_collect(const struct fl_keyboard *keyboard, int to,
			 struct pollfd fds[static FL_KEYBOARD_POLLS])
{
	bool is_full = keyboard->at < keyboard->len;
	bool reads = !is_full && !keyboard->ended;

	fds[0] = (struct pollfd){ .fd = keyboard->listener, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = keyboard->writer, .events = reads ? POLLIN : 0 };
	fds[2] = (struct pollfd){ .fd = is_full ? to : -1, .events = POLLOUT };
}

static pid_t pid_of(int fd)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

static void accept_one(struct fl_keyboard *keyboard)
{
	fl_cleanup_close int fd = accept4(keyboard->listener, NULL, NULL,
					  SOCK_CLOEXEC | SOCK_NONBLOCK);
	char hello[96];
	int len;

	if (fd < 0)
		return;
	if (keyboard->writer < 0)
		len = snprintf(hello, sizeof(hello), "{\"hello\":\"console\",\"writer\":true}\n");
	else
		len = snprintf(hello, sizeof(hello),
			       "{\"hello\":\"console\",\"writer\":false,\"pid\":%d}\n",
			       (int)keyboard->pid);
	if (send(fd, hello, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len ||
	    keyboard->writer >= 0)
		return;
	keyboard->pid = pid_of(fd);
	keyboard->writer = fl_steal_fd(&fd);
}

/* A writer that is gone altogether; one that has only sent all still waits for the end. */
static bool has_hung_up(const struct fl_keyboard *keyboard)
{
	struct pollfd look = { .fd = keyboard->writer };

	return poll(&look, 1, 0) > 0 && look.revents & (POLLHUP | POLLERR);
}

static void take(struct fl_keyboard *keyboard)
{
	ssize_t got;

	if (keyboard->writer < 0 || keyboard->ended || keyboard->at < keyboard->len)
		return;
	got = read(keyboard->writer, keyboard->pending, sizeof(keyboard->pending));
	keyboard->at = 0;
	keyboard->len = got > 0 ? (size_t)got : 0;
	keyboard->ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* Typed at a machine that is off, it is lost. */
static void give(struct fl_keyboard *keyboard, int to)
{
	ssize_t put;

	if (keyboard->at >= keyboard->len)
		return;
	put = to < 0 ? (ssize_t)(keyboard->len - keyboard->at)
		     : write(to, keyboard->pending + keyboard->at, keyboard->len - keyboard->at);
	if (put > 0)
		keyboard->at += (size_t)put;
	else if (errno != EAGAIN && errno != EINTR)
		keyboard->at = keyboard->len;
}

void fl_keyboard_poll(struct fl_keyboard *keyboard, int to)
{
	take(keyboard);
	give(keyboard, to);
	if (keyboard->writer >= 0 &&
	    ((keyboard->ended && keyboard->at >= keyboard->len) || has_hung_up(keyboard)))
		let_go(keyboard);
	/* Who left is gone before the next one asks. */
	accept_one(keyboard);
}
