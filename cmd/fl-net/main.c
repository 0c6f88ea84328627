/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/bridge.h"
#include "cmd/fl-net/taps.h"
#include "common/alloc.h"
#include "common/table.h"

#include <string.h>

static const struct fl_step step = {
	.name = "net", .up = fl_taps_up, .down = fl_taps_down, .plan = fl_taps_plan, .claims = true
};

static int run_up(struct fl_args *args, struct fl_err *err)
{
	return fl_step_up(&step, args, err);
}

static int run_down(struct fl_args *args, struct fl_err *err)
{
	return fl_step_down(&step, args, err);
}

static void add_bridge(const struct fl_state *state, const char *name, struct fl_table *table)
{
	fl_json *row = fl_json_new_object();
	struct fl_bridge bridge;
	char address[FL_CIDR_TEXT];

	fl_json_set(row, "link", fl_json_new_text(name));
	fl_json_set(row, "kind", fl_json_new_text("bridge"));
	if (fl_bridge_load(state, name, &bridge, NULL) == 1) {
		fl_inet_print_cidr(&bridge.address, address);
		fl_json_set(row, "address", fl_json_new_text(address));
		fl_json_set(row, "nat", fl_json_new_bool(bridge.nat));
	}
	fl_table_row(table, row);
}

static void add_vm(const struct fl_vm *vm, struct fl_table *table)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, NULL);
	const fl_json *network = fl_json_at(record, "host.network");

	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		fl_json *row = fl_json_copy(fl_json_value(i));

		fl_json_set(row, "kind", fl_json_new_text("tap"));
		fl_json_set(row, "device", fl_json_new_text(fl_json_key(i)));
		fl_json_set(row, "namespace", fl_json_new_text(vm->name_space));
		fl_json_set(row, "name", fl_json_new_text(vm->name));
		fl_json_set(row, "uid", fl_json_new_text(vm->uid));
		fl_table_row(table, row);
	}
}

static int add_rows(const struct fl_state *state, struct fl_table *table, struct fl_err *err)
{
	fl_cleanup_json fl_json *bridges = fl_bridge_list(state);
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	if (fl_state_list(state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < fl_json_count(bridges); i++)
		add_bridge(state, fl_json_text(fl_json_item(bridges, i)), table);
	for (size_t i = 0; i < names.count; i++) {
		fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
		const struct fl_vm_name *one = &names.items[i];

		if (fl_vm_open(state, one->name_space, one->name, one->uid, &vm, NULL) == 0)
			add_vm(&vm, table);
	}
	return 0;
}

static int run_ls(struct fl_args *args, struct fl_err *err)
{
	static const struct fl_table_column columns[] = {
		{ "LINK", "link" },     { "KIND", "kind" },     { "NAMESPACE", "namespace" },
		{ "NAME", "name" },     { "DEVICE", "device" }, { "BRIDGE", "bridge" },
		{ "MAC", "mac" },       { "ADDRESS", "address" },
	};
	fl_cleanup_table struct fl_table table = FL_TABLE_INIT;
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };

	for (size_t i = 0; i < FL_COUNT(columns); i++)
		fl_table_column(&table, columns[i].title, columns[i].path);
	if (fl_args_state(args, true, &state, err) < 0 || add_rows(&state, &table, err) < 0)
		return -1;
	return fl_table_print(&table, fl_args_flag(args, "json"), err);
}

static int run_bridge(struct fl_args *args, struct fl_err *err)
{
	const char *verb = args->operands.items[0], *name = args->operands.items[1];
	const char *address = fl_args_text(args, "address", NULL);
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };

	if (fl_args_state(args, true, &state, err) < 0)
		return -1;
	if (strcmp(verb, "rm") == 0)
		return fl_bridge_remove(&state, name, fl_args_flag(args, "force"), err);
	if (strcmp(verb, "create") != 0)
		return fl_err_set(err, FL_ERR_USAGE, "\"%s\" is not create or rm", verb);
	if (!address)
		return fl_err_set(err, FL_ERR_USAGE, "give the bridge's address: --address "
				  "10.77.0.1/24");
	return fl_bridge_create(&state, name, address, fl_args_flag(args, "nat"), err);
}

static const struct fl_option up_options[] = { FL_STEP_UP_OPTIONS, { 0 } };
static const struct fl_option down_options[] = { FL_STEP_DOWN_OPTIONS, { 0 } };
static const struct fl_option bridge_options[] = {
	{ "address", 0, "CIDR", "create: its address and net, such as 10.77.0.1/24" },
	{ "nat", 0, NULL, "create: guests reach what the host reaches" },
	{ "force", 'f', NULL, "rm: even if links are on it" },
	{ 0 },
};

static const struct fl_command commands[] = {
	{ "up", "[FILE…]", "make the links of specs or records", up_options, 0, -1, run_up },
	{ "down", "[NAMESPACE/NAME|UID…]", "remove them", down_options, 0, -1, run_down },
	{ "bridge", "create|rm NAME", "make or remove a bridge that hands out addresses",
	  bridge_options, 2, 2, run_bridge },
	{ "ls", "", "list bridges and links", NULL, 0, 0, run_ls },
	{ 0 },
};

static const struct fl_program program = { "fl-net", "taps and bridges", commands, NULL };

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
