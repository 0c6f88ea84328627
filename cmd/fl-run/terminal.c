/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/terminal.h"

#include "common/macro.h"

#include <errno.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

/* Read by signal handlers: written only while it is not taken. */
static struct termios before;
static volatile sig_atomic_t taken;

/* In the background, changing the terminal would stop the program instead. */
static void set(const struct termios *mode)
{
	sigset_t block, old;

	sigemptyset(&block);
	sigaddset(&block, SIGTTOU);
	sigprocmask(SIG_BLOCK, &block, &old);
	tcsetattr(STDIN_FILENO, TCSADRAIN, mode);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void set_raw(void)
{
	struct termios raw = before;

	cfmakeraw(&raw);
	set(&raw);
}

/* Signals that cancel are taken by others and end in fl_terminal_give_back. */
static const int deadly[] = { SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE,  SIGILL,
			      SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ, SIGVTALRM };

static void die(int number)
{
	if (taken)
		set(&before);
	/* The handler was good for once: now it kills. */
	raise(number);
}

static void stop(int number)
{
	int saved = errno;

	(void)number;
	if (taken)
		set(&before);
	raise(SIGSTOP);
	if (taken)
		set_raw();
	errno = saved;
}

/* After a SIGSTOP, which nobody sees coming, the shell has set its own mode. */
static void go_on(int number)
{
	int saved = errno;

	(void)number;
	if (taken)
		set_raw();
	errno = saved;
}

static void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(number, &action, NULL);
}

bool fl_terminal_take(void)
{
	if (taken || tcgetattr(STDIN_FILENO, &before) < 0)
		return taken;
	for (size_t i = 0; i < FL_COUNT(deadly); i++)
		handle(deadly[i], die, SA_RESETHAND | SA_NODEFER);
	handle(SIGTSTP, stop, SA_RESTART);
	handle(SIGCONT, go_on, SA_RESTART);
	taken = true;
	set_raw();
	return true;
}

void fl_terminal_give_back(void)
{
	if (!taken)
		return;
	taken = false;
	set(&before);
	handle(SIGTSTP, SIG_DFL, 0);
	handle(SIGCONT, SIG_DFL, 0);
	for (size_t i = 0; i < FL_COUNT(deadly); i++)
		handle(deadly[i], SIG_DFL, 0);
}
