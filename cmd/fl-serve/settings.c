/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/settings.h"

#include "cmd/fl-serve/listener.h"
#include "common/alloc.h"
#include "common/handed.h"
#include "common/io.h"
#include "common/log.h"
#include "common/manager.h"
#include "common/num.h"
#include "common/path.h"
#include "common/places.h"
#include "common/provider.h"
#include "common/yaml.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_FILE (1 << 20)

const struct fl_option fl_settings_options[] = {
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
	{ "parent-iface", 0, "LINK", "the host's link that macvtap interfaces are on" },
	{ "default-provider", 0, FL_PROVIDERS_WORDS, "for specs that name none (qemu), where it can do what they ask" },
	{ "jobs", 0, "N", "how many microVMs are made at once (4 per processor)" },
	{ "maximum-retry", 0, "N", "how often making one is tried again (10)" },
	{ "max-connections", 0, "N", "of all clients at once (1024)" },
	{ "max-connections-per-peer", 0, "N", "of one address at once (256)" },
	{ "max-streams", 0, "N", "calls at once on a connection (256)" },
	{ "max-requests", 0, "N", "a second and address; 0: as many as they like (10000)" },
	{ "keepalive", 0, "SECONDS", "of silence until a client is asked for a sign of life; 0: never (120)" },
	{ "idle-timeout", 0, "SECONDS", "until a connection without calls is closed; 0: never (0)" },
	{ "accel", 0, "auto|kvm|tcg", "for fl-run: how guests run" },
	{ "qemu", 0, "PROGRAM", "for fl-run: the QEMU to run" },
	{ "firecracker-bin", 0, "PROGRAM", "for fl-run: the Firecracker to run" },
	{ "jailer-bin", 0, "PROGRAM", "for fl-run: the jailer that Firecracker is kept in a jail by" },
	{ "cloudhypervisor-bin", 0, "PROGRAM", "for fl-run: the Cloud Hypervisor to run" },
	{ "virtiofs-bin", 0, "PROGRAM", "for fl-run: the virtiofsd to run" },
	{ "virtiofs-roots", 0, "FOLDERS", "of the host, joined by colons: guests may see what is below them" },
	{ "image-roots", 0, "FOLDERS", "of the host, joined by colons: clients may name layouts and archives below them" },
	{ "backend", 0, FL_PLACES_WORDS, "for fl-snap: where volumes are" },
	{ "pool", 0, "POOL", "for fl-snap: the thin pool" },
	{ "verbosity", 0, "N", "2 and more: also what is for debugging (0)" },
	{ "log-format", 0, "text|json|journald", "how the log is written (text)" },
	{ "log-output", 0, "WHERE", "stderr, stdout or a file" },
	{ "config", 0, "FILE", "the configuration file" },
	{ "check-config", 0, NULL, "look at all settings, say what is wrong, serve nothing" },
	/* flintlockd's that have nothing to set here. */
	{ "containerd-socket", 0, "PATH", "not used: there is no containerd" },
	{ "containerd-kernel-ss", 0, "NAME", "not used" },
	{ "containerd-ns", 0, "NAME", "not used" },
	{ "resync-period", 0, "TIME", "not used: nothing is polled" },
	{ "deleteMicroVM-timeout", 0, "TIME", "not used" },
	{ "firecracker-detach", 0, NULL, "not used: microVMs always outlive the server" },
	{ "cloudhypervisor-detach", 0, NULL, "not used" },
	{ "disable-reconcile", 0, NULL, "not used" },
	{ "disable-api", 0, NULL, "not used when false, and refused otherwise: there is nothing but the API" },
	{ 0 },
};

/* Its default asks for what is. */
static int check_api(const struct fl_args *args, struct fl_err *err)
{
	if (!fl_args_flag(args, "disable-api"))
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "--disable-api: fl-serve is nothing but the API; where "
			  "that is not wanted do not start it");
}

static bool is_unused(const struct fl_option *option)
{
	return fl_str_starts(option->help, "not used");
}

static char *keep(struct fl_settings *settings, char *text)
{
	FL_VEC_ADD(&settings->texts, text);
	return text;
}

/* A shell can set names of letters, digits and underscores only. */
static int read_variables(struct fl_settings *settings, struct fl_args *args, struct fl_err *err)
{
	for (const struct fl_option *one = fl_settings_options; one->name; one++) {
		char *name = keep(settings, fl_asprintf("FLINTLOCKD_%s", one->name));
		const char *value;

		for (char *at = name; *at; at++)
			*at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
		value = getenv(name);
		if (value && *value && fl_args_default(args, one->name, value, name, err) < 0)
			return -1;
	}
	return 0;
}

struct reading {
	struct fl_settings *settings;
	struct fl_args *args;
};

static int take_setting(void *arg, const char *key, const char *value, size_t line,
			struct fl_err *err)
{
	struct reading *reading = arg;
	struct fl_settings *settings = reading->settings;
	char *source = keep(settings, fl_asprintf("%s: line %zu", settings->file, line));

	if (strcmp(key, "config") == 0 || strcmp(key, "check-config") == 0)
		return fl_err_set(err, FL_ERR_INVALID, "%s: %s: is for the command line", source, key);
	return fl_args_default(reading->args, key, keep(settings, fl_strdup(value)), source, err);
}

/* Every setting of the configuration file, where there is one, goes to take. */
static int read_file(const struct fl_settings *settings,
		     int (*take)(void *arg, const char *key, const char *value, size_t line,
				 struct fl_err *err),
		     void *arg, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (!settings->file)
		return 0;
	if (fl_io_read_file(AT_FDCWD, settings->file, LONGEST_FILE, &text, err) < 0)
		return -1;
	return fl_yaml_settings(text.data ? text.data : "", text.len, settings->file, take, arg,
				err);
}

/* flintlock's places behind our own; the first that is there. */
static char *find_file(void)
{
	const char *home = getenv("HOME"), *base = getenv("XDG_CONFIG_HOME");
	char *places[] = { fl_strdup("/etc/flintlock/config.yaml"),
			   fl_strdup("/etc/opt/flintlockd/config.yaml"),
			   base && *base ? fl_asprintf("%s/flintlockd/config.yaml", base)
					 : fl_asprintf("%s/.config/flintlockd/config.yaml",
						       home ? home : "") };
	char *found = NULL;

	for (size_t i = 0; i < FL_COUNT(places); i++)
		if (!found && access(places[i], F_OK) == 0)
			found = places[i];
		else
			free(places[i]);
	return found;
}

/* What is empty is not set, as with flintlockd, whose defaults are so: a file of its may say them all. */
static const char *text_of(const struct fl_args *args, const char *name, const char *otherwise)
{
	const char *text = fl_args_text(args, name, NULL);

	return text && *text ? text : otherwise;
}

static int take_tls(const struct fl_args *args, struct fl_config *config, struct fl_err *err)
{
	config->cert = text_of(args, "tls-cert", NULL);
	config->key = text_of(args, "tls-key", NULL);
	config->client_ca = text_of(args, "tls-client-ca", NULL);
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

static int take_limits(const struct fl_args *args, struct fl_config *config, struct fl_err *err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	const struct {
		const char *name;
		uint64_t least, otherwise;
		unsigned *number;
	} limits[] = {
		{ "jobs", 1, processors > 0 ? 4 * (uint64_t)processors : 4, &config->jobs },
		{ "maximum-retry", 1, 10, &config->most_retries },
		{ "max-connections", 1, 1024, &config->max_connections },
		{ "max-connections-per-peer", 1, 256, &config->max_connections_per_peer },
		{ "max-streams", 1, 256, &config->max_streams },
		{ "max-requests", 0, 10000, &config->max_requests },
		{ "keepalive", 0, 120, &config->keepalive },
		{ "idle-timeout", 0, 0, &config->idle },
	};
	uint64_t value;

	for (size_t i = 0; i < FL_COUNT(limits); i++) {
		if (fl_args_number(args, limits[i].name, limits[i].least, 1000000,
				   limits[i].otherwise, &value, err) < 0)
			return -1;
		*limits[i].number = (unsigned)value;
	}
	return 0;
}

static int check_exposure(const struct fl_config *config, struct fl_err *err)
{
	const char *endpoints[] = { config->grpc_endpoint, config->http_endpoint,
				    config->debug_endpoint };
	bool has_token = config->token || config->token_file;

	for (size_t i = 0; i < FL_COUNT(endpoints); i++)
		if (endpoints[i] && fl_listener_check(endpoints[i], err) < 0)
			return -1;
	if (config->local_endpoint && !fl_listener_is_file(config->local_endpoint))
		return fl_err_set(err, FL_ERR_USAGE, "the socket \"local\" is no socket file: it is "
				  "served without TLS and tokens; name it \"grpc\" (FileDescriptorName=)");
	if (config->insecure || (config->cert && (has_token || config->client_ca)))
		return 0;
	for (size_t i = 0; i < FL_COUNT(endpoints); i++)
		if (endpoints[i] && !fl_listener_is_local(endpoints[i]))
			return fl_err_set(err, FL_ERR_USAGE, "%s can be reached from other machines: "
					  "give --tls-cert and --tls-key, and --token-file or "
					  "--tls-client-ca; or say --insecure", endpoints[i]);
	return 0;
}

static int check_provider(const struct fl_args *args, struct fl_err *err)
{
	const char *name = text_of(args, "default-provider", "");

	if (fl_provider_find(name))
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "--default-provider %s: there is no such provider "
			  "here; \"fl-run providers\" lists them", name);
}

static int check_backend(const struct fl_args *args, struct fl_err *err)
{
	const char *word = text_of(args, "backend", "auto");

	return fl_place_is_known(word)
		       ? 0
		       : fl_err_set(err, FL_ERR_USAGE, "--backend %s: " FL_PLACES, word);
}

/* Verbosity, format and place of the log. */
static int take_log(const struct fl_args *args, struct fl_config *config, struct fl_err *err)
{
	const char *format = text_of(args, "log-format", "text");
	uint64_t verbosity;

	if (fl_args_number(args, "verbosity", 0, 100, 0, &verbosity, err) < 0)
		return -1;
	if (fl_logging_find_format(format, &config->log.format) < 0)
		return fl_err_set(err, FL_ERR_USAGE, "--log-format %s: text, json or journald", format);
	config->log.debug = verbosity >= 2 || fl_args_flag(args, "verbose");
	config->log.output = text_of(args, "log-output", "stderr");
	return 0;
}

static void say_unused(const struct fl_args *args)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	for (const struct fl_option *one = fl_settings_options; one->name; one++)
		if (is_unused(one) && fl_args_text(args, one->name, NULL))
			fl_str_addf(&text, "%s--%s", text.len ? ", " : "", one->name);
	if (text.len)
		fl_log(FL_LOG_WARN, "%s: taken, and not used here", text.data);
}

/* A socket that the service manager opened goes before the option. */
static const char *endpoint(struct fl_settings *settings, const char *name, const char *otherwise)
{
	int fd = fl_manager_socket(name);

	return fd < 0 ? otherwise : keep(settings, fl_asprintf("fd:%d", fd));
}

static void take_places(struct fl_settings *settings, const struct fl_args *args)
{
	struct fl_config *config = &settings->config;

	config->state_dir = fl_args_state_dir(args);
	config->grpc_endpoint =
		endpoint(settings, "grpc", text_of(args, "grpc-endpoint", "localhost:9090"));
	config->local_endpoint = endpoint(settings, "local", NULL);
	if (fl_args_flag(args, "enable-http"))
		config->http_endpoint = text_of(args, "http-endpoint", "localhost:8090");
	config->http_endpoint = endpoint(settings, "http", config->http_endpoint);
	config->debug_endpoint =
		endpoint(settings, "debug", text_of(args, "debug-endpoint", NULL));
	config->token = text_of(args, "basic-auth-token", NULL);
	config->token_file = text_of(args, "token-file", NULL);
	config->bridge = text_of(args, "bridge-name", NULL);
	config->parent = text_of(args, "parent-iface", NULL);
	config->provider = text_of(args, "default-provider", NULL);
	config->accel = text_of(args, "accel", NULL);
	config->qemu = text_of(args, "qemu", NULL);
	config->image_roots = text_of(args, "image-roots", NULL);
}

/* It may be installed later; who wrote it down wrong wants to know. */
static void say_missing(const struct fl_args *args)
{
	for (const struct fl_handed *one = fl_handed; one->setting; one++) {
		const char *name = one->is_program ? fl_args_text(args, one->setting, "") : "";
		fl_cleanup_free char *found = *name ? fl_path_find_program(name) : NULL;

		if (*name && !found)
			fl_log(FL_LOG_WARN, "--%s %s: there is no such program here", one->setting, name);
	}
}

/* The programs that are started look there (fl-run(8), fl-snap(8)). */
static void export_handed(const struct fl_args *args)
{
	for (const struct fl_handed *one = fl_handed; one->setting; one++) {
		const char *value = one->variable ? fl_args_text(args, one->setting, NULL) : NULL;

		if (value)
			setenv(one->variable, value, 1);
	}
}

static int take_verbosity(void *arg, const char *key, const char *value, size_t line,
			  struct fl_err *err)
{
	uint64_t verbosity;

	if (strcmp(key, "verbosity") != 0)
		return 0;
	if (fl_num_u64(value, 0, 100, &verbosity, err) < 0)
		return fl_err_prefix(err, "line %zu: %s", line, key);
	*(bool *)arg = verbosity >= 2;
	return 0;
}

static int reread_debug(void *arg, bool *debug, struct fl_err *err)
{
	const struct fl_settings *settings = arg;

	if (!settings->file || settings->verbosity_is_fixed)
		return 0;
	*debug = false;
	return read_file(settings, take_verbosity, debug, err);
}

int fl_settings_read(struct fl_settings *settings, struct fl_args *args, struct fl_err *err)
{
	const char *file = fl_args_text(args, "config", NULL);
	struct reading reading = { settings, args };

	if (read_variables(settings, args, err) < 0)
		return -1;
	settings->file = file ? fl_strdup(file) : find_file();
	settings->verbosity_is_fixed = fl_args_text(args, "verbosity", NULL) ||
				       fl_args_flag(args, "verbose");
	settings->config.reread_debug = reread_debug;
	settings->config.reread_arg = settings;
	if (read_file(settings, take_setting, &reading, err) < 0)
		return -1;
	take_places(settings, args);
	export_handed(args);
	if (take_tls(args, &settings->config, err) < 0 ||
	    check_api(args, err) < 0 || take_limits(args, &settings->config, err) < 0 ||
	    take_log(args, &settings->config, err) < 0 || check_provider(args, err) < 0 ||
	    check_backend(args, err) < 0 || check_exposure(&settings->config, err) < 0)
		return -1;
	return 0;
}

/* Who meant to give one, out of a variable that nobody set, is not protected. */
static void say_open(const struct fl_args *args)
{
	const char *token = fl_args_text(args, "basic-auth-token", NULL);

	if (token && !*token && !text_of(args, "token-file", NULL))
		fl_log(FL_LOG_WARN, "--basic-auth-token is empty: no token is asked for");
	if (text_of(args, "http-endpoint", NULL) && !fl_args_flag(args, "enable-http") &&
	    fl_manager_socket("http") < 0)
		fl_log(FL_LOG_WARN, "--http-endpoint does nothing without --enable-http");
}

void fl_settings_remark(const struct fl_args *args)
{
	say_unused(args);
	say_open(args);
	say_missing(args);
}

void fl_settings_finish(struct fl_settings *settings)
{
	for (size_t i = 0; i < settings->texts.count; i++)
		free(settings->texts.items[i]);
	free(settings->texts.items);
	free(settings->file);
	*settings = (struct fl_settings)FL_SETTINGS_INIT;
}
