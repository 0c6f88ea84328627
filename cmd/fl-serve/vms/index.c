/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/vms/index.h"

#include "cmd/fl-serve/vms/follow.h"
#include "cmd/fl-serve/wire/codec.h"
#include "common/alloc.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_UP_TO 4096 /* bytes of a message; larger ones are read when they are wanted */

struct fl_index {
	const struct fl_state *state;
	const struct fl_message_type *type;
	struct fl_follow *follow;
	FL_VEC(struct fl_index_entry *) sorted;
	struct fl_index_entry **slots; /* a hash table by uid, open addressing */
	size_t slot_count;             /* a power of two, at least twice the entries */
	fl_index_watcher *watcher;
	void *watcher_arg;
	void (*news)(void *arg);
	void *news_arg;
	size_t unsure;      /* entries that could not be looked at */
	bool is_all_unsure; /* the list of all could not be read */
};

/* The random part of a ULID is as good as any hash of it. */
static size_t hash_of(const char *uid)
{
	uint64_t hash = 14695981039346656037u;

	for (const char *at = uid + 10; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 1099511628211u;
	return (size_t)(hash ^ hash >> 29);
}

static size_t slot_of(const struct fl_index *index, const char *uid)
{
	size_t at = hash_of(uid) & (index->slot_count - 1);

	while (index->slots[at] && strcmp(index->slots[at]->uid, uid) != 0)
		at = (at + 1) & (index->slot_count - 1);
	return at;
}

static void rehash(struct fl_index *index, size_t count)
{
	free(index->slots);
	index->slot_count = count;
	index->slots = fl_alloc_zero(count, sizeof(*index->slots));
	for (size_t i = 0; i < index->sorted.count; i++)
		index->slots[slot_of(index, index->sorted.items[i]->uid)] = index->sorted.items[i];
}

struct fl_index_entry *fl_index_find(const struct fl_index *index, const char *uid)
{
	return fl_ulid_is_valid(uid) ? index->slots[slot_of(index, uid)] : NULL;
}

static int compare(const struct fl_index_entry *a, const char *name_space, const char *name,
		   const char *uid)
{
	int order = strcmp(a->name_space, name_space);

	order = order ? order : strcmp(a->name, name);
	return order ? order : strcmp(a->uid, uid);
}

/* The first place that is not before the key. */
static size_t lower_bound(const struct fl_index *index, const char *name_space, const char *name,
			  const char *uid)
{
	size_t low = 0, high = index->sorted.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(index->sorted.items[middle], name_space, name, uid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void fl_index_range(const struct fl_index *index, const char *name_space, const char *name,
		    size_t *from, size_t *to)
{
	/* Above every character that a name may hold. */
	static const char last[] = "\x7f";
	fl_cleanup_free char *after = NULL;

	*from = 0;
	*to = index->sorted.count;
	if (!*name_space)
		return;
	after = fl_asprintf("%s%s", *name ? name : "", last);
	*from = lower_bound(index, name_space, name, "");
	*to = lower_bound(index, name_space, *name ? name : after, last);
}

size_t fl_index_after(const struct fl_index *index, const char *name_space, const char *name,
		      const char *uid, size_t from)
{
	size_t at = lower_bound(index, name_space, name, uid);

	if (at < index->sorted.count && strcmp(index->sorted.items[at]->uid, uid) == 0)
		at++;
	return at > from ? at : from;
}

static void forget_message(struct fl_index_entry *entry)
{
	free(entry->message);
	entry->message = NULL;
	entry->loaded = entry->damaged = entry->live = false;
}

static void entry_free(struct fl_index_entry *entry)
{
	free(entry->message);
	free(entry->name_space);
	free(entry->name);
	free(entry);
}

static struct fl_index_entry *add(struct fl_index *index, const char *name_space, const char *name,
				  const char *uid)
{
	struct fl_index_entry *entry = fl_alloc_zero(1, sizeof(*entry));
	size_t at = lower_bound(index, name_space, name, uid);

	entry->name_space = fl_strdup(name_space);
	entry->name = fl_strdup(name);
	snprintf(entry->uid, sizeof(entry->uid), "%s", uid);
	FL_VEC_ADD(&index->sorted, entry);
	memmove(&index->sorted.items[at + 1], &index->sorted.items[at],
		(index->sorted.count - 1 - at) * sizeof(entry));
	index->sorted.items[at] = entry;
	if (index->sorted.count * 2 > index->slot_count)
		rehash(index, index->slot_count * 2);
	else
		index->slots[slot_of(index, uid)] = entry;
	return entry;
}

static void set_unsure(struct fl_index *index, struct fl_index_entry *entry, bool is_unsure)
{
	index->unsure += (size_t)is_unsure - (size_t)entry->unsure;
	entry->unsure = is_unsure;
}

static void drop(struct fl_index *index, struct fl_index_entry *entry)
{
	size_t at = lower_bound(index, entry->name_space, entry->name, entry->uid);

	if (index->watcher)
		index->watcher(index->watcher_arg, entry, true);
	set_unsure(index, entry, false);
	memmove(&index->sorted.items[at], &index->sorted.items[at + 1],
		(index->sorted.count - 1 - at) * sizeof(entry));
	index->sorted.count--;
	entry_free(entry);
	/* Open addressing leaves no holes; goings are rare enough to do it anew. */
	rehash(index, index->slot_count);
}

/* A host that is out of descriptors or memory is no proof that a microVM is gone: whoever is told
 * that it is not there makes another. */
static bool is_gone(const struct fl_err *err)
{
	return err->kind == FL_ERR_NOT_FOUND || err->kind == FL_ERR_INVALID;
}

static void look_again(void *arg, const struct fl_vm_name *name)
{
	struct fl_index *index = arg;
	struct fl_index_entry *entry = fl_index_find(index, name->uid);
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	struct fl_err err = { 0 };
	int rc = fl_vm_open(index->state, name->name_space, name->name, name->uid, &vm, &err);

	if (rc < 0 && is_gone(&err)) {
		if (entry)
			drop(index, entry);
		return;
	}
	if (entry)
		forget_message(entry);
	else
		entry = add(index, name->name_space, name->name, name->uid);
	entry->seen = true;
	set_unsure(index, entry, rc < 0);
	if (index->watcher)
		index->watcher(index->watcher_arg, entry, false);
}

/* The journal was lost sight of: everything may have changed. */
static void look_at_all(void *arg)
{
	struct fl_index *index = arg;
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	index->is_all_unsure = fl_state_list(index->state, &names, NULL) < 0;
	if (index->is_all_unsure)
		return;
	for (size_t i = 0; i < index->sorted.count; i++)
		index->sorted.items[i]->seen = false;
	for (size_t i = 0; i < names.count; i++)
		look_again(index, &names.items[i]);
	for (size_t i = index->sorted.count; i-- > 0;)
		if (!index->sorted.items[i]->seen)
			drop(index, index->sorted.items[i]);
}

static void look_at_unsure(struct fl_index *index)
{
	for (size_t i = index->sorted.count; i-- > 0;) {
		const struct fl_index_entry *entry = index->sorted.items[i];
		struct fl_vm_name name = { entry->name_space, entry->name, "" };

		memcpy(name.uid, entry->uid, sizeof(name.uid));
		if (entry->unsure)
			look_again(index, &name);
	}
}

void fl_index_refresh(struct fl_index *index)
{
	bool is_new = fl_follow_read(index->follow, look_again, look_at_all, index);

	if (index->is_all_unsure)
		look_at_all(index);
	else if (index->unsure)
		look_at_unsure(index);
	if (is_new && index->news)
		index->news(index->news_arg);
}

void fl_index_on_news(struct fl_index *index, void (*news)(void *arg), void *arg)
{
	index->news = news;
	index->news_arg = arg;
}

void fl_index_watch(struct fl_index *index, fl_index_watcher *watcher, void *arg)
{
	index->watcher = watcher;
	index->watcher_arg = arg;
}

int fl_index_fd(const struct fl_index *index)
{
	return fl_follow_fd(index->follow);
}

size_t fl_index_count(const struct fl_index *index)
{
	return index->sorted.count;
}

struct fl_index_entry *fl_index_at(const struct fl_index *index, size_t place)
{
	return index->sorted.items[place];
}

fl_json *fl_index_record(const struct fl_index *index, const struct fl_index_entry *entry,
			 struct fl_err *err)
{
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;

	if (fl_vm_open(index->state, entry->name_space, entry->name, entry->uid, &vm, err) < 0)
		return NULL;
	return fl_vm_load(&vm, err);
}

static fl_json *stand_in(const struct fl_index_entry *entry)
{
	fl_json *record = fl_json_new_object();

	fl_json_put(record, "spec.id", fl_json_new_text(entry->name));
	fl_json_put(record, "spec.namespace", fl_json_new_text(entry->name_space));
	fl_json_put(record, "spec.uid", fl_json_new_text(entry->uid));
	fl_json_put(record, "status.state", fl_json_new_text("FAILED"));
	return record;
}

static const char *const state_names[] = { "PENDING", "CREATED", "FAILED", "DELETING" };

const char *fl_index_state_name(uint8_t state)
{
	return state_names[state];
}

static uint8_t state_of(const fl_json *record)
{
	const char *state = fl_json_text(fl_json_at(record, "status.state"));

	for (uint8_t i = 0; state && i < FL_COUNT(state_names); i++)
		if (strcmp(state, state_names[i]) == 0)
			return i;
	return FL_INDEX_PENDING;
}

static bool has_vmm(const fl_json *record)
{
	const char *vmm = fl_json_text(fl_json_at(record, "host.vmm.state"));

	return vmm && strcmp(vmm, "stopped") != 0 && strcmp(vmm, "failed") != 0;
}

static int compose(struct fl_index *index, struct fl_index_entry *entry, struct fl_str *out,
		   struct fl_err *err)
{
	struct fl_err why = { 0 };
	fl_cleanup_json fl_json *record = fl_index_record(index, entry, &why);

	if (!record && why.kind == FL_ERR_EXHAUSTED)
		return fl_err_pass(err, &why);
	entry->damaged = !record;
	if (!record)
		record = stand_in(entry);
	/* Clients read the status without asking whether there is one. */
	if (!fl_json_get(record, "status"))
		fl_json_set(record, "status", fl_json_new_object());
	entry->state = state_of(record);
	entry->live = has_vmm(record);
	entry->vcpu = (uint32_t)fl_json_int(fl_json_at(record, "spec.vcpu"));
	entry->memory_mb = (uint32_t)fl_json_int(fl_json_at(record, "spec.memory_in_mb"));
	entry->restarts = (uint32_t)fl_json_int(fl_json_at(record, "host.vmm.restarts"));
	fl_codec_encode(index->type, record, out);
	return 0;
}

int fl_index_load(struct fl_index *index, struct fl_index_entry *entry, struct fl_err *err)
{
	fl_cleanup_str struct fl_str bytes = FL_STR_INIT;

	if (entry->loaded)
		return 0;
	if (compose(index, entry, &bytes, err) < 0)
		return -1;
	entry->loaded = true;
	entry->size = (uint32_t)bytes.len;
	if (bytes.len > KEEP_UP_TO)
		return 0;
	entry->message = fl_alloc(bytes.len + 1);
	if (bytes.len)
		memcpy(entry->message, bytes.data, bytes.len);
	return 0;
}

int fl_index_message(struct fl_index *index, struct fl_index_entry *entry, struct fl_str *out,
		     struct fl_err *err)
{
	if (fl_index_load(index, entry, err) < 0)
		return -1;
	if (!entry->message)
		return compose(index, entry, out, err);
	fl_str_add_bytes(out, entry->message, entry->size);
	return 0;
}

struct fl_index *fl_index_open(const struct fl_state *state, const struct fl_message_type *type,
			       struct fl_err *err)
{
	struct fl_index *index = fl_alloc_zero(1, sizeof(*index));

	index->state = state;
	index->type = type;
	rehash(index, 64);
	/* First the place in the journal, then the list: nothing falls between. */
	index->follow = fl_follow_open(state, err);
	if (!index->follow) {
		fl_index_close(index);
		return NULL;
	}
	look_at_all(index);
	return index;
}

void fl_index_close(struct fl_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->sorted.count; i++)
		entry_free(index->sorted.items[i]);
	free(index->sorted.items);
	free(index->slots);
	fl_follow_close(index->follow);
	free(index);
}
