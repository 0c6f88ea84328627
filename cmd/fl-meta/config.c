/* SPDX-License-Identifier: MPL-2.0 */
/* The keys are those of cloud-init's modules: set_hostname, users_groups, ssh, package_update_upgrade_install,
 * write_files, runcmd, growpart. */
#include "cmd/fl-meta/config.h"

#include "common/alloc.h"
#include "common/base64.h"
#include "common/io.h"
#include "common/json.h"
#include "common/ssh_key.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MOST_FILE (1 << 20) /* cloud-init takes as much user-data at least */

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define NAME LETTERS ".-_"
#define PACKAGE NAME "+:=~" /* with an architecture or a version */

static int check_name(const char *option, const char *name, const char *letters,
		      struct fl_err *err)
{
	if (*name && !strchr("-.", *name) && strlen(name) <= 253 && !name[strspn(name, letters)])
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "option --%s: \"%.253s\" is no name: letters, digits and "
			  "\"%s\", at most 253", option, name, letters + strlen(LETTERS));
}

static fl_json *names(const struct fl_args *args, const char *option, const char *letters,
		      struct fl_err *err)
{
	fl_cleanup_json fl_json *list = fl_json_new_array();
	const char *name;

	for (size_t i = 0; (name = fl_args_each(args, option, i)); i++) {
		if (check_name(option, name, letters, err) < 0)
			return NULL;
		fl_json_add(list, fl_json_new_text(name));
	}
	return fl_json_ref(list);
}

static fl_json *keys(const struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_json fl_json *list = fl_json_new_array();
	const char *file;

	for (size_t i = 0; (file = fl_args_each(args, "ssh-key", i)); i++) {
		fl_json *key = fl_ssh_key_read(file, err);

		if (!key)
			return NULL;
		fl_json_add(list, key);
	}
	return fl_json_ref(list);
}

static fl_json *user(const fl_json *name, fl_json *his_keys)
{
	fl_json *one = fl_json_new_object();

	fl_json_set(one, "name", fl_json_copy(name));
	fl_json_set(one, "shell", fl_json_new_text("/bin/bash"));
	fl_json_set(one, "sudo", fl_json_new_text("ALL=(ALL) NOPASSWD:ALL"));
	fl_json_set(one, "lock_passwd", fl_json_new_bool(true));
	if (fl_json_count(his_keys))
		fl_json_set(one, "ssh_authorized_keys", fl_json_ref(his_keys));
	return one;
}

/* The image's own user stays. */
static int put_users(const struct fl_args *args, fl_json *config, struct fl_err *err)
{
	fl_cleanup_json fl_json *wanted = names(args, "user", NAME, err);
	fl_cleanup_json fl_json *their_keys = wanted ? keys(args, err) : NULL;
	fl_json *users;

	if (!their_keys)
		return -1;
	if (!fl_json_count(wanted)) {
		if (fl_json_count(their_keys)) {
			fl_json_set(config, "disable_root", fl_json_new_bool(false));
			fl_json_set(config, "ssh_authorized_keys", fl_json_ref(their_keys));
		}
		return 0;
	}
	users = fl_json_new_array();
	fl_json_add(users, fl_json_new_text("default"));
	for (size_t i = 0; i < fl_json_count(wanted); i++)
		fl_json_add(users, user(fl_json_item(wanted, i), their_keys));
	fl_json_set(config, "users", users);
	return 0;
}

static fl_json *file_of(const char *text, struct fl_err *err)
{
	const char *equals = strchr(text, '=');
	fl_cleanup_str struct fl_str bytes = FL_STR_INIT, encoded = FL_STR_INIT;
	fl_cleanup_free char *mode = NULL;
	struct stat st;
	fl_json *file;

	if (*text != '/' || !equals) {
		fl_err_set(err, FL_ERR_INVALID, "option --write: \"%s\": write /PATH/IN/THE/GUEST=FILE", text);
		return NULL;
	}
	if (fl_io_read_file(AT_FDCWD, equals + 1, MOST_FILE, &bytes, err) < 0)
		return NULL;
	mode = fl_asprintf("%04o", stat(equals + 1, &st) == 0 ? (unsigned)st.st_mode & 07777 : 0644);
	fl_base64_encode(bytes.data, bytes.len, &encoded);
	file = fl_json_new_object();
	fl_json_set(file, "path", fl_json_new_text_bytes(text, (size_t)(equals - text)));
	fl_json_set(file, "permissions", fl_json_new_text(mode));
	fl_json_set(file, "encoding", fl_json_new_text("b64"));
	fl_json_set(file, "content", fl_json_new_text(encoded.data));
	return file;
}

static int put_files(const struct fl_args *args, fl_json *config, struct fl_err *err)
{
	fl_cleanup_json fl_json *files = fl_json_new_array();
	const char *text;

	for (size_t i = 0; (text = fl_args_each(args, "write", i)); i++) {
		fl_json *file = file_of(text, err);

		if (!file)
			return -1;
		fl_json_add(files, file);
	}
	if (fl_json_count(files))
		fl_json_set(config, "write_files", fl_json_ref(files));
	return 0;
}

static int put_packages(const struct fl_args *args, fl_json *config, struct fl_err *err)
{
	fl_cleanup_json fl_json *packages = names(args, "package", PACKAGE, err);

	if (!packages)
		return -1;
	if (!fl_json_count(packages))
		return 0;
	fl_json_set(config, "package_update", fl_json_new_bool(true));
	fl_json_set(config, "packages", fl_json_ref(packages));
	return 0;
}

static void put_commands(const struct fl_args *args, fl_json *config)
{
	fl_json *commands = fl_json_new_array();
	const char *text;

	for (size_t i = 0; (text = fl_args_each(args, "command", i)); i++)
		fl_json_add(commands, fl_json_new_text(text));
	fl_json_set(config, "runcmd", fl_json_count(commands) ? fl_json_ref(commands) : NULL);
	fl_json_unref(commands);
}

static void put_growth(const struct fl_args *args, fl_json *config)
{
	fl_json *devices;

	if (!fl_args_flag(args, "growpart"))
		return;
	devices = fl_json_new_array();
	fl_json_add(devices, fl_json_new_text("/"));
	fl_json_put(config, "growpart.mode", fl_json_new_text("auto"));
	fl_json_put(config, "growpart.devices", devices);
	fl_json_set(config, "resize_rootfs", fl_json_new_bool(true));
}

int fl_config_write(const struct fl_args *args, struct fl_str *out, struct fl_err *err)
{
	fl_cleanup_json fl_json *config = fl_json_new_object();
	const char *hostname = fl_args_text(args, "hostname", NULL);

	if (hostname && check_name("hostname", hostname, NAME, err) < 0)
		return -1;
	if (hostname)
		fl_json_set(config, "hostname", fl_json_new_text(hostname));
	if (put_users(args, config, err) < 0 || put_packages(args, config, err) < 0 ||
	    put_files(args, config, err) < 0)
		return -1;
	put_commands(args, config);
	put_growth(args, config);
	if (!fl_json_count(config))
		return 0;
	fl_str_add(out, "#cloud-config\n");
	fl_json_print(config, true, out);
	fl_str_add(out, "\n");
	return 1;
}
