/* SPDX-License-Identifier: MPL-2.0 */
/* What is wanted of a microVM, and who may change it. */
#include "t/unit/test.h"

#include "common/path.h"
#include "common/state.h"

#include <fcntl.h>
#include <stdlib.h>

static const char text[] = "{\"id\":\"a\",\"kernel\":{\"image\":\"h/k:1\"},\"root_volume\":"
			   "{\"id\":\"root\",\"source\":{\"container_source\":\"h/r:1\"}}}";

static char folder[] = "/tmp/fl-unit-XXXXXX";
static struct fl_state state;

/* As a program does that looked before the wish came. */
static int start(void *arg, fl_json *record, struct fl_err *err)
{
	(void)arg;
	(void)err;
	fl_json_put(record, "host.desired", fl_json_new_text("running"));
	fl_json_put(record, "status.state", fl_json_new_text("PENDING"));
	fl_json_put(record, "host.seen", fl_json_new_bool(true));
	return 0;
}

static void deleted_is_final(void)
{
	fl_cleanup_json fl_json *sent = fl_json_parse(text, strlen(text), "spec", NULL);
	fl_cleanup_json fl_json *spec = fl_spec_read(sent, NULL);
	fl_cleanup_json fl_json *record = NULL;
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	struct fl_err err;

	CHECK_INT(fl_vm_create(&state, spec, NULL, &vm, NULL), 0);
	CHECK_INT(fl_vm_desire(&vm, "deleted", NULL), 0);
	CHECK_INT(fl_vm_desire(&vm, "running", &err), -1);
	CHECK_INT(err.kind, FL_ERR_ABORTED);
	CHECK_INT(fl_vm_change(&vm, FL_SAVE_PLAIN, start, NULL, NULL), 0);
	record = fl_vm_load(&vm, NULL);
	CHECK_STR(fl_json_text(fl_json_at(record, "host.desired")), "deleted");
	CHECK_STR(fl_json_text(fl_json_at(record, "status.state")), "DELETING");
	CHECK(fl_json_bool(fl_json_at(record, "host.seen")));
	CHECK_INT(fl_vm_leave(&vm, NULL), 1);
}

int main(void)
{
	int rc;

	if (!mkdtemp(folder) || fl_state_open(&state, folder, true, NULL) < 0)
		return 1;
	rc = test_run((const struct test_case[]){ { "deleted is final", deleted_is_final }, { 0 } });
	fl_state_close(&state);
	fl_path_remove_tree(AT_FDCWD, folder, NULL);
	return rc;
}
