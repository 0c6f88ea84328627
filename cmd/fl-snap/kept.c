/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/kept.h"

#include "cmd/fl-snap/backend.h"
#include "cmd/fl-snap/volumes.h"
#include "common/alloc.h"
#include "common/control.h"
#include "common/log.h"
#include "common/num.h"
#include "common/path.h"
#include "common/step.h"

#include <stdlib.h>
#include <string.h>

#define MIB (1ull << 20)

const struct fl_option fl_kept_status_options[] = { FL_BACKEND_OPTIONS, { 0 } };

int fl_kept_list(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_table struct fl_table table = FL_TABLE_INIT;
	struct fl_site site = { .state_dir = fl_args_state_dir(args) };

	fl_table_column(&table, "KIND", "kind");
	fl_table_column(&table, "NAME", "name");
	fl_table_size_column(&table, "SIZE", "size");
	fl_table_size_column(&table, "USED", "used");
	for (size_t i = 0; fl_backends[i]; i++)
		if (fl_backends[i]->list && fl_backends[i]->list(&site, &table, err) < 0)
			return -1;
	return fl_table_print(&table, fl_args_flag(args, "json"), err);
}

static int remove_one(const struct fl_site *site, const char *name, struct fl_err *err)
{
	int removed = 0;

	if (strchr(name, '/') || name[0] == '.')
		return fl_err_set(err, FL_ERR_INVALID, "%s: not the name of a base; see "
				  "\"fl-snap ls\"", name);
	for (size_t i = 0; fl_backends[i]; i++) {
		int rc = fl_backends[i]->remove_base ? fl_backends[i]->remove_base(site, name, err)
						     : 0;

		if (rc < 0)
			return -1;
		removed += rc;
	}
	return removed ? 0 : fl_err_set(err, FL_ERR_NOT_FOUND, "%s: cannot be removed: there is no "
					"such base or file", name);
}

/* The microVM one of whose qcow2 disks leads to the base; caller frees. NULL: none. */
static char *leads_to(const fl_json *record, const char *name)
{
	const fl_json *volumes = fl_json_at(record, "host.volumes");

	for (void *i = fl_json_first(volumes); i; i = fl_json_next(volumes, i)) {
		const fl_json *volume = fl_json_value(i);
		const char *base = fl_path_last(fl_json_text(fl_json_get(volume, "base")));

		if (fl_str_equal(base, name) &&
		    fl_str_equal(fl_json_text(fl_json_get(volume, "format")), "qcow2"))
			return fl_asprintf("%s/%s", fl_json_text(fl_json_at(record, "spec.namespace")),
					   fl_json_text(fl_json_at(record, "spec.id")));
	}
	return NULL;
}

/* Who has each of the operands, or NULL. What a record that cannot be read leads to is not known. */
static int find_users(const struct fl_args *args, char **users, struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	if (fl_args_state(args, false, &state, err) < 0 || fl_state_list(&state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		struct fl_err why = { 0 };
		fl_cleanup_json fl_json *record = fl_state_look(&state, &names.items[i], &why);

		if (!record && why.kind != FL_ERR_NOT_FOUND)
			return fl_err_set(err, why.kind, "%s; nothing is removed", why.text);
		for (size_t k = 0; k < args->operands.count; k++)
			if (!users[k])
				users[k] = leads_to(record, args->operands.items[k]);
	}
	return 0;
}

static int remove_unused(const struct fl_site *site, const char *name, const char *user,
			 struct fl_err *err)
{
	if (user)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: %s's disk is nothing without it; "
				  "\"fl down %s\" first", name, user, user);
	return remove_one(site, name, err);
}

static int remove_each(const struct fl_args *args, char *const *users, struct fl_err *err)
{
	struct fl_site site = { .state_dir = fl_args_state_dir(args) };
	struct fl_err first = { 0 };

	for (size_t i = 0; i < args->operands.count; i++) {
		struct fl_err failure = { 0 };

		if (remove_unused(&site, args->operands.items[i], users[i], &failure) < 0)
			fl_step_keep_first(&first, &failure);
	}
	return fl_step_take_first(&first, err);
}

/* A base can be built again, so it may go at any time, unless a disk leads to it; a microVM that
 * has it open keeps its bytes. */
int fl_kept_remove(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_cache struct fl_cache cache = { .bases = -1, .files = -1 };
	size_t count = args->operands.count;
	fl_cleanup_close int lock = -1;
	char **users;
	int rc = -1;

	if (fl_cache_open(&cache, fl_args_state_dir(args), err) < 0)
		return -1;
	lock = fl_store_lock(&cache.store, true, err);
	if (lock < 0)
		return -1;
	users = fl_alloc_zero(count, sizeof(*users));
	if (find_users(args, users, err) == 0)
		rc = remove_each(args, users, err);
	for (size_t i = 0; i < count; i++)
		free(users[i]);
	free(users);
	return rc;
}

int fl_kept_status(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_table struct fl_table table = FL_TABLE_INIT;
	struct fl_site site;

	fl_table_column(&table, "BACKEND", "backend");
	fl_table_column(&table, "NAME", "name");
	fl_table_column(&table, "STATE", "state");
	fl_table_size_column(&table, "SIZE", "size");
	fl_table_size_column(&table, "USED", "used");
	fl_table_column(&table, "BASES", "bases");
	fl_table_column(&table, "VOLUMES", "volumes");
	fl_table_column(&table, "REMARK", "text");
	/* What was asked for by name has to be there. */
	if (fl_backend_site(args, &site, err) < 0 || !fl_backend_choose(&site, err))
		return -1;
	for (size_t i = 0; fl_backends[i]; i++)
		if ((strcmp(site.backend, "auto") == 0 ||
		     strcmp(site.backend, fl_backends[i]->name) == 0) &&
		    fl_backends[i]->status(&site, &table, err) < 0)
			return -1;
	return fl_table_print(&table, fl_args_flag(args, "json"), err);
}

struct growth {
	struct fl_site site;
	const char *id;
	uint64_t size;
};

static int check_volume(const struct fl_vm *vm, const char *id, struct fl_err *err)
{
	fl_cleanup_free char *at = fl_asprintf("host.volumes.%s", id);
	fl_cleanup_json fl_json *record = fl_vm_load(vm, err);
	const fl_json *volume = fl_json_at(record, at);

	if (!record)
		return -1;
	if (!volume)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s/%s has no volume %s that is made; see "
				  "\"fl inspect\"", vm->name_space, vm->name, id);
	if (fl_json_bool(fl_json_get(volume, "read_only")))
		return fl_err_set(err, FL_ERR_PRECONDITION, "volume %s is read-only, and stays as "
				  "large as its image was made", id);
	return 0;
}

static int ask_to_resize(const struct growth *growth, const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_json fl_json *request = fl_json_new_object();

	fl_json_set(request, "do", fl_json_new_text("resize"));
	fl_json_set(request, "volume", fl_json_new_text(growth->id));
	fl_json_set(request, "bytes", fl_json_new_int((int64_t)growth->size));
	return fl_control_ask(vm, request, err);
}

/* A guest that runs is told; what keeps it from being told is no failure, if it has grown. One that
 * ended meanwhile cannot come back: its step is locked. */
static int tell_guest(const struct growth *growth, const struct fl_backend *backend,
		      const struct fl_volume_call *call, bool was_supervised, struct fl_err *err)
{
	const struct fl_vm *vm = call->vm;
	struct fl_err why;

	if (!fl_vm_is_supervised(vm))
		return was_supervised && backend->vmm_grows ? backend->grow(call, growth->size, err) : 0;
	if (ask_to_resize(growth, vm, &why) == 0)
		return 0;
	if (backend->vmm_grows)
		return fl_err_set(err, why.kind, "volume %s is as large as it was: %s; it grows "
				  "while the microVM is stopped", growth->id, why.text);
	fl_log(FL_LOG_WARN, "%s/%s runs, and sees the new size when it starts next: %s",
	       vm->name_space, vm->name, why.text);
	return 0;
}

static int grow(struct growth *growth, const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_close int folder = fl_volumes_open(vm, err);
	struct fl_volume_call call = { .site = &growth->site, .vm = vm, .folder = folder,
				       .id = growth->id };
	const struct fl_backend *backend;
	bool was_supervised;

	if (folder < 0 || fl_backend_of(&call, &backend, err) < 0)
		return -1;
	if (!backend)
		return fl_err_set(err, FL_ERR_PRECONDITION, "volume %s is not made yet; run "
				  "\"fl-snap up\" first", call.id);
	was_supervised = fl_vm_is_supervised(vm);
	if (backend->grow(&call, growth->size, err) < 0)
		return -1;
	return tell_guest(growth, backend, &call, was_supervised, err);
}

static int grow_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_close int lock = fl_vm_lock_step(vm, NULL, err);
	struct growth *growth = arg;

	return lock < 0 || check_volume(vm, growth->id, err) < 0 ? -1 : grow(growth, vm, err);
}

/* The microVM alone: the other operands are not names. */
static int each_named(struct fl_args *args, const struct fl_state *state, struct growth *growth,
		      struct fl_err *err)
{
	struct fl_args named = *args;

	named.operands.count = 1;
	return fl_step_each_vm(&named, state, false, grow_one, growth, err);
}

int fl_kept_grow(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };
	struct growth growth = { .id = args->operands.items[1] };

	if (fl_num_size(args->operands.items[2], MIB, INT64_MAX - MIB, &growth.size, err) < 0 ||
	    fl_args_state(args, false, &state, err) < 0)
		return -1;
	growth.size = (growth.size + MIB - 1) / MIB * MIB;
	growth.site = (struct fl_site){ .state_dir = state.dir, .backend = "auto" };
	return each_named(args, &state, &growth, err);
}
