/* SPDX-License-Identifier: MPL-2.0 */
/* The state folder: opening, listing, finding. */
#include "common/state.h"

#include "common/alloc.h"
#include "common/path.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

int fl_state_open(struct fl_state *state, const char *dir, bool make, struct fl_err *err)
{
	fl_cleanup_free char *vms = fl_asprintf("%s/vm", dir);
	char real[PATH_MAX];

	*state = (struct fl_state){ .dirfd = -1 };
	if (make && fl_path_make_folders(vms, 0711, err) < 0)
		return fl_path_deny_state(err);
	if (realpath(dir, real))
		state->dirfd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->dirfd < 0) {
		fl_err_errno(err, errno, "%s: the state folder cannot be opened", dir);
		return fl_path_deny_state(err);
	}
	state->dir = fl_strdup(real);
	return 0;
}

void fl_state_close(struct fl_state *state)
{
	if (state->dirfd >= 0)
		close(state->dirfd);
	free(state->dir);
	*state = (struct fl_state){ .dirfd = -1 };
}

void fl_vm_close(struct fl_vm *vm)
{
	if (vm->dirfd >= 0)
		close(vm->dirfd);
	free(vm->name_space);
	free(vm->name);
	free(vm->path);
	*vm = (struct fl_vm)FL_VM_INIT;
}

int fl_vm_open(const struct fl_state *state, const char *name_space, const char *name,
	       const char *uid, struct fl_vm *vm, struct fl_err *err)
{
	*vm = (struct fl_vm)FL_VM_INIT;
	if (!fl_path_is_name(name_space) || !fl_path_is_name(name) || !fl_ulid_is_valid(uid))
		return fl_err_set(err, FL_ERR_INVALID, "%s/%s/%s: not the identity of a microVM",
				  name_space, name, uid);
	vm->path = fl_asprintf("%s/vm/%s/%s/%s", state->dir, name_space, name, uid);
	vm->dirfd = openat(state->dirfd, vm->path + strlen(state->dir) + 1,
			   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (vm->dirfd < 0 || faccessat(vm->dirfd, "record.json", F_OK, 0) < 0) {
		int saved = errno;

		fl_vm_close(vm);
		if (saved != ENOENT)
			return fl_err_errno(err, saved, "%s/%s/%s", name_space, name, uid);
		return fl_err_set(err, FL_ERR_NOT_FOUND,
				  "%s/%s: microvm %s not found: it is gone, and only a spec without "
				  "a uid makes a new one", name_space, name, uid);
	}
	vm->state = state;
	vm->name_space = fl_strdup(name_space);
	vm->name = fl_strdup(name);
	snprintf(vm->uid, sizeof(vm->uid), "%s", uid);
	return 0;
}

void fl_vm_names_add(fl_vm_names *names, const struct fl_vm *vm)
{
	struct fl_vm_name name = { fl_strdup(vm->name_space), fl_strdup(vm->name), "" };

	memcpy(name.uid, vm->uid, sizeof(name.uid));
	FL_VEC_ADD(names, name);
}

void fl_vm_names_finish(fl_vm_names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		free(names->items[i].name_space);
		free(names->items[i].name);
	}
	free(names->items);
	*names = (fl_vm_names){ 0 };
}

/* Of a folder below another that is open: short names are found sooner. */
typedef void entry_fn(void *arg, int dirfd, const char *entry);

/* Calls each for the entries of a folder; a folder that went away holds none. An errno when there
 * was nothing left to open it with, and what it holds is not known; else 0. */
static int each_entry(int parent, const char *name, entry_fn *each, void *arg)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fl_cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int saved = dir ? 0 : errno;
	struct dirent *entry;

	if (fd >= 0 && !dir)
		close(fd);
	while (dir && (entry = readdir(dir)))
		if (fl_path_is_name(entry->d_name))
			each(arg, fd, entry->d_name);
	return saved == EMFILE || saved == ENFILE || saved == ENOMEM ? saved : 0;
}

struct walk {
	fl_vm_names *names;
	const struct fl_state *state;
	const char *name_space, *name, *uid; /* uid NULL: any that is left */
	bool holds_any, holds_uid;
	int lack; /* an errno: not all was seen */
};

static void walk_into(struct walk *walk, int dirfd, const char *name, entry_fn *each)
{
	int errnum = each_entry(dirfd, name, each, walk);

	walk->lack = walk->lack ? walk->lack : errnum;
}

/* 0 if there is one; else -1 and errno. */
static int look_for_record(int dirfd, const char *uid)
{
	char record[FL_ULID_TEXT + sizeof("/record.json")];

	snprintf(record, sizeof(record), "%s/record.json", uid);
	return faccessat(dirfd, record, F_OK, 0);
}

static void take_uid(void *arg, int dirfd, const char *entry)
{
	struct walk *walk = arg;
	struct fl_vm_name one = { 0 };

	if (!fl_ulid_is_valid(entry) || look_for_record(dirfd, entry) < 0)
		return;
	one.name_space = fl_strdup(walk->name_space);
	one.name = fl_strdup(walk->name);
	snprintf(one.uid, sizeof(one.uid), "%s", entry);
	FL_VEC_ADD(walk->names, one);
}

static void take_name(void *arg, int dirfd, const char *entry)
{
	struct walk *walk = arg;

	walk->name = entry;
	walk_into(walk, dirfd, entry, take_uid);
}

static void take_namespace(void *arg, int dirfd, const char *entry)
{
	struct walk *walk = arg;

	walk->name_space = entry;
	walk_into(walk, dirfd, entry, take_name);
}

static int by_name(const void *a, const void *b)
{
	const struct fl_vm_name *x = a, *y = b;
	int order = strcmp(x->name_space, y->name_space);

	order = order ? order : strcmp(x->name, y->name);
	return order ? order : strcmp(x->uid, y->uid);
}

int fl_state_list(const struct fl_state *state, fl_vm_names *names, struct fl_err *err)
{
	struct walk walk = { .names = names };

	*names = (fl_vm_names){ 0 };
	if (faccessat(state->dirfd, "vm", R_OK | X_OK, 0) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s/vm: cannot be read", state->dir);
	walk_into(&walk, state->dirfd, "vm", take_namespace);
	if (walk.lack) {
		fl_vm_names_finish(names);
		return fl_err_errno(err, walk.lack, "%s/vm: not all of it could be read", state->dir);
	}
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), by_name);
	return 0;
}

static fl_json *read_one(const struct fl_state *state, const struct fl_vm_name *name,
			 fl_json *(*read)(const struct fl_vm *vm, struct fl_err *err),
			 struct fl_err *err)
{
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;

	if (fl_vm_open(state, name->name_space, name->name, name->uid, &vm, err) < 0)
		return NULL;
	return read(&vm, err);
}

fl_json *fl_state_look(const struct fl_state *state, const struct fl_vm_name *name,
		       struct fl_err *err)
{
	return read_one(state, name, fl_vm_look, err);
}

fl_json *fl_state_load(const struct fl_state *state, const struct fl_vm_name *name,
		       struct fl_err *err)
{
	return read_one(state, name, fl_vm_load, err);
}

size_t fl_state_staying(const struct fl_state *state, const fl_vm_names *names,
			const struct fl_vm_name **only)
{
	size_t count = 0;

	*only = NULL;
	for (size_t i = 0; i < names->count; i++) {
		fl_cleanup_json fl_json *record = fl_state_look(state, &names->items[i], NULL);

		if (!record || fl_record_is_leaving(record))
			continue;
		*only = count++ ? NULL : &names->items[i];
	}
	return count;
}

static void look_for_uid(void *arg, int dirfd, const char *entry)
{
	struct walk *walk = arg;

	walk->holds_any = true;
	if (walk->uid)
		walk->holds_uid |= strcmp(entry, walk->uid) == 0;
	else
		walk->holds_uid |= fl_ulid_is_valid(entry) && look_for_record(dirfd, entry) < 0 &&
				   errno == ENOENT;
}

/* The folder of a name may have lost the uid's own already. */
static void sweep_if_left(void *arg, int dirfd, const char *entry)
{
	struct walk *walk = arg;

	walk->holds_any = walk->holds_uid = false;
	if (each_entry(dirfd, entry, look_for_uid, walk) != 0)
		return;
	if (walk->holds_uid || !walk->holds_any)
		fl_state_sweep_name(walk->state, walk->name_space, entry);
}

static void sweep_namespace(void *arg, int dirfd, const char *entry)
{
	struct walk *walk = arg;

	walk->name_space = entry;
	each_entry(dirfd, entry, sweep_if_left, walk);
	unlinkat(dirfd, entry, AT_REMOVEDIR);
}

void fl_state_sweep_uid(const struct fl_state *state, const char *uid)
{
	struct walk walk = { .state = state, .uid = uid };

	each_entry(state->dirfd, "vm", sweep_namespace, &walk);
}

void fl_state_sweep(const struct fl_state *state)
{
	fl_state_sweep_uid(state, NULL);
}

static int match_name(const struct fl_state *state, const char *name_space, const char *name,
		      fl_vm_names *names, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("vm/%s/%s", name_space, name);
	struct walk walk = { .names = names, .name_space = name_space, .name = name };

	walk_into(&walk, state->dirfd, path, take_uid);
	if (walk.lack)
		return fl_err_errno(err, walk.lack, "%s/%s: cannot be read", state->dir, path);
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), by_name);
	return 0;
}

static int match_uid(const struct fl_state *state, const char *uid, fl_vm_names *names,
		     struct fl_err *err)
{
	fl_vm_names all;

	if (fl_state_list(state, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.count; i++) {
		if (strcmp(all.items[i].uid, uid) != 0)
			continue;
		FL_VEC_ADD(names, all.items[i]);
		all.items[i] = (struct fl_vm_name){ 0 };
	}
	fl_vm_names_finish(&all);
	return 0;
}

/* Of one name, the one of that uid alone. */
static void keep_uid(fl_vm_names *names, const char *uid)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->count; i++) {
		struct fl_vm_name *one = &names->items[i];

		if (strcmp(one->uid, uid) == 0) {
			names->items[kept++] = *one;
			continue;
		}
		free(one->name_space);
		free(one->name);
	}
	names->count = kept;
}

int fl_state_match(const struct fl_state *state, const char *text, fl_vm_names *names,
		   struct fl_err *err)
{
	const char *slash = strchr(text, '/');
	fl_cleanup_free char *name_space = slash ? fl_strndup(text, slash - text)
						 : fl_strdup("default");
	const char *name = slash ? slash + 1 : text;
	const char *last = slash ? strchr(name, '/') : NULL;
	fl_cleanup_free char *short_name = NULL;

	*names = (fl_vm_names){ 0 };
	if (fl_ulid_is_valid(text))
		return match_uid(state, text, names, err);
	if (last && fl_ulid_is_valid(last + 1))
		name = short_name = fl_strndup(name, last - name);
	if (!fl_path_is_name(name_space) || !fl_path_is_name(name))
		return fl_err_set(err, FL_ERR_INVALID,
				  "\"%s\" is neither NAMESPACE/NAME nor a uid", text);
	if (match_name(state, name_space, name, names, err) < 0)
		return -1;
	if (short_name)
		keep_uid(names, last + 1);
	return 0;
}
