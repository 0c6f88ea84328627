/* SPDX-License-Identifier: MPL-2.0 */
/* Files that appear all at once, locks, marks of durability, children. */
#include "t/unit/test.h"

#include "common/durable.h"
#include "common/io.h"
#include "common/lock.h"
#include "common/path.h"
#include "common/proc.h"
#include "common/alloc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static char folder[] = "/tmp/fl-unit-XXXXXX";
static int at;

static bool is_there(const char *name)
{
	return faccessat(at, name, F_OK, 0) == 0;
}

static void atomic_files(void)
{
	struct fl_atomic file;
	struct stat st;

	CHECK_INT(fl_atomic_open(&file, at, "a", 0640, NULL), 0);
	CHECK_INT(fl_io_write(file.fd, "x", 1, "a", NULL), 0);
	CHECK(!is_there("a"));
	CHECK_INT(fl_atomic_publish(&file, true, NULL), 0);
	fl_atomic_finish(&file);
	CHECK_INT(fstatat(at, "a", &st, 0), 0);
	CHECK_INT(st.st_mode & 07777, 0640);
	CHECK_INT(fl_atomic_open(&file, at, "b", 0600, NULL), 0);
	fl_atomic_finish(&file);
	CHECK(!is_there("b"));
}

static void sweeping(void)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	fl_cleanup_free char *aside = NULL;

	CHECK_INT(fl_atomic_open(&file, at, "c", 0600, NULL), 0);
	aside = strdup(file.aside);
	fl_atomic_sweep(at);
	CHECK(is_there(aside));
	close(fl_steal_fd(&file.fd));
	fl_atomic_sweep(at);
	CHECK(!is_there(aside));
}

static void locks(void)
{
	fl_cleanup_close int one = fl_lock_file(at, "lock", FL_LOCK_SHARED, 0, NULL);
	fl_cleanup_close int two = fl_lock_file(at, "lock", FL_LOCK_SHARED, 0, NULL);
	struct fl_err err;

	CHECK(one >= 0 && two >= 0);
	CHECK_INT(fl_lock_file(at, "lock", FL_LOCK_EXCLUSIVE, 20, &err), -1);
	CHECK_INT(err.kind, FL_ERR_BUSY);
	close(fl_steal_fd(&one));
	close(fl_steal_fd(&two));
	one = fl_lock_file(at, "lock", FL_LOCK_EXCLUSIVE, 0, NULL);
	CHECK(one >= 0);
}

static int publish(const char *name)
{
	fl_cleanup_durable struct fl_durable durable = FL_DURABLE_INIT;
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	int have = fl_durable_begin(&durable, at, name, false, NULL, NULL);

	if (have != 0)
		return have;
	fl_atomic_open(&file, at, name, 0600, NULL);
	return fl_durable_publish(&durable, &file, NULL);
}

static void durability(void)
{
	setenv("FL_BOOT_ID", "one", 1);
	CHECK_INT(publish("d"), 0);
	CHECK_INT(publish("d"), 1);
	CHECK(fl_durable_is_good(at, "d"));
	setenv("FL_BOOT_ID", "two", 1);
	CHECK(!fl_durable_is_good(at, "d"));
	CHECK_INT(publish("d"), 0);
	CHECK_INT(fl_durable_settle(at, "d", NULL), 0);
	setenv("FL_BOOT_ID", "three", 1);
	CHECK(fl_durable_is_good(at, "d"));
	CHECK(!is_there(".pending/d"));
	unsetenv("FL_BOOT_ID");
}

static void busy_makers(void)
{
	fl_cleanup_durable struct fl_durable one = FL_DURABLE_INIT, two = FL_DURABLE_INIT;
	struct fl_err err;

	CHECK_INT(fl_durable_begin(&one, at, "e", false, NULL, NULL), 0);
	CHECK_INT(fl_durable_begin(&two, at, "e", false, NULL, &err), -1);
	CHECK_INT(err.kind, FL_ERR_BUSY);
}

static int run(const char *script, int timeout)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct fl_proc child;
	int status;

	if (fl_proc_spawn(&child, &(struct fl_proc_spec){ .argv = argv, .in = -1, .out = -1,
							  .errfd = -1 }, NULL) < 0)
		return -2;
	status = fl_proc_wait(&child, timeout, NULL);
	fl_proc_finish(&child);
	return status;
}

static void children(void)
{
	const char *argv[] = { "/nonexistent/program", NULL };
	struct fl_proc child;
	struct fl_err err;

	CHECK_INT(run("exit 3", 5000), 3);
	CHECK_INT(run("kill -9 $$", 5000), 256 + 9);
	CHECK_INT(run("sleep 10", 20), -1);
	CHECK_INT(fl_proc_spawn(&child, &(struct fl_proc_spec){ .argv = argv, .in = -1, .out = -1,
								.errfd = -1 }, &err), -1);
	CHECK_INT(err.kind, FL_ERR_NOT_FOUND);
}

/* Port 53 or a raw socket by themselves would need root. */
static void other_user(void)
{
	static const char script[] =
		"[ $(id -u):$(id -g):$(id -G) = 1234:1235:1235 ] && "
		"grep -q '^CapEff:.0000000000002400$' /proc/self/status && "
		"grep -q '^CapAmb:.0000000000002400$' /proc/self/status";
	const char *argv[] = { "sh", "-c", script, NULL };
	struct fl_proc_user user = { 1234, 1235, 1 << 10 | 1 << 13 };
	struct fl_proc child;

	if (geteuid() != 0 || setresuid(-1, 1234, -1) < 0 || setresuid(-1, 0, -1) < 0)
		return; /* there is nobody else, as in a user namespace */
	CHECK_INT(fl_proc_spawn(&child, &(struct fl_proc_spec){ .argv = argv, .in = -1, .out = -1,
								.errfd = -1, .user = &user }, NULL), 0);
	CHECK_INT(fl_proc_wait(&child, 5000, NULL), 0);
	fl_proc_finish(&child);
}

static void trees(void)
{
	fl_cleanup_free char *path = fl_asprintf("%s/x/y/z", folder);
	fl_cleanup_free char *link = fl_asprintf("%s/x/link", folder);

	CHECK_INT(fl_path_make_folders(path, 0700, NULL), 0);
	CHECK_INT(fl_path_make_folders(path, 0700, NULL), 0);
	CHECK_INT(symlink("/", link), 0);
	CHECK_INT(fl_path_remove_tree(at, "x", NULL), 0);
	CHECK(!is_there("x"));
	CHECK(access("/", F_OK) == 0);
	CHECK(fl_path_is_name("a.B_c-1") && !fl_path_is_name("..") && !fl_path_is_name("a/b"));
}

int main(void)
{
	int rc;

	if (!mkdtemp(folder) || (at = open(folder, O_RDONLY | O_DIRECTORY)) < 0)
		return 1;
	rc = test_run((const struct test_case[]){ { "files appear all at once", atomic_files },
						  { "only dead writers' files are swept", sweeping },
						  { "locks", locks },
						  { "what is not durable dies with the boot", durability },
						  { "one maker at a time", busy_makers },
						  { "children", children },
						  { "a child that is another user", other_user },
						  { "folders and trees", trees },
						  { 0 } });
	fl_path_remove_tree(AT_FDCWD, folder, NULL);
	close(at);
	return rc;
}
