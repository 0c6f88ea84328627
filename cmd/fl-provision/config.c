/* SPDX-License-Identifier: MPL-2.0 */
/* fl-serve's configuration file. */
#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/service.h"

#include "common/alloc.h"
#include "common/io.h"
#include "common/yaml.h"

#include <fcntl.h>
#include <string.h>

/* Where flintlockd looks; what stands there goes on to count. */
#define OLD_CONFIG "/etc/opt/flintlockd/config.yaml"
#define LONGEST (1 << 20)

struct setting {
	char *key, *value;
};

typedef FL_VEC(struct setting) settings;

static void settings_finish(settings *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].key);
		free(list->items[i].value);
	}
	free(list->items);
}

static const char *find(const settings *list, const char *key)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].key, key) == 0)
			return list->items[i].value;
	return NULL;
}

static int take(void *arg, const char *key, const char *value, size_t line, struct fl_err *err)
{
	settings *list = arg;

	(void)line;
	(void)err;
	FL_VEC_ADD(list, (struct setting){ fl_strdup(key), fl_strdup(value) });
	return 0;
}

static int read_settings(const struct fl_str *text, const char *name, settings *list,
			 struct fl_err *err)
{
	return fl_yaml_settings(text->data, text->len, name, take, list, err);
}

/* What we want; an earlier file's settings decide whether it is with TLS. */
static void add_wanted(const struct fl_host *host, const settings *have, settings *wanted)
{
	fl_cleanup_free char *address = fl_service_address(host);
	bool is_v6 = strchr(address, ':') != NULL;
	const char *insecure = find(have, "insecure");
	bool open = insecure ? strcmp(insecure, "true") == 0
			     : host->insecure && !find(have, "tls-cert");
	fl_cleanup_free char *endpoint =
		fl_asprintf(is_v6 ? "[%s]:%u" : "%s:%u", address, host->grpc_port);

	take(wanted, "grpc-endpoint", endpoint, 0, NULL);
	if (strcmp(host->state_dir, "/var/lib/flintlock") != 0)
		take(wanted, "state-dir", host->state_dir, 0, NULL);
	if (host->bridge)
		take(wanted, "bridge-name", host->bridge, 0, NULL);
	if (host->parent_iface)
		take(wanted, "parent-iface", host->parent_iface, 0, NULL);
	if (open) {
		take(wanted, "insecure", "true", 0, NULL);
		return;
	}
	take(wanted, "tls-cert", FL_PKI_DIR "/server.pem", 0, NULL);
	take(wanted, "tls-key", FL_PKI_DIR "/server.key", 0, NULL);
	take(wanted, "tls-client-validate", "true", 0, NULL);
	take(wanted, "tls-client-ca", FL_PKI_DIR "/ca.pem", 0, NULL);
	if (!find(have, "basic-auth-token"))
		take(wanted, "token-file", FL_TOKENS_FILE, 0, NULL);
}

/* What stands between the quotes of a YAML scalar; JSON's escapes are YAML's, too. */
static char *escaped(const char *value)
{
	fl_cleanup_json fl_json *text = fl_json_new_text(value);
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	fl_json_print(text, false, &out);
	return fl_strndup(out.data + 1, out.len - 2);
}

static void say_difference(const struct setting *want, const char *have, struct fl_str *why)
{
	if (have && strcmp(have, want->value) != 0)
		fl_str_addf(why, "%s%s stays \"%s\" (not \"%s\")", why->len ? "; " : "", want->key,
			    have, want->value);
}

/* base with every wanted setting that it lacks, and not a byte of it changed. */
static int complete(const struct fl_str *base, const settings *have, const settings *wanted,
		    struct fl_str *text, struct fl_str *why, struct fl_err *err)
{
	FL_VEC(struct fl_yaml_addition) additions = { 0 };
	int rc;

	for (size_t i = 0; i < wanted->count; i++) {
		const struct setting *want = &wanted->items[i];

		say_difference(want, find(have, want->key), why);
		FL_VEC_ADD(&additions, (struct fl_yaml_addition){ { want->key, want->key }, want->key,
								  escaped(want->value) });
	}
	rc = fl_yaml_complete(base->data, base->len, "configuration", additions.items,
			      additions.count, text, err);
	for (size_t i = 0; i < additions.count; i++)
		free((char *)additions.items[i].value);
	free(additions.items);
	return rc;
}

/* A file whose settings join: the user's, or flintlockd's. NULL: none. */
static const char *other_file(const struct fl_host *host, bool is_new)
{
	if (host->config)
		return host->config;
	return is_new && access(OLD_CONFIG, F_OK) == 0 ? OLD_CONFIG : NULL;
}

struct merge {
	settings have, wanted;
	struct fl_str base, other;
};

static void merge_finish(struct merge *merge)
{
	settings_finish(&merge->have);
	settings_finish(&merge->wanted);
	fl_str_finish(&merge->base);
	fl_str_finish(&merge->other);
}

/* What is there goes before the other file, and that before what we want. */
static int gather(const struct fl_host *host, const struct fl_str *now, struct merge *merge,
		  struct fl_str *why, struct fl_err *err)
{
	const char *other = other_file(host, !now);
	settings settings_of_other FL_CLEANUP(settings_finish) = { 0 };

	fl_str_add(&merge->other, "");
	if (other && (fl_io_read_file(AT_FDCWD, other, LONGEST, &merge->other, err) < 0 ||
		      read_settings(&merge->other, other, &settings_of_other, err) < 0))
		return -1;
	if (other)
		fl_str_addf(why, "%swith the settings of %s", why->len ? "; " : "", other);
	fl_str_add_bytes(&merge->base, now ? now->data : merge->other.data,
			 now ? now->len : merge->other.len);
	if (read_settings(&merge->base, FL_CONFIG_DIR "/config.yaml", &merge->have, err) < 0)
		return -1;
	for (size_t i = 0; i < settings_of_other.count; i++)
		if (!find(&merge->have, settings_of_other.items[i].key))
			take(&merge->wanted, settings_of_other.items[i].key,
			     settings_of_other.items[i].value, 0, NULL);
	return 0;
}

static int write_config(const struct fl_host *host, const fl_json *about,
			const struct fl_str *now, struct fl_str *text, struct fl_str *why,
			struct fl_err *err)
{
	struct merge merge FL_CLEANUP(merge_finish) = { 0 };
	settings all FL_CLEANUP(settings_finish) = { 0 };

	(void)about;
	if (gather(host, now, &merge, why, err) < 0)
		return -1;
	for (size_t i = 0; i < merge.have.count; i++)
		take(&all, merge.have.items[i].key, merge.have.items[i].value, 0, NULL);
	for (size_t i = 0; i < merge.wanted.count; i++)
		take(&all, merge.wanted.items[i].key, merge.wanted.items[i].value, 0, NULL);
	add_wanted(host, &all, &merge.wanted);
	return complete(&merge.base, &merge.have, &merge.wanted, text, why, err);
}

void fl_config_add(fl_acts *acts)
{
	static const struct fl_file config = { .mode = 0600, .merges = true, .write = write_config };

	fl_file_add(acts, "flintlock", FL_CONFIG_DIR "/config.yaml", &config);
}
