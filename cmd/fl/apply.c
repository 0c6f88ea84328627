/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/apply.h"

#include "cmd/fl/chain.h"
#include "cmd/fl/change.h"
#include "cmd/fl/wanted.h"
#include "common/alloc.h"
#include "common/path.h"
#include "common/step.h"
#include "common/table.h"

#include <string.h>

const struct fl_option fl_apply_options[] = {
	{ "dry-run", 'n', NULL, "print what would be done, and do nothing" },
	{ "prune", 0, NULL, "take away what an earlier apply made and the folder has no more" },
	FL_CHAIN_UP_OPTIONS,
	{ 0 },
};

struct wanted_image {
	char *image, *platform; /* platform NULL: as the options say */
};

/* Of what is there: its record, and the spec that is wanted (borrowed). */
struct change {
	fl_json *record;
	const fl_json *spec;
};

/* What is to be done, in the order of the folder; what goes is last. */
struct plan {
	struct fl_state state;
	char *folder;
	struct fl_table table;
	struct fl_str documents;    /* for "up", as JSON Lines */
	FL_VEC(char *) stops, gone; /* uids */
	FL_VEC(struct wanted_image) images; /* new to microVMs that are stopped for them */
	FL_VEC(struct change) changes;
	FL_VEC(fl_json *) rows; /* of what is wanted, in that order; the table's own */
	size_t marked;          /* of them */
	bool is_dry, is_quiet, has_failed;
};

static void texts_free(char **items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(items[i]);
	free(items);
}

static void plan_finish(struct plan *plan)
{
	fl_state_close(&plan->state);
	free(plan->folder);
	fl_table_finish(&plan->table);
	fl_str_finish(&plan->documents);
	texts_free(plan->stops.items, plan->stops.count);
	texts_free(plan->gone.items, plan->gone.count);
	for (size_t i = 0; i < plan->images.count; i++) {
		free(plan->images.items[i].image);
		free(plan->images.items[i].platform);
	}
	free(plan->images.items);
	for (size_t i = 0; i < plan->changes.count; i++)
		fl_json_unref(plan->changes.items[i].record);
	free(plan->changes.items);
	free(plan->rows.items);
}
#define cleanup_plan FL_CLEANUP(plan_finish)

static fl_json *add_row(struct plan *plan, const char *action, const char *name_space, const char *name,
		    const char *uid, const char *what)
{
	fl_json *row = fl_json_new_object();

	fl_json_set(row, "action", fl_json_new_text(action));
	fl_json_set(row, "namespace", fl_json_new_text(name_space));
	fl_json_set(row, "name", fl_json_new_text(name));
	if (uid)
		fl_json_set(row, "uid", fl_json_new_text(uid));
	if (what)
		fl_json_set(row, "changes", fl_json_new_text(what));
	fl_table_row(&plan->table, row);
	return row;
}

static void add_wanted(struct plan *plan, const char *action, const struct fl_spec *spec,
		       const char *uid, const char *what)
{
	FL_VEC_ADD(&plan->rows, add_row(plan, action, spec->name_space, spec->name, uid, what));
}

static void add_document(struct plan *plan, const fl_json *document)
{
	fl_json_print(document, false, &plan->documents);
	fl_str_add(&plan->documents, "\n");
}

/* The live one of that name; found: 1, 0. Of several it cannot be known which is meant. */
static int find(struct plan *plan, const struct fl_spec *spec, struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_free char *text = fl_asprintf("%s/%s", spec->name_space, spec->name);
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	const struct fl_vm_name *one;
	size_t count;

	if (fl_state_match(&plan->state, text, &names, err) < 0)
		return -1;
	count = fl_state_staying(&plan->state, &names, &one);
	if (count > 1)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: there are %zu microVMs of that name; "
				  "take all but one down by their uids", text, count);
	if (!one)
		return 0;
	return fl_vm_open(&plan->state, spec->name_space, spec->name, one->uid, vm, err) < 0 ? -1 : 1;
}

static bool is_planned(const struct plan *plan, const char *image, const char *platform)
{
	for (size_t i = 0; i < plan->images.count; i++)
		if (strcmp(plan->images.items[i].image, image) == 0 &&
		    fl_str_equal(plan->images.items[i].platform, platform))
			return true;
	return false;
}

/* What it was made of stays what it is. */
static void add_images(struct plan *plan, const struct fl_spec *spec, const fl_json *record)
{
	const fl_json *had = fl_json_at(record, "host.images");
	fl_cleanup_free const char **images = fl_alloc_zero(spec->volume_count + 2, sizeof(*images));
	size_t count = fl_spec_images(spec, images);
	const char *platform = spec->asked.platform;

	for (size_t i = 0; i < count; i++)
		if (!fl_json_get(had, images[i]) && !is_planned(plan, images[i], platform))
			FL_VEC_ADD(&plan->images,
				   ((struct wanted_image){ fl_strdup(images[i]),
							   platform ? fl_strdup(platform) : NULL }));
}

/* It is stopped first: only then it takes another spec, and keeps its disks. */
static int plan_change(struct plan *plan, const struct fl_vm *vm, const fl_json *record, fl_json *document,
		       const char *what, struct fl_err *err)
{
	fl_cleanup_spec struct fl_spec spec = fl_spec_view(document);

	if (fl_change_check(&plan->state, record, &spec, err) < 0)
		return fl_err_prefix(err, "%s/%s", vm->name_space, vm->name);
	/* Else who takes the spec tells it. */
	if (plan->is_dry)
		fl_spec_warn(document);
	add_images(plan, &spec, record);
	add_wanted(plan, "change", &spec, vm->uid, what);
	FL_VEC_ADD(&plan->stops, fl_strdup(vm->uid));
	fl_json_set(document, "uid", fl_json_new_text(vm->uid));
	add_document(plan, document);
	FL_VEC_ADD(&plan->changes, ((struct change){ fl_json_copy(record), document }));
	return 0;
}

/* Of one that has the spec that it shall have. */
static const char *what_to_do(const struct fl_vm *vm, const fl_json *record)
{
	if (fl_vm_is_supervised(vm))
		return "keep";
	return fl_json_at(record, "host.error") ? "retry" : "start";
}

static int plan_one(void *arg, fl_json *document, struct fl_err *err)
{
	struct plan *plan = arg;
	fl_cleanup_spec struct fl_spec spec = fl_spec_view(document);
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	fl_cleanup_json fl_json *record = NULL;
	fl_cleanup_str struct fl_str what = FL_STR_INIT;
	int found = find(plan, &spec, &vm, err);

	if (found < 0)
		return -1;
	if (!found) {
		if (plan->is_dry)
			fl_spec_warn(document);
		add_wanted(plan, "create", &spec, NULL, NULL);
		add_document(plan, document);
		return 0;
	}
	record = fl_vm_load(&vm, err);
	if (!record)
		return -1;
	fl_spec_difference(fl_json_get(record, "spec"), document, &what);
	if (what.len)
		return plan_change(plan, &vm, record, document, what.data, err);
	fl_spec_warn(document);
	add_wanted(plan, what_to_do(&vm, record), &spec, vm.uid, NULL);
	add_document(plan, document);
	return 0;
}

/* An earlier apply of this folder made it, and the folder has it no more. */
static int plan_prune(struct plan *plan, const struct fl_wanted *wanted, struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	/* A folder that is not mounted, or whose files have other names, looks like this, too. */
	if (!wanted->all.count)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: no spec is in it, and --prune would take "
				  "away all that came from there; \"fl down\" does that", plan->folder);
	if (fl_state_list(&plan->state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const struct fl_vm_name *name = &names.items[i];
		fl_cleanup_json fl_json *record = NULL;

		if (fl_wanted_has(wanted, name->name_space, name->name))
			continue;
		record = fl_state_load(&plan->state, name, NULL);
		if (!fl_str_equal(fl_json_text(fl_json_at(record, "host.applied")), plan->folder))
			continue;
		add_row(plan, "remove", name->name_space, name->name, name->uid, NULL);
		FL_VEC_ADD(&plan->gone, fl_strdup(name->uid));
	}
	return 0;
}

/* "fl-run stop UID…", "fl down UID…". */
static int run(const struct plan *plan, const char *program, const char *verb, char **uids,
	       size_t count, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_path_beside_program("", program);
	fl_cleanup_free char *dir = fl_asprintf("--state-dir=%s", plan->state.dir);
	fl_cleanup_free const char **argv = fl_alloc_zero(count + 5, sizeof(*argv));
	size_t words = 0;
	int status;

	if (!count)
		return 0;
	argv[words++] = path;
	argv[words++] = verb;
	argv[words++] = dir;
	if (plan->is_quiet)
		argv[words++] = "--quiet";
	for (size_t i = 0; i < count; i++)
		argv[words++] = uids[i];
	status = fl_chain_run(argv, err);
	if (status > 0)
		return fl_err_set(err, FL_ERR_SYSTEM, "%s %s did not succeed", program, verb);
	return status;
}

static void put_failure(struct plan *plan, fl_json *row, const char *why)
{
	plan->has_failed = true;
	fl_json_set(row, "failure", fl_json_new_text(why));
}

/* From now on the folder answers for it. */
static int mark(void *arg, fl_json *document, struct fl_err *err)
{
	struct plan *plan = arg;
	fl_cleanup_spec struct fl_spec spec = fl_spec_view(document);
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	fl_cleanup_json fl_json *record = NULL;
	fl_json *row = plan->rows.items[plan->marked++];
	int found = find(plan, &spec, &vm, err);
	const char *why;

	if (!found)
		put_failure(plan, row, "was not made");
	if (found <= 0)
		return found;
	record = fl_vm_load(&vm, NULL);
	why = fl_json_text(fl_json_at(record, "host.error.text"));
	if (why)
		put_failure(plan, row, why);
	return fl_vm_put(&vm, "host.applied", fl_json_new_text(plan->folder), err);
}

/* What runs is not stopped for an image that cannot be had. As fl_chain_get. */
static int get_images(const struct plan *plan, const struct fl_args *args, struct fl_err *err)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < plan->images.count; i++)
		status = fl_chain_get(args, plan->images.items[i].image,
				      plan->images.items[i].platform, err);
	return status;
}

static int get_file(const struct fl_args *args, const struct change *change, const char *member,
		    const char *image, const char *file, const char *platform, struct fl_err *err)
{
	fl_cleanup_free char *at = fl_asprintf("spec.%s", member);
	const fl_json *was = fl_json_at(change->record, at), *is = fl_json_get(change->spec, member);

	return !image || fl_json_equal(was, is) ? 0 : fl_chain_keep_file(args, image, file, platform, err);
}

/* Nor for a kernel or an initrd that is not in its image. */
static int get_files(const struct plan *plan, const struct fl_args *args, struct fl_err *err)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < plan->changes.count; i++) {
		const struct change *change = &plan->changes.items[i];
		fl_cleanup_spec struct fl_spec spec = fl_spec_view(change->spec);

		status = get_file(args, change, "kernel", spec.kernel_image, spec.kernel_file,
				  spec.asked.platform, err);
		if (status == 0)
			status = get_file(args, change, "initrd", spec.initrd_image, spec.initrd_file,
					  spec.asked.platform, err);
	}
	return status;
}

static int check_images(const struct plan *plan, const struct fl_args *args, struct fl_err *err)
{
	for (size_t i = 0; i < plan->changes.count; i++) {
		const struct change *change = &plan->changes.items[i];
		fl_cleanup_spec struct fl_spec spec = fl_spec_view(change->spec);

		if (fl_change_check_images(&plan->state, change->record, &spec,
					   fl_args_text(args, "platform", NULL), err) < 0)
			return fl_err_prefix(err, "%s/%s", spec.name_space, spec.name);
	}
	return 0;
}

/* What did not come up is there all the same, and the folder's. */
static int do_plan(struct plan *plan, const struct fl_wanted *wanted, struct fl_args *args,
		   struct fl_err *err)
{
	if (run(plan, "fl-run", "stop", plan->stops.items, plan->stops.count, err) < 0 ||
	    (plan->documents.len && fl_chain_up_text(args, &plan->documents, true, err) < 0) ||
	    fl_wanted_each(wanted, mark, plan, err) < 0)
		return -1;
	return run(plan, "fl", "down", plan->gone.items, plan->gone.count, err);
}

int fl_apply(struct fl_args *args, struct fl_err *err)
{
	cleanup_plan struct plan plan = { .state = { .dirfd = -1 } };
	fl_cleanup_wanted struct fl_wanted wanted = FL_WANTED_INIT;

	if (fl_chain_check(args, err) < 0 ||
	    fl_wanted_read(&wanted, args->operands.items[0], err) < 0 ||
	    fl_args_state(args, true, &plan.state, err) < 0)
		return -1;
	plan.folder = realpath(args->operands.items[0], NULL);
	fl_table_column(&plan.table, "ACTION", "action");
	fl_table_column(&plan.table, "NAMESPACE", "namespace");
	fl_table_column(&plan.table, "NAME", "name");
	fl_table_column(&plan.table, "CHANGES", "changes");
	plan.is_dry = fl_args_flag(args, "dry-run");
	plan.is_quiet = fl_args_flag(args, "quiet");
	if (fl_wanted_each(&wanted, plan_one, &plan, err) < 0 ||
	    (fl_args_flag(args, "prune") && plan_prune(&plan, &wanted, err) < 0))
		return -1;
	args->exit_status = plan.is_dry ? 0 : get_images(&plan, args, err);
	if (args->exit_status == 0 && check_images(&plan, args, err) < 0)
		return -1;
	if (args->exit_status == 0 && !plan.is_dry)
		args->exit_status = get_files(&plan, args, err);
	if (args->exit_status)
		return args->exit_status < 0 ? -1 : 0;
	if (!plan.is_dry && do_plan(&plan, &wanted, args, err) < 0)
		return -1;
	if (plan.has_failed)
		fl_table_column(&plan.table, "FAILURE", "failure");
	return fl_table_print(&plan.table, fl_args_flag(args, "json"), err);
}
