/* SPDX-License-Identifier: MPL-2.0 */
/* Makers and settlers of the same names at the same time. */
#include "t/unit/test.h"

#include "common/durable.h"
#include "common/io.h"
#include "common/path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

#define NAMES 500
#define ROUNDS 40 /* of each, while it is settled */
#define MAKERS 3

static char folder[] = "/tmp/fl-unit-XXXXXX";
static int at;

/* 1: made here; 0: it was there. */
static int make(const char *name)
{
	fl_cleanup_durable struct fl_durable durable = FL_DURABLE_INIT;
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	int have = fl_durable_begin(&durable, at, name, true, NULL, NULL);

	if (have != 0)
		return have < 0 ? -1 : 0;
	if (fl_atomic_open(&file, at, name, 0600, NULL) < 0 ||
	    fl_durable_publish(&durable, &file, NULL) < 0)
		return -1;
	return 1;
}

/* A byte of made for each name that this process made; "lost" when one is bad after that. */
static void make_all(int made, int lost)
{
	char name[16];

	for (int i = 0; i < NAMES * ROUNDS; i++) {
		snprintf(name, sizeof(name), "n%d", i / ROUNDS);
		if (make(name) != 0 && write(made, "1", 1) != 1)
			_exit(1);
		if (!fl_durable_is_good(at, name) && write(lost, "1", 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static void settle_all(void)
{
	char name[16];

	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		while (!fl_durable_is_good(at, name))
			usleep(10);
		fl_durable_settle(at, name, NULL);
	}
	_exit(0);
}

static off_t size_of(const char *name)
{
	fl_cleanup_close int fd = openat(at, name, O_RDONLY | O_CLOEXEC);

	return lseek(fd, 0, SEEK_END);
}

static void each_name_is_made_once(void)
{
	int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
	fl_cleanup_close int made = openat(at, "made", flags, 0600);
	fl_cleanup_close int lost = openat(at, "lost", flags, 0600);
	int status;

	for (int i = 0; i < MAKERS; i++)
		if (fork() == 0)
			make_all(made, lost);
	if (fork() == 0)
		settle_all();
	fflush(stdout);
	while (wait(&status) > 0)
		CHECK_INT(status, 0);
	CHECK_INT(size_of("made"), NAMES);
	CHECK_INT(size_of("lost"), 0);
}

int main(void)
{
	int rc;

	if (!mkdtemp(folder) || (at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return 1;
	rc = test_run((const struct test_case[]){
		{ "each name is made once, and good from then on", each_name_is_made_once }, { 0 } });
	fl_path_remove_tree(AT_FDCWD, folder, NULL);
	close(at);
	return rc;
}
