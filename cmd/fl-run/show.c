/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/show.h"

#include "cmd/fl-run/life.h"
#include "cmd/fl-run/vmm.h"
#include "common/accel.h"
#include "common/alloc.h"
#include "common/clock.h"
#include "common/colour.h"
#include "common/log.h"
#include "common/path.h"
#include "common/provider.h"
#include "common/table.h"

#include <string.h>
#include <time.h>

static const char *text_at(const fl_json *record, const char *path)
{
	return fl_json_text(fl_json_at(record, path));
}

static void copy(fl_json *row, const char *key, const fl_json *record, const char *path)
{
	const fl_json *value = fl_json_at(record, path);

	fl_json_set(row, key, value ? fl_json_copy(value) : fl_json_new_null());
}

static void add_addresses(fl_json *row, const fl_json *record)
{
	const fl_json *network = fl_json_at(record, "host.network");
	fl_json *list = fl_json_new_array();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		const char *address = fl_json_text(fl_json_get(fl_json_value(i), "address"));

		if (!address)
			continue;
		fl_json_add(list, fl_json_new_text(address));
		fl_str_addf(&text, "%s%.*s", text.len ? "," : "", (int)strcspn(address, "/"),
			    address);
	}
	fl_json_set(row, "addresses", list);
	fl_json_set(row, "address", text.len ? fl_json_new_text(text.data) : fl_json_new_null());
}

static void add_age(fl_json *row, const fl_json *record)
{
	int64_t born = fl_clock_parse(text_at(record, "spec.created_at"));
	int64_t age = born ? time(NULL) - born : 0;
	char text[32];

	if (age >= 86400)
		snprintf(text, sizeof(text), "%lldd", (long long)age / 86400);
	else if (age >= 3600)
		snprintf(text, sizeof(text), "%lldh", (long long)age / 3600);
	else if (age >= 60)
		snprintf(text, sizeof(text), "%lldm", (long long)age / 60);
	else
		snprintf(text, sizeof(text), "%llds", (long long)age);
	fl_json_set(row, "age", fl_json_new_text(text));
}

static void add_state(fl_json *row, bool is_lost, const fl_json *record)
{
	const char *vmm = text_at(record, "host.vmm.state");
	const char *state = text_at(record, "status.state");
	const char *reason = fl_record_reason(record);

	if (is_lost && !text_at(record, "host.error.text"))
		reason = "its supervisor is gone: killed, or the host was restarted; "
			 "\"fl up\" or \"fl restore\" brings it back";
	fl_json_set(row, "state", fl_json_new_text(is_lost ? "FAILED" : state ? state : "PENDING"));
	fl_json_set(row, "vmm_state", vmm ? fl_json_new_text(is_lost ? "lost" : vmm)
					  : fl_json_new_null());
	fl_json_set(row, "reason", reason ? fl_json_new_text(reason) : fl_json_new_null());
}

static fl_json *row_of(const struct fl_vm *vm, const fl_json *record)
{
	fl_json *row = fl_json_new_object();
	bool is_lost = fl_vm_is_lost(vm, record);

	fl_json_set(row, "namespace", fl_json_new_text(vm->name_space));
	fl_json_set(row, "name", fl_json_new_text(vm->name));
	fl_json_set(row, "uid", fl_json_new_text(vm->uid));
	add_state(row, is_lost, record);
	copy(row, "desired", record, "host.desired");
	add_addresses(row, record);
	copy(row, "vcpu", record, "spec.vcpu");
	copy(row, "memory_in_mb", record, "spec.memory_in_mb");
	copy(row, "image", record, "spec.root_volume.source.container_source");
	copy(row, "labels", record, "spec.labels");
	copy(row, "cloud_init", record, "host.vmm.cloud_init");
	copy(row, "restart", record, "host.vmm.launch.restart");
	copy(row, "restarts", record, "host.vmm.restarts");
	copy(row, "reboots", record, "host.vmm.reboots");
	if (!is_lost)
		copy(row, "pid", record, "host.vmm.pid");
	copy(row, "accel", record, "host.vmm.launch.accel");
	copy(row, "exit", record, "host.vmm.exit");
	add_age(row, record);
	return row;
}

/* Lines are made as the records come: the objects of ten thousand rows would be the most of a
 * listing's time. */
struct listing {
	bool json;
	struct fl_table table;
	struct fl_str lines;
};

/* One unreadable record does not hide the others, nor is it hidden. */
static int list_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	struct listing *listing = arg;
	struct fl_err why = { 0 };
	fl_cleanup_json fl_json *record = fl_vm_look(vm, &why);
	fl_cleanup_json fl_json *row = record ? row_of(vm, record) : NULL;

	(void)err;
	if (!record && why.kind != FL_ERR_NOT_FOUND)
		fl_log(FL_LOG_WARN, "%s; left out", why.text);
	if (row && !listing->json)
		fl_table_row(&listing->table, fl_json_ref(row));
	else if (row) {
		fl_json_print(row, false, &listing->lines);
		fl_str_add(&listing->lines, "\n");
	}
	return 0;
}

static int print_listing(const struct listing *listing, struct fl_err *err)
{
	return listing->json ? fl_cli_print(listing->lines.data ? listing->lines.data : "",
					    listing->lines.len, err)
			     : fl_table_print(&listing->table, false, err);
}

static void listing_finish(struct listing *listing)
{
	fl_table_finish(&listing->table);
	fl_str_finish(&listing->lines);
}

/* All that have the name. */
static int list_named(const struct fl_state *state, const char *text, struct listing *listing,
		      struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	if (fl_state_match(state, text, &names, err) < 0)
		return -1;
	if (!names.count)
		return fl_step_not_found(state, text, err);
	for (size_t i = 0; i < names.count; i++) {
		fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
		const struct fl_vm_name *name = &names.items[i];

		if (fl_vm_open(state, name->name_space, name->name, name->uid, &vm, NULL) == 0)
			list_one(listing, &vm, NULL);
	}
	return 0;
}

/* What is there is listed, whatever is missing. */
static int list(const struct fl_args *args, const struct fl_state *state, struct listing *listing,
		struct fl_err *err)
{
	struct fl_err first = { 0 };

	if (!args->operands.count)
		return fl_step_each_selected(args, state, list_one, listing, err) < 0 ? -1 : 0;
	if (fl_args_flag(args, "selector"))
		return fl_err_set(err, FL_ERR_USAGE, "name microVMs or give --selector, not both");
	for (size_t i = 0; i < args->operands.count; i++) {
		struct fl_err failure;

		if (list_named(state, args->operands.items[i], listing, &failure) < 0)
			fl_step_keep_first(&first, &failure);
	}
	return fl_step_take_first(&first, err);
}

int fl_show_ls(struct fl_args *args, struct fl_err *err)
{
	static const struct fl_table_column columns[] = {
		{ "NAMESPACE", "namespace" }, { "NAME", "name" },   { "UID", "uid" },
		{ "STATE", "state" },         { "VMM", "vmm_state" }, { "ADDRESS", "address" },
		{ "CPU", "vcpu" },            { "MIB", "memory_in_mb" }, { "IMAGE", "image" },
		{ "AGE", "age" },             { "REASON", "reason" },
	};
	FL_CLEANUP(listing_finish) struct listing listing = { .json = fl_args_flag(args, "json") };
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };
	struct fl_err missing = { 0 };

	for (size_t i = 0; i < FL_COUNT(columns); i++)
		fl_table_column(&listing.table, columns[i].title, columns[i].path);
	if (fl_args_state(args, false, &state, &missing) < 0 && missing.kind != FL_ERR_NOT_FOUND)
		return fl_err_pass(err, &missing);
	if (args->operands.count && state.dirfd < 0)
		return fl_err_pass(err, &missing);
	if (state.dirfd >= 0 && list(args, &state, &listing, err) < 0) {
		if (args->operands.count)
			print_listing(&listing, NULL);
		return -1;
	}
	return print_listing(&listing, err);
}

static int print_pairs(const fl_json *row, struct fl_err *err)
{
	bool coloured = fl_colour_is_wanted(STDOUT_FILENO);
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	for (void *i = fl_json_first(row); i; i = fl_json_next(row, i)) {
		const fl_json *value = fl_json_value(i);
		const char *text = fl_json_text(value);
		bool is_state = coloured && fl_str_ends(fl_json_key(i), "state");

		if (fl_json_is_null(value))
			continue;
		fl_str_addf(&out, "%-14s", fl_json_key(i));
		if (text)
			fl_colour_add(&out, is_state ? fl_colour_of(text) : FL_COLOUR_NONE, text);
		else
			fl_json_print(value, false, &out);
		fl_str_add(&out, "\n");
	}
	return fl_cli_print(out.data, out.len, err);
}

static int status_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	const struct fl_args *args = arg;
	fl_cleanup_json fl_json *record = fl_vm_look(vm, err);
	fl_cleanup_json fl_json *row = NULL;

	if (!record)
		return -1;
	row = row_of(vm, record);
	return fl_args_flag(args, "json") ? fl_cli_print_json(row, err) : print_pairs(row, err);
}

int fl_show_status(struct fl_args *args, struct fl_err *err)
{
	return fl_life_each(args, status_one, args, err);
}

int fl_show_providers(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_table struct fl_table table = FL_TABLE_INIT;
	const char *why;
	bool kvm = fl_accel_kvm_works(&why);

	fl_table_column(&table, "PROVIDER", "name");
	fl_table_column(&table, "PROGRAM", "program");
	fl_table_column(&table, "MAX-CPU", "max_vcpu");
	fl_table_column(&table, "MACVTAP", "macvtap");
	fl_table_column(&table, "VIRTIOFS", "virtiofs");
	fl_table_column(&table, "VSOCK", "vsock");
	fl_table_column(&table, "METADATA", "metadata_service");
	fl_table_column(&table, "LIMITS", "network_limits");
	fl_table_column(&table, "KVM", "kvm");
	fl_table_column(&table, "REMARK", "remark");
	for (const struct fl_provider *one = fl_providers; one->name; one++) {
		fl_json *row = fl_json_new_object();
		fl_cleanup_free char *name = fl_vmm_program(fl_vmm_find(one->name), NULL,
								fl_arch_host());
		fl_cleanup_free char *program = fl_path_find_program(name);

		fl_json_set(row, "name", fl_json_new_text(one->name));
		fl_json_set(row, "program", program ? fl_json_new_text(program) : fl_json_new_null());
		fl_json_set(row, "max_vcpu", fl_json_new_int(one->max_vcpu));
		fl_json_set(row, "macvtap", fl_json_new_bool(one->macvtap));
		fl_json_set(row, "virtiofs", fl_json_new_bool(one->virtiofs));
		fl_json_set(row, "vsock", fl_json_new_bool(one->vsock));
		fl_json_set(row, "metadata_service", fl_json_new_bool(one->metadata_service));
		fl_json_set(row, "network_limits", fl_json_new_bool(one->network_limits));
		fl_json_set(row, "kvm", fl_json_new_bool(kvm));
		fl_json_set(row, "remark", fl_json_new_text(program ? why : "is not installed"));
		fl_table_row(&table, row);
	}
	return fl_table_print(&table, fl_args_flag(args, "json"), err);
}
