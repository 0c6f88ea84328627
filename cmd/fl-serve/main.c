/* SPDX-License-Identifier: MPL-2.0 */
/* fl-serve: flintlock's API over the programs and records of this host. */
#include "cmd/fl-serve/listener.h"
#include "cmd/fl-serve/server.h"

#include "common/alloc.h"
#include "common/cli.h"
#include "common/log.h"

#include <unistd.h>

static const struct fl_option run_options[] = {
	{ "grpc-endpoint", 0, "ADDRESS", "where to serve gRPC: HOST:PORT, [IPv6]:PORT, unix:PATH (localhost:9090)" },
	{ "enable-http", 0, NULL, "serve JSON over HTTP, too" },
	{ "http-endpoint", 0, "ADDRESS", "where (localhost:8090)" },
	{ "debug-endpoint", 0, "ADDRESS", "where to serve metrics and health by themselves" },
	{ "basic-auth-token", 0, "TOKEN", "a token for everything; others see it in ps: prefer --token-file" },
	{ "token-file", 0, "FILE", "tokens, one per line: TOKEN [NAMESPACES [VERBS]]" },
	{ "tls-cert", 0, "FILE", "the server's certificate (PEM)" },
	{ "tls-key", 0, "FILE", "its key (PEM)" },
	{ "tls-client-validate", 0, NULL, "ask for client certificates" },
	{ "tls-client-ca", 0, "FILE", "who signs them (PEM)" },
	{ "insecure", 0, NULL, "without TLS and tokens also beyond this machine" },
	{ "bridge-name", 0, "BRIDGE", "for interfaces that name none" },
	{ "jobs", 0, "N", "how many microVMs are made at once (4 per processor)" },
	{ "maximum-retry", 0, "N", "how often making one is tried again (10)" },
	{ "max-connections", 0, "N", "of all clients at once (1024)" },
	{ "max-connections-per-peer", 0, "N", "of one address at once (256)" },
	{ "max-streams", 0, "N", "calls at once on a connection (256)" },
	{ "accel", 0, "WHICH", "for fl-run: auto, kvm or tcg" },
	{ "qemu", 0, "PROGRAM", "for fl-run: the QEMU to run" },
	{ 0 },
};

static int take_tls(const struct fl_args *args, struct fl_config *config, struct fl_err *err)
{
	config->cert = fl_args_text(args, "tls-cert", NULL);
	config->key = fl_args_text(args, "tls-key", NULL);
	config->client_ca = fl_args_text(args, "tls-client-ca", NULL);
	config->insecure = fl_args_flag(args, "insecure");
	if (!config->cert != !config->key)
		return fl_err_set(err, FL_ERR_USAGE, "--tls-cert and --tls-key need each other");
	if (config->insecure && config->cert)
		return fl_err_set(err, FL_ERR_USAGE, "--insecure and --tls-cert exclude each other");
	if (fl_args_flag(args, "tls-client-validate") && !config->client_ca)
		return fl_err_set(err, FL_ERR_USAGE, "--tls-client-validate needs --tls-client-ca");
	if (config->client_ca && (!fl_args_flag(args, "tls-client-validate") || !config->cert))
		return fl_err_set(err, FL_ERR_USAGE, "--tls-client-ca needs --tls-client-validate and "
				  "--tls-cert");
	return 0;
}

static int take_number(const struct fl_args *args, const char *name, uint64_t otherwise,
		       unsigned *number, struct fl_err *err)
{
	uint64_t value;

	if (fl_args_number(args, name, 1, 1000000, otherwise, &value, err) < 0)
		return -1;
	*number = (unsigned)value;
	return 0;
}

static int take_limits(const struct fl_args *args, struct fl_config *config, struct fl_err *err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (take_number(args, "jobs", processors > 0 ? 4 * (uint64_t)processors : 4, &config->jobs,
			err) < 0 ||
	    take_number(args, "maximum-retry", 10, &config->most_retries, err) < 0 ||
	    take_number(args, "max-connections", 1024, &config->max_connections, err) < 0 ||
	    take_number(args, "max-connections-per-peer", 256, &config->max_connections_per_peer,
			err) < 0)
		return -1;
	return take_number(args, "max-streams", 256, &config->max_streams, err);
}

static int check_exposure(const struct fl_config *config, struct fl_err *err)
{
	const char *endpoints[] = { config->grpc_endpoint, config->http_endpoint,
				    config->debug_endpoint };
	bool has_token = config->token || config->token_file;

	for (size_t i = 0; i < FL_COUNT(endpoints); i++)
		if (endpoints[i] && fl_listener_check(endpoints[i], err) < 0)
			return -1;
	if (config->insecure || (config->cert && (has_token || config->client_ca)))
		return 0;
	for (size_t i = 0; i < FL_COUNT(endpoints); i++)
		if (endpoints[i] && !fl_listener_is_local(endpoints[i]))
			return fl_err_set(err, FL_ERR_USAGE, "%s can be reached from other machines: "
					  "give --tls-cert and --tls-key, and --token-file or "
					  "--tls-client-ca; or say --insecure", endpoints[i]);
	return 0;
}

static int run(struct fl_args *args, struct fl_err *err)
{
	struct fl_config config = {
		.state_dir = fl_args_state_dir(args),
		.grpc_endpoint = fl_args_text(args, "grpc-endpoint", "localhost:9090"),
		.http_endpoint = fl_args_flag(args, "enable-http")
					 ? fl_args_text(args, "http-endpoint", "localhost:8090")
					 : NULL,
		.debug_endpoint = fl_args_text(args, "debug-endpoint", NULL),
		.token = fl_args_text(args, "basic-auth-token", NULL),
		.token_file = fl_args_text(args, "token-file", NULL),
		.bridge = fl_args_text(args, "bridge-name", NULL),
		.accel = fl_args_text(args, "accel", NULL),
		.qemu = fl_args_text(args, "qemu", NULL),
	};
	struct fl_server *server;
	int rc;

	if (take_tls(args, &config, err) < 0 || take_limits(args, &config, err) < 0 ||
	    check_exposure(&config, err) < 0)
		return -1;
	server = fl_server_create(&config, err);
	if (!server)
		return -1;
	rc = fl_server_run(server, err);
	fl_server_free(server);
	return rc;
}

static const struct fl_command commands[] = {
	{ "run", "", "serve flintlock's API until told to stop", run_options, 0, 0, run, false },
	{ 0 },
};

static const struct fl_program program = {
	"fl-serve", "flintlock's API over the programs and records of this host", commands, NULL,
};

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
