/* SPDX-License-Identifier: MPL-2.0 */
/* fl-serve: flintlock's API over the programs and records of this host. */
#include "cmd/fl-serve/descriptors.h"
#include "cmd/fl-serve/server.h"
#include "cmd/fl-serve/settings.h"

#include "common/cli.h"

static int say_good(const struct fl_settings *settings, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_str_addf(&text, "%s: good\n", settings->file ? settings->file : "no configuration file");
	return fl_cli_print(text.data, text.len, err);
}

static int run(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_settings struct fl_settings settings = FL_SETTINGS_INIT;
	struct fl_server *server;
	int rc;

	if (fl_settings_read(&settings, args, err) < 0)
		return -1;
	if (fl_args_flag(args, "check-config")) {
		fl_settings_remark(args);
		return fl_server_check(&settings.config, err) < 0 ? -1 : say_good(&settings, err);
	}
	if (fl_logging_start(&settings.config.log, err) < 0)
		return -1;
	fl_settings_remark(args);
	fl_descriptors_raise();
	server = fl_server_create(&settings.config, err);
	if (!server)
		return -1;
	rc = fl_server_run(server, err);
	fl_server_free(server);
	return rc;
}

static const struct fl_command commands[] = {
	{ "run", "", "serve flintlock's API until told to stop", fl_settings_options, 0, 0, run, false },
	{ 0 },
};

static const struct fl_program program = {
	"fl-serve", "flintlock's API for microVMs, over the programs and records of this host", commands, NULL,
};

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
