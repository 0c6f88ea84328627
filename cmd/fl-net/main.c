/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/bridge.h"
#include "cmd/fl-net/dns/serve.h"
#include "cmd/fl-net/show.h"
#include "cmd/fl-net/taps.h"

#include <string.h>

static const struct fl_step step = {
	.name = "net", .up = fl_taps_up, .down = fl_taps_down, .plan = fl_taps_plan, .claims = true
};

static int run_up(struct fl_args *args, struct fl_err *err)
{
	if (fl_taps_check_options(args, err) < 0)
		return -1;
	return fl_step_up(&step, args, err);
}

static int run_down(struct fl_args *args, struct fl_err *err)
{
	return fl_step_down(&step, args, err);
}

static int run_create(struct fl_args *args, const struct fl_state *state, const char *name,
		      struct fl_err *err)
{
	struct fl_bridge_wish wish = { name, fl_args_text(args, "address", NULL),
				       fl_args_flag(args, "nat"), fl_args_text(args, "domain", NULL) };

	if (!wish.address)
		return fl_err_set(err, FL_ERR_USAGE, "give the bridge's address: --address "
				  "10.77.0.1/24");
	return fl_bridge_create(state, &wish, err);
}

static int check_operands(struct fl_args *args, struct fl_err *err)
{
	const char *verb = args->operands.items[0];
	bool is_ls = strcmp(verb, "ls") == 0;

	if (!is_ls && strcmp(verb, "create") != 0 && strcmp(verb, "rm") != 0)
		return fl_err_set(err, FL_ERR_USAGE, "\"%s\" is not create, rm or ls; see \"fl-net "
				  "bridge --help\"", verb);
	if (args->operands.count != (is_ls ? 1 : 2))
		return fl_err_set(err, FL_ERR_USAGE, "bridge %s: %s; see \"fl-net bridge --help\"",
				  verb, is_ls ? "takes no name" : "the bridge's name is missing");
	return 0;
}

static int run_bridge(struct fl_args *args, struct fl_err *err)
{
	const char *verb = args->operands.items[0], *name;
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };

	if (check_operands(args, err) < 0)
		return -1;
	if (strcmp(verb, "ls") == 0)
		return fl_show_bridges(args, err);
	if (fl_args_state(args, true, &state, err) < 0)
		return -1;
	name = args->operands.items[1];
	if (strcmp(verb, "rm") == 0)
		return fl_bridge_remove(&state, name, fl_args_flag(args, "force"), err);
	return run_create(args, &state, name, err);
}

static const struct fl_option up_options[] = {
	FL_STEP_UP_OPTIONS,
	{ "parent-iface", 0, "LINK", "the host's link that macvtaps are on" },
	{ "macvtap-mode", 0, "bridge|private|vepa|passthru", "what macvtaps do (bridge)" },
	FL_STEP_CNI_OPTIONS,
	{ 0 },
};
static const struct fl_option down_options[] = { FL_STEP_DOWN_OPTIONS, { 0 } };
static const struct fl_option bridge_options[] = {
	{ "address", 0, "CIDR", "create: its address and net, such as 10.77.0.1/24" },
	{ "nat", 0, NULL, "create: guests reach what the host reaches" },
	{ "domain", 0, "DOMAIN", "create: guests ask the bridge for names, by \"fl-net dns\"; none: not" },
	{ "force", 'f', NULL, "rm: even if links are on it, or nothing is known of it" },
	{ 0 },
};
static const struct fl_option gc_options[] = {
	{ "dry-run", 'n', NULL, "print what would be removed, and do nothing" },
	{ "cni", 0, "NETWORK", "have its plugins remove all that is not ours; may be repeated" },
	FL_STEP_CNI_OPTIONS,
	{ 0 },
};

static const struct fl_command commands[] = {
	{ "up", "[FILE…]", "make the links of specs or records", up_options, 0, -1, run_up },
	{ "down", "[NAMESPACE/NAME|UID…]", "remove them", down_options, 0, -1, run_down },
	{ "bridge", "create NAME|rm NAME|ls",
	  "make, remove or list bridges that hand out addresses", bridge_options, 1, 2,
	  run_bridge },
	{ "dns", "BRIDGE", "serve names and addresses of the microVMs on a bridge, by dnsmasq",
	  fl_dns_options, 1, 1, fl_dns_serve },
	{ "ls", "", "list bridges and links", NULL, 0, 0, fl_show_ls },
	{ "gc", "", "remove links, ports and CNI networks whose microVM has no record", gc_options, 0, 0, fl_show_gc },
	{ 0 },
};

static const struct fl_program program = { "fl-net", "the network of microVMs: taps and bridges", commands, NULL };

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
