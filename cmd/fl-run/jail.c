/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/jail.h"

#include "cmd/fl-run/elf.h"
#include "cmd/fl-run/words.h"
#include "common/alloc.h"
#include "common/cgroup.h"
#include "common/jail.h"
#include "common/path.h"
#include "common/sha256.h"
#include "common/shell.h"

#include <linux/capability.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define FIRST_OWNER 0x70000000U
#define MOST_OPEN_FILES 1024
#define LONGEST_SOCKET "/guest-agent.vsock"

/* The uid of a microVM's VMM, and its gid: 2^28 numbers of which Debian and systemd hand out none
 * (systemd's UIDS-GIDS.md). */
static uint32_t owner_of(const char *uid)
{
	unsigned char sum[FL_SHA256_SIZE];

	fl_sha256_sum(uid, strlen(uid), sum);
	return FIRST_OWNER | (uint32_t)(sum[0] & 0x0f) << 24 | (uint32_t)sum[1] << 16 |
	       (uint32_t)sum[2] << 8 | sum[3];
}

/* What making a jail, entering it and ending its VMM take; root may have been left without. */
static int check_rights(struct fl_err *err)
{
	static const struct {
		unsigned bit;
		const char *name;
	} needed[] = {
		{ CAP_CHOWN, "CAP_CHOWN" },	  { CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE" },
		{ CAP_FOWNER, "CAP_FOWNER" },	  { CAP_KILL, "CAP_KILL" },
		{ CAP_MKNOD, "CAP_MKNOD" },	  { CAP_SETGID, "CAP_SETGID" },
		{ CAP_SETUID, "CAP_SETUID" },	  { CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
	};
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, have) < 0)
		return fl_err_errno(err, errno, "the rights of this process cannot be read");
	for (size_t i = 0; i < FL_COUNT(needed); i++)
		if (!(have[0].effective & 1U << needed[i].bit))
			return fl_err_set(err, FL_ERR_PRECONDITION, "a jail needs the right %s, "
					  "which is missing here; run as root, or see fl-run(8)",
					  needed[i].name);
	return 0;
}

/* Programs and device nodes are to work in there, and sockets are to be reached. */
static int check_place(const struct fl_vm *vm, const struct fl_jail *jail, struct fl_err *err)
{
	const struct sockaddr_un *any = NULL;
	struct statvfs fs;

	if (statvfs(vm->path, &fs) < 0)
		return fl_err_errno(err, errno, "%s: cannot be looked at", vm->path);
	if (fs.f_flag & (ST_NODEV | ST_NOEXEC))
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: a jail cannot be there, as its "
				  "file system is mounted %s; mount it without, or use another "
				  "--state-dir", vm->path,
				  fs.f_flag & ST_NODEV ? "nodev" : "noexec");
	if (strlen(jail->root) + sizeof(LONGEST_SOCKET) > sizeof(any->sun_path))
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: too long a path for sockets; set "
				  "FL_RUN_DIR to a shorter one", jail->root);
	return 0;
}

static int check_vmm(const char *path, struct fl_err *err)
{
	bool dynamic;

	if (fl_elf_is_dynamic(path, &dynamic, err) < 0)
		return -1;
	if (dynamic)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: is linked dynamically; the jailer "
				  "needs a static one, as releases are", path);
	return 0;
}

/* Where symbolic links lead to: the jailer calls the jail's folder by the name of that file, and
 * a later start may be in another folder. Caller frees. */
static char *find_program(const char *program, const char *what, struct fl_err *err)
{
	fl_cleanup_free char *found = fl_path_find_program(program);
	char real[PATH_MAX];

	if (found && realpath(found, real))
		return fl_strdup(real);
	fl_err_set(err, FL_ERR_PRECONDITION,
		   "%s: there is no such %s; Firecracker's releases have it", program, what);
	return NULL;
}

int fl_jail_open(const struct fl_vmm_request *request, struct fl_jail *jail, struct fl_err *err)
{
	fl_cleanup_free char *run = NULL;

	if (!request->jailer)
		return 0;
	run = fl_vm_run_path(request->vm);
	jail->root = fl_asprintf("%s/" FL_JAIL_ROOT, run);
	jail->owner = owner_of(request->vm->uid);
	jail->files = fl_json_new_array();
	jail->taps = fl_json_new_array();
	if (!request->check) {
		jail->program = fl_strdup(request->jailer);
		jail->vmm = fl_strdup(request->program);
		return 0;
	}
	jail->program = find_program(request->jailer, "jailer", err);
	jail->vmm = jail->program ? find_program(request->program, "firecracker", err) : NULL;
	if (!jail->vmm || check_rights(err) < 0 || check_vmm(jail->vmm, err) < 0)
		return -1;
	return check_place(request->vm, jail, err);
}

void fl_jail_finish(struct fl_jail *jail)
{
	free(jail->program);
	free(jail->vmm);
	free(jail->root);
	fl_json_unref(jail->files);
	fl_json_unref(jail->taps);
}

static bool is_own(const struct fl_vm *vm, const char *path)
{
	size_t len = strlen(vm->path);

	return strncmp(path, vm->path, len) == 0 && path[len] == '/';
}

static void add_file(struct fl_jail *jail, const struct fl_vm *vm, const char *from,
		     const char *as, bool read_only)
{
	fl_json *file = fl_json_new_object();
	const char *access = !read_only ? "write" : is_own(vm, from) ? "read" : "shared";

	fl_json_set(file, "from", fl_json_new_text(from));
	fl_json_set(file, "as", fl_json_new_text(as));
	fl_json_set(file, "access", fl_json_new_text(access));
	fl_json_add(jail->files, file);
}

/* Takes the path, and gives the one in the jail. */
static char *moved(struct fl_jail *jail, const struct fl_vm *vm, char *path, const char *as,
		   bool read_only)
{
	add_file(jail, vm, path, as, read_only);
	free(path);
	return fl_asprintf("%s/%s", jail->root, as);
}

void fl_jail_move(struct fl_jail *jail, const struct fl_vmm_request *request,
		  struct fl_hardware *hardware)
{
	if (!jail->program)
		return;
	hardware->kernel = moved(jail, request->vm, hardware->kernel, "kernel", true);
	if (hardware->initrd)
		hardware->initrd = moved(jail, request->vm, hardware->initrd, "initrd", true);
	for (size_t i = 0; i < hardware->disk_count; i++) {
		struct fl_hardware_disk *disk = &hardware->disks[i];
		fl_cleanup_free char *as = fl_asprintf("d%zu", i);

		disk->path = moved(jail, request->vm, disk->path, as, disk->read_only);
	}
	if (hardware->service)
		hardware->service =
			moved(jail, request->vm, hardware->service, "metadata.json", true);
	for (size_t i = 0; i < hardware->link_count; i++)
		fl_json_add(jail->taps, fl_json_new_text(hardware->links[i].link));
	if (hardware->vsock.socket) {
		char *name = strrchr(hardware->vsock.socket, '/');
		char *socket = fl_asprintf("%s%s", jail->root, name);

		free(hardware->vsock.socket);
		hardware->vsock.socket = socket;
	}
}

void fl_jail_add(struct fl_jail *jail, const struct fl_vmm_request *request, const char *name)
{
	fl_cleanup_free char *from = fl_asprintf("%s/%s", request->vm->path, name);

	if (jail->program)
		add_file(jail, request->vm, from, name, true);
}

const char *fl_jail_folder(const struct fl_jail *jail, const char *otherwise)
{
	return jail->program ? jail->root : otherwise;
}

const char *fl_jail_seen(const struct fl_jail *jail, const char *path)
{
	return jail->program ? path + strlen(jail->root) : path;
}

const char *fl_jail_source(const struct fl_jail *jail, const char *path)
{
	for (size_t i = 0; i < fl_json_count(jail->files); i++) {
		const fl_json *file = fl_json_item(jail->files, i);

		if (strcmp(fl_json_text(fl_json_get(file, "as")), fl_jail_seen(jail, path) + 1) == 0)
			return fl_json_text(fl_json_get(file, "from"));
	}
	return path;
}

fl_json *fl_jail_argv(const struct fl_jail *jail, const struct fl_vmm_request *request)
{
	fl_cleanup_free char *group = fl_cgroup_name(request->vm->uid, "vmm");
	fl_json *argv = fl_json_new_array();

	fl_words_add(argv, jail->program);
	fl_words_option(argv, "--id", "%s", request->vm->uid);
	fl_words_option(argv, "--exec-file", "%s", jail->vmm);
	fl_words_option(argv, "--uid", "%u", jail->owner);
	fl_words_option(argv, "--gid", "%u", jail->owner);
	fl_words_option(argv, "--chroot-base-dir", "%s/" FL_JAIL_FOLDER, request->vm->path);
	/* Without a --cgroup it stays in the group that it is born in. */
	fl_words_option(argv, "--cgroup-version", "2");
	fl_words_option(argv, "--parent-cgroup", "%s", group);
	fl_words_option(argv, "--resource-limit", "no-file=%d", MOST_OPEN_FILES);
	fl_words_add(argv, "--");
	return argv;
}

static fl_json *all_seen(const struct fl_jail *jail, const fl_json *paths)
{
	fl_json *seen = fl_json_new_array();

	for (size_t i = 0; i < fl_json_count(paths); i++) {
		const char *path = fl_json_text(fl_json_item(paths, i));

		fl_json_add(seen, fl_json_new_text(fl_jail_seen(jail, path)));
	}
	return seen;
}

void fl_jail_launch(const struct fl_jail *jail, const struct fl_vmm_request *request,
		    const char *log, fl_json *launch)
{
	const char *name = jail->program ? strrchr(jail->vmm, '/') : NULL;
	fl_cleanup_free char *folder = NULL;
	fl_json *doc;

	if (!jail->program)
		return;
	folder = fl_asprintf("%s/%s", name ? name + 1 : jail->vmm, request->vm->uid);
	doc = fl_json_new_object();
	fl_json_set(doc, "program", fl_json_new_text(jail->program));
	fl_json_set(doc, "folder", fl_json_new_text(folder));
	fl_json_set(doc, "owner", fl_json_new_int(jail->owner));
	fl_json_set(doc, "log", fl_json_new_text(log));
	fl_json_set(doc, "files", fl_json_ref(jail->files));
	fl_json_set(doc, "taps", fl_json_ref(jail->taps));
	fl_json_set(launch, "jail", doc);
	fl_json_set(launch, "disk_paths", all_seen(jail, fl_json_get(launch, "disk_paths")));
}

/* One command; words are ended by NULL. */
static void print(struct fl_str *out, const char *word, ...)
{
	va_list words;

	va_start(words, word);
	for (const char *next = word; next; next = va_arg(words, const char *)) {
		fl_str_add(out, next == word ? "" : " ");
		fl_shell_word(out, next);
	}
	va_end(words);
	fl_str_add(out, "\n");
}

static void print_device(dev_t number, const char *to, bool writes, const char *owner,
			 struct fl_str *out)
{
	fl_cleanup_free char *first = fl_asprintf("%u", major(number));
	fl_cleanup_free char *second = fl_asprintf("%u", minor(number));

	print(out, "mknod", "-m", writes ? "600" : "400", to, "b", first, second, NULL);
	print(out, "chown", owner, to, NULL);
}

static void print_file(const fl_json *file, const char *root, const char *owner,
		       struct fl_str *out)
{
	const char *from = fl_json_text(fl_json_get(file, "from"));
	const char *access = fl_json_text(fl_json_get(file, "access"));
	fl_cleanup_free char *to = fl_asprintf("%s/%s", root, fl_json_text(fl_json_get(file, "as")));
	bool writes = strcmp(access, "write") == 0;
	struct stat st;

	if (stat(from, &st) == 0 && S_ISBLK(st.st_mode)) {
		print_device(st.st_rdev, to, writes, owner, out);
		return;
	}
	print(out, "ln", "-L", from, to, NULL);
	if (writes)
		print(out, "chown", owner, to, NULL);
	if (strcmp(access, "read") == 0) {
		print(out, "chown", strchr(owner, ':'), to, NULL);
		print(out, "chmod", "640", to, NULL);
	}
}

void fl_jail_print(const struct fl_vm *vm, const fl_json *launch, struct fl_str *out)
{
	const fl_json *jail = fl_json_get(launch, "jail"), *files = fl_json_get(jail, "files");
	const char *folder = fl_json_text(fl_json_get(jail, "folder"));
	long long number = fl_json_int(fl_json_get(jail, "owner"));
	fl_cleanup_free char *all = fl_asprintf("%s/" FL_JAIL_FOLDER, vm->path);
	fl_cleanup_free char *root = fl_asprintf("%s/" FL_JAIL_ROOT, vm->path);
	fl_cleanup_free char *deep = fl_asprintf("%s/%s/root", all, folder ? folder : "");
	fl_cleanup_free char *owner = fl_asprintf("%lld:%lld", number, number);

	if (!jail)
		return;
	print(out, "rm", "-rf", all, NULL);
	print(out, "mkdir", "-p", deep, NULL);
	print(out, "ln", "-s", deep, root, NULL);
	for (size_t i = 0; i < fl_json_count(files); i++)
		print_file(fl_json_item(files, i), root, owner, out);
}
