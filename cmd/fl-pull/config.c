/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/config.h"

#include "cmd/fl-pull/host.h"
#include "common/alloc.h"
#include "common/io.h"
#include "common/num.h"
#include "common/reference.h"
#include "common/yaml.h"

#include <fcntl.h>
#include <string.h>

#define CONFIG_LIMIT (1 << 20)
#define CONFIG_FILE "/etc/flintlock/registries.yaml"

/* The file whose document is checked, and the key where the check is. */
struct place {
	const char *file, *host;
};

static int wrong(const struct place *place, const char *key, const char *what, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_INVALID, "%s: %s%s%s%s: %s", place->file,
			  place->host ? "hosts." : "", place->host ? place->host : "",
			  place->host && *key ? "." : "", key, what);
}

static int check_bool(const struct place *place, const char *key, fl_json **value,
		      struct fl_err *err)
{
	return fl_json_is_bool(*value) ? 0 : wrong(place, key, "not true or false", err);
}

/* A path is meant from the folder of the file that names it. */
static int check_path(const struct place *place, const char *key, fl_json **value,
		      struct fl_err *err)
{
	const char *path = fl_json_text(*value), *slash = strrchr(place->file, '/');
	fl_cleanup_free char *full = NULL;

	if (!path || !*path)
		return wrong(place, key, "not a file's path", err);
	if (*path == '/' || !slash)
		return 0;
	full = fl_asprintf("%.*s/%s", (int)(slash - place->file), place->file, path);
	*value = fl_json_new_text(full);
	return 0;
}

static bool is_mirror(const char *text)
{
	fl_cleanup_free char *image = fl_asprintf("%s/x", text);
	fl_cleanup_reference struct fl_reference reference = { 0 };

	return !strchr(text, '@') && fl_reference_parse(image, &reference, NULL) == 0 &&
	       strncmp(reference.host, text, strlen(reference.host)) == 0;
}

static int check_mirrors(const struct place *place, const char *key, fl_json **value,
			 struct fl_err *err)
{
	if (!fl_json_is_array(*value))
		return wrong(place, key, "not a list", err);
	for (size_t i = 0; i < fl_json_count(*value); i++) {
		const char *mirror = fl_json_text(fl_json_item(*value, i));

		if (!mirror || !is_mirror(mirror))
			return wrong(place, key, "a mirror is not host[:port][/path]", err);
	}
	return 0;
}

static int check_duration(const struct place *place, const char *key, fl_json **value,
			  struct fl_err *err)
{
	const char *text = fl_json_text(*value);
	uint64_t ms;

	if (!text || fl_num_duration(text, &ms, NULL) < 0 || !ms || ms > 3600000)
		return wrong(place, key, "not a duration such as 30s, up to 1h", err);
	*value = fl_json_new_int((int64_t)ms);
	return 0;
}

static int check_hosts(const struct place *place, const char *key, fl_json **value,
		       struct fl_err *err);

/* A key that is known, and what its value must be; a check may put another in its place. */
struct known {
	const char *key;
	int (*check)(const struct place *place, const char *key, fl_json **value,
		     struct fl_err *err);
};

static const struct known top_keys[] = {
	{ "hosts", check_hosts },
	{ "helper-timeout", check_duration },
	{ 0 },
};

static const struct known host_keys[] = {
	{ "mirrors", check_mirrors },    { "plain-http", check_bool },
	{ "skip-verify", check_bool },   { "ca-file", check_path },
	{ "cert-file", check_path },     { "key-file", check_path },
	{ "verify-key", check_path },
	{ 0 },
};

static const struct known *find(const struct known *known, const char *key)
{
	for (; known->key; known++)
		if (strcmp(known->key, key) == 0)
			return known;
	return NULL;
}

/* It may be registries.conf, of another tool and in another language. */
static fl_json *refuse_form(const struct place *place, struct fl_err *err)
{
	if (place->host)
		wrong(place, "", "not a mapping", err);
	else
		fl_err_set(err, FL_ERR_INVALID, "%s: not a mapping in YAML with \"hosts:\"; fl-pull(8) says "
			   "what may stand there", place->file);
	return NULL;
}

/* A checked copy of the object; NULL with err. */
static fl_json *check_object(const struct place *place, const struct known *known,
			     const fl_json *object, struct fl_err *err)
{
	fl_cleanup_json fl_json *checked = fl_json_new_object();

	if (!fl_json_is_object(object))
		return refuse_form(place, err);
	for (void *i = fl_json_first(object); i; i = fl_json_next(object, i)) {
		const struct known *one = find(known, fl_json_key(i));
		fl_json *value = fl_json_value(i), *old = value;

		if (!one) {
			wrong(place, fl_json_key(i), "not a key that is known", err);
			return NULL;
		}
		if (one->check(place, one->key, &value, err) < 0)
			return NULL;
		fl_json_set(checked, one->key, value == old ? fl_json_ref(value) : value);
	}
	return fl_json_ref(checked);
}

static int check_host(const struct place *place, const fl_json *host, fl_json *hosts,
		      struct fl_err *err)
{
	fl_cleanup_free char *name = fl_host_normal(place->host);
	fl_json *checked;

	if (strcmp(name, "*") != 0 && (strchr(name, '/') || !is_mirror(name)))
		return wrong(place, "", "not a registry's host", err);
	checked = check_object(place, host_keys, host, err);
	if (!checked)
		return -1;
	if (!fl_json_get(checked, "cert-file") != !fl_json_get(checked, "key-file")) {
		fl_json_unref(checked);
		return wrong(place, "", "cert-file and key-file go together", err);
	}
	fl_json_set(hosts, name, checked);
	return 0;
}

static int check_hosts(const struct place *place, const char *key, fl_json **value,
		       struct fl_err *err)
{
	fl_cleanup_json fl_json *hosts = fl_json_new_object();
	const fl_json *given = *value;

	if (!fl_json_is_object(given))
		return wrong(place, key, "not a mapping of hosts", err);
	for (void *i = fl_json_first(given); i; i = fl_json_next(given, i)) {
		const struct place at = { place->file, fl_json_key(i) };

		if (check_host(&at, fl_json_value(i), hosts, err) < 0)
			return -1;
	}
	*value = fl_json_ref(hosts);
	return 0;
}

/* The file to read; caller frees. */
static char *choose(const char *given, bool *is_named)
{
	const char *set = getenv("FL_REGISTRIES"), *folder = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	char *own;

	given = given ? given : set;
	*is_named = given && *given;
	if (*is_named)
		return fl_strdup(given);
	if (folder && *folder)
		own = fl_asprintf("%s/flintlock/registries.yaml", folder);
	else
		own = fl_asprintf("%s/.config/flintlock/registries.yaml", home ? home : "");
	if (access(own, F_OK) == 0)
		return own;
	free(own);
	return fl_strdup(CONFIG_FILE);
}

int fl_config_load(const char *given, struct fl_config *config, struct fl_err *err)
{
	bool is_named;
	fl_cleanup_free char *file = choose(given, &is_named);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *document = NULL;
	const struct place top = { file, NULL };

	if (!is_named && access(file, F_OK) < 0)
		return 0;
	if (fl_io_read_file(AT_FDCWD, file, CONFIG_LIMIT, &text, err) < 0)
		return -1;
	document = fl_yaml_parse(text.data ? text.data : "", text.len, file, err);
	if (!document)
		return -1;
	config->document = check_object(&top, top_keys, document, err);
	if (!config->document)
		return -1;
	config->helper_timeout_ms =
		(int)fl_json_int(fl_json_get(config->document, "helper-timeout"));
	return 0;
}

void fl_config_finish(struct fl_config *config)
{
	fl_json_unref(config->document);
	*config = (struct fl_config){ 0 };
}

struct fl_host_config fl_config_host(const struct fl_config *config, const char *host)
{
	const fl_json *hosts = fl_json_get(config->document, "hosts");
	const fl_json *own = fl_json_get(hosts, host);

	own = own ? own : fl_json_get(hosts, "*");
	return (struct fl_host_config){
		.plain_http = fl_json_get(own, "plain-http"),
		.skip_verify = fl_json_bool(fl_json_get(own, "skip-verify")),
		.ca_file = fl_json_text(fl_json_get(own, "ca-file")),
		.cert_file = fl_json_text(fl_json_get(own, "cert-file")),
		.key_file = fl_json_text(fl_json_get(own, "key-file")),
		.verify_key = fl_json_text(fl_json_get(own, "verify-key")),
		.mirrors = fl_json_get(own, "mirrors"),
	};
}
