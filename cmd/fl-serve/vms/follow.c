/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/vms/follow.h"

#include "common/alloc.h"
#include "common/journal.h"

#include <stdlib.h>
#include <string.h>

struct fl_follow {
	const struct fl_state *state;
	struct fl_journal_reader reader;
	fl_vm_names names; /* of lines that were read, and whose changes may not have happened */
};

struct fl_follow *fl_follow_open(const struct fl_state *state, struct fl_err *err)
{
	struct fl_follow *follow = fl_alloc_zero(1, sizeof(*follow));

	follow->state = state;
	if (fl_journal_open(&follow->reader, state->dirfd, state->dir, true, err) == 0)
		return follow;
	fl_follow_close(follow);
	return NULL;
}

void fl_follow_close(struct fl_follow *follow)
{
	if (!follow)
		return;
	fl_journal_finish(&follow->reader);
	fl_vm_names_finish(&follow->names);
	free(follow);
}

int fl_follow_fd(const struct fl_follow *follow)
{
	return follow->reader.tail.inotify;
}

static void take_line(fl_vm_names *names, const fl_json *line)
{
	const char *name_space = fl_json_text(fl_json_get(line, "namespace"));
	const char *name = fl_json_text(fl_json_get(line, "name"));
	const char *uid = fl_json_text(fl_json_get(line, "uid"));
	struct fl_vm_name vm = { 0 };

	if (!name_space || !name || !uid || !fl_ulid_is_valid(uid))
		return;
	vm.name_space = fl_strdup(name_space);
	vm.name = fl_strdup(name);
	snprintf(vm.uid, sizeof(vm.uid), "%s", uid);
	FL_VEC_ADD(names, vm);
}

/* Before every request: without a wake-up there is nothing, and one system call says so. */
static bool was_woken(const struct fl_follow *follow)
{
	char events[4096];

	return read(fl_follow_fd(follow), events, sizeof(events)) > 0;
}

bool fl_follow_read(struct fl_follow *follow,
		    void (*changed)(void *arg, const struct fl_vm_name *name),
		    void (*lost)(void *arg), void *arg)
{
	bool is_new = false;
	fl_json *line;

	if (!was_woken(follow) && !follow->names.count)
		return false;
	while ((line = fl_journal_next(&follow->reader))) {
		take_line(&follow->names, line);
		fl_json_unref(line);
		is_new = true;
	}
	/* Letting go of the lock wakes us once more: only what was read needs it. */
	if (follow->names.count && fl_journal_settled(follow->state->dirfd) < 0)
		return is_new;
	for (size_t i = 0; i < follow->names.count; i++)
		changed(arg, &follow->names.items[i]);
	fl_vm_names_finish(&follow->names);
	if (follow->reader.missed)
		lost(arg);
	follow->reader.missed = false;
	return is_new;
}
