/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/metrics.h"

#include "common/log.h"
#include "common/metrics.h"
#include "common/step.h"

/* A record that cannot be read costs its own numbers only. */
static int read_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	struct fl_err why = { 0 };
	fl_json *metrics = fl_metrics_read(vm, FL_METRICS_WAIT_MS, &why);

	if (metrics)
		fl_json_add(arg, metrics);
	else
		fl_log(FL_LOG_WARN, "%s", why.text);
	return fl_cancel_check(NULL, err);
}

static int print_lines(const fl_json *list, struct fl_err *err)
{
	for (size_t i = 0; i < fl_json_count(list); i++)
		if (fl_cli_print_json(fl_json_item(list, i), err) < 0)
			return -1;
	return 0;
}

/* A host on which nothing ever was has no microVMs, and that is an answer. */
fl_json *fl_metrics_all(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };
	fl_cleanup_json fl_json *list = fl_json_new_array();
	struct fl_err why = { 0 };
	int rc;

	if (fl_args_state(args, false, &state, &why) < 0) {
		if (why.kind == FL_ERR_NOT_FOUND && !args->operands.count)
			return fl_steal(&list);
		fl_err_pass(err, &why);
		return NULL;
	}
	rc = args->operands.count ? fl_step_each_vm(args, &state, false, read_one, list, err)
				  : fl_step_each_selected(args, &state, read_one, list, err);
	return rc < 0 ? NULL : fl_steal(&list);
}

int fl_metrics_show(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_json fl_json *list = fl_metrics_all(args, err);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (!list)
		return -1;
	if (fl_args_flag(args, "json"))
		return print_lines(list, err);
	fl_metrics_print(list, NULL, 0, &text);
	return fl_cli_print(text.data, text.len, err);
}
