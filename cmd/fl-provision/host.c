/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/host.h"

#include "cmd/fl-provision/route.h"

#include "common/alloc.h"
#include "common/io.h"
#include "common/path.h"
#include "common/yaml.h"

#include <fcntl.h>
#include <string.h>

#define LONGEST_FILE (1 << 20)

static char *keep(struct fl_host *host, char *text)
{
	FL_VEC_ADD(&host->texts, text);
	return text;
}

struct reading {
	struct fl_host *host;
	struct fl_args *args;
};

static int take_setting(void *arg, const char *key, const char *value, size_t line,
			struct fl_err *err)
{
	struct reading *reading = arg;
	struct fl_host *host = reading->host;
	char *source = keep(host, fl_asprintf("%s: line %zu", host->file, line));

	/* A file is kept and used again; what may be wiped is said anew each time. */
	if (strcmp(key, "wipe") == 0)
		return fl_err_set(err, FL_ERR_INVALID, "%s: %s: is for the command line", source, key);
	return fl_args_default(reading->args, key, keep(host, fl_strdup(value)), source, err);
}

static int read_file(struct fl_host *host, struct fl_args *args, const char *file,
		     struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct reading reading = { host, args };

	if (!file)
		return 0;
	host->file = fl_strdup(file);
	fl_str_add(&text, "");
	if (fl_io_read_file(AT_FDCWD, file, LONGEST_FILE, &text, err) < 0)
		return -1;
	return fl_yaml_settings(text.data, text.len, file, take_setting, &reading, err);
}

/* Names become parts of paths, units and other programs' arguments. */
static int check_name(const char *option, const char *name, size_t most, struct fl_err *err)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "._-";

	if (!name || (*name && *name != '-' && *name != '.' && strlen(name) <= most &&
		      strspn(name, good) == strlen(name)))
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "--%s \"%s\": is no name; letters, digits, dots and "
			  "dashes, %zu at most", option, name, most);
}

static int take_service(struct fl_host *host, const struct fl_args *args, struct fl_err *err)
{
	const char *address = fl_args_text(args, "grpc-address", NULL);
	struct fl_cidr parsed;
	uint64_t port;

	if (fl_args_number(args, "grpc-port", 1, 65535, 9090, &port, err) < 0)
		return -1;
	if (address && strchr(address, '/'))
		return fl_err_set(err, FL_ERR_USAGE, "--grpc-address %s: give the address without a "
				  "prefix", address);
	if (address && fl_inet_parse_cidr(address, &parsed, NULL) < 0 &&
	    check_name("grpc-address", address, 253, err) < 0)
		return -1;
	host->grpc_port = (unsigned)port;
	host->grpc_address = address;
	host->insecure = fl_args_flag(args, "insecure");
	host->config = fl_args_text(args, "flintlock-config-file",
				    fl_args_text(args, "config-file", NULL));
	return 0;
}

static int take_network(struct fl_host *host, const struct fl_args *args, struct fl_err *err)
{
	host->parent_iface = fl_args_text(args, "parent-iface", NULL);
	host->bridge = fl_args_text(args, "bridge", NULL);
	host->bridge_named = host->bridge != NULL;
	host->bridge_address = fl_args_text(args, "bridge-address", NULL);
	host->bridge_address_given = host->bridge_address != NULL;
	host->nat = !fl_args_flag(args, "no-nat");
	if (!host->bridge && !host->parent_iface)
		host->bridge = "flbr0";
	if (!host->bridge_address)
		host->bridge_address = "10.77.0.1/24";
	if (check_name("bridge", host->bridge, 15, err) < 0)
		return -1;
	return check_name("parent-iface", host->parent_iface, 15, err);
}

static int take_storage(struct fl_host *host, const struct fl_args *args, struct fl_err *err)
{
	host->dev = fl_args_flag(args, "dev") || strcmp(args->command->name, "devpool") == 0;
	host->thinpool = fl_args_text(args, "thinpool", host->dev ? "flintlock-dev" : "flintlock");
	host->disk = fl_args_text(args, "disk", NULL);
	host->wipe = fl_args_text(args, "wipe", NULL);
	if (check_name("thinpool", host->thinpool, 64, err) < 0)
		return -1;
	return fl_args_size(args, "reflink", 0, &host->reflink_size, err);
}

/* A step of its own calls them --version and --sha256; the step is the command's name. */
static void take_release(struct fl_host *host, const struct fl_args *args, const char *vmm,
			 const char *variable, struct fl_release *release)
{
	bool is_own = strcmp(args->command->name, vmm) == 0;
	const char *version = is_own ? "--version" : keep(host, fl_asprintf("--%s-version", vmm));
	fl_cleanup_free char *sha256 = fl_asprintf("%s-sha256", vmm);

	release->version = fl_args_text(args, version + 2, NULL);
	release->version_from = release->version ? version : variable;
	if (!release->version)
		release->version = getenv(variable);
	release->sha256 = fl_args_text(args, is_own ? "sha256" : sha256, NULL);
}

int fl_host_read(struct fl_host *host, struct fl_args *args, const char *file,
		 struct fl_err *err)
{
	if (read_file(host, args, file, err) < 0)
		return -1;
	/* Other programs and units are told it; they have another working folder. */
	host->state_dir = keep(host, fl_path_absolute(fl_args_state_dir(args)));
	host->only = fl_args_text(args, "only", NULL);
	host->skip = fl_args_text(args, "skip", NULL);
	if (fl_args_flag(args, "skip-apt"))
		host->skip = host->skip ? keep(host, fl_asprintf("%s,apt", host->skip)) : "apt";
	host->unattended = fl_args_flag(args, "unattended");
	host->mirror = fl_args_text(args, "mirror", NULL);
	host->offline = fl_args_text(args, "offline", NULL);
	host->ca_file = fl_args_text(args, "ca-file", NULL);
	take_release(host, args, "firecracker", "FIRECRACKER", &host->firecracker);
	take_release(host, args, "cloudhypervisor", "CLOUD_HYPERVISOR", &host->cloudhypervisor);
	if (take_service(host, args, err) < 0 || take_network(host, args, err) < 0)
		return -1;
	return take_storage(host, args, err);
}

void fl_host_finish(struct fl_host *host)
{
	for (size_t i = 0; i < host->texts.count; i++)
		free(host->texts.items[i]);
	free(host->texts.items);
	free(host->file);
	*host = (struct fl_host)FL_HOST_INIT;
}

bool fl_host_lists(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (list && *list) {
		size_t part = strcspn(list, ",");

		if (part == len && strncmp(list, name, len) == 0)
			return true;
		list += part + (list[part] == ',');
	}
	return false;
}
