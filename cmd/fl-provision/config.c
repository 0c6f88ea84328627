/* SPDX-License-Identifier: MPL-2.0 */
/* fl-serve's configuration file. */
#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/route.h"
#include "cmd/fl-provision/service.h"

#include "common/alloc.h"
#include "common/handed.h"
#include "common/io.h"
#include "common/path.h"
#include "common/yaml.h"

#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <string.h>

/* Where flintlockd looks; what stands there goes on to count. */
#define OLD_CONFIG "/etc/opt/flintlockd/config.yaml"
#define CONFIG FL_CONFIG_DIR "/config.yaml"
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

/* What protects and is empty is not set, for fl-serve as for flintlockd, and nobody's wish. */
static bool is_unset(const char *key, const char *value)
{
	return !*value && (fl_str_starts(key, "tls-") || strcmp(key, "token-file") == 0 ||
			   strcmp(key, "basic-auth-token") == 0);
}

static const char *find(const settings *list, const char *key)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].key, key) == 0 && !is_unset(key, list->items[i].value))
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

/* What another has there, what joins it, and what both lack. */
struct merge {
	settings have; /* of both */
	settings wanted;
	struct fl_str base, joined;
};

static void merge_finish(struct merge *merge)
{
	settings_finish(&merge->have);
	settings_finish(&merge->wanted);
	fl_str_finish(&merge->base);
	fl_str_finish(&merge->joined);
}

static void remark(struct fl_str *why, const char *format, ...) FL_PRINTF(2, 3);

static void remark(struct fl_str *why, const char *format, ...)
{
	va_list args;

	if (why->len)
		fl_str_add(why, "; ");
	va_start(args, format);
	fl_str_vaddf(why, format, args);
	va_end(args);
}

/* What is there stays, and is told when it is otherwise. */
static void want(struct merge *merge, const char *key, const char *value, struct fl_str *why)
{
	const char *have = find(&merge->have, key);

	if (!have)
		take(&merge->wanted, key, value, 0, NULL);
	else if (strcmp(have, value) != 0)
		remark(why, "%s stays \"%s\" (not \"%s\")", key, have, value);
}

static bool is_on(const settings *list, const char *key)
{
	const char *value = find(list, key);

	return value && strcmp(value, "false") != 0;
}

/* Who signs clients' certificates is asked for by default with a certificate of ours alone:
 * those who came without to a server of their own go on to be served. */
static void want_own_tls(struct merge *merge, struct fl_str *why)
{
	want(merge, "tls-cert", FL_PKI_DIR "/server.pem", why);
	want(merge, "tls-key", FL_PKI_DIR "/server.key", why);
	if (!find(&merge->have, "tls-client-validate"))
		want(merge, "tls-client-validate", "true", why);
	if (is_on(&merge->have, "tls-client-validate") || is_on(&merge->wanted, "tls-client-validate"))
		want(merge, "tls-client-ca", FL_PKI_DIR "/ca.pem", why);
}

static void want_tls(struct merge *merge, struct fl_str *why)
{
	const char *cert = find(&merge->have, "tls-cert");
	bool is_own = !cert || strcmp(cert, FL_PKI_DIR "/server.pem") == 0;

	if (is_own)
		want_own_tls(merge, why);
	else
		remark(why, "tls-cert stays \"%s\"; no certificates are made", cert);
	if (find(&merge->have, "basic-auth-token") || find(&merge->have, "token-file") ||
	    (!is_own && find(&merge->have, "tls-client-ca")))
		return;
	if (!is_own)
		remark(why, "clients need a token of " FL_TOKENS_FILE " now: fl-serve asks for that or for "
		       "certificates");
	want(merge, "token-file", FL_TOKENS_FILE, why);
}

/* As provision.sh has it: where the default route leads to, unless something is said. */
static void want_parent(const struct fl_host *host, struct merge *merge, struct fl_str *why)
{
	fl_cleanup_free char *link = fl_route_interface();

	if (host->parent_iface)
		want(merge, "parent-iface", host->parent_iface, why);
	else if (link && !find(&merge->have, "parent-iface"))
		want(merge, "parent-iface", link, why);
}

/* What a file brought along may be of another host. It may also come later. */
static void say_missing(const struct fl_host *host, const struct merge *merge, struct fl_str *why)
{
	static const char *const links[] = { "bridge-name", "parent-iface" };

	for (size_t i = 0; i < FL_COUNT(links); i++) {
		const char *link = find(&merge->have, links[i]);

		if (link && *link && !fl_str_equal(host->bridge, link) && !if_nametoindex(link))
			remark(why, "%s %s: there is no such link", links[i], link);
	}
	for (const struct fl_handed *one = fl_handed; one->setting; one++) {
		const char *name = one->is_program ? find(&merge->have, one->setting) : NULL;
		fl_cleanup_free char *found = name && *name ? fl_path_find_program(name) : NULL;

		if (name && *name && !found)
			remark(why, "%s %s: there is no such program", one->setting, name);
	}
}

/* What we want; what is there decides whether it is with TLS. */
static void want_ours(const struct fl_host *host, struct merge *merge, struct fl_str *why)
{
	fl_cleanup_free char *address = fl_service_address(host);
	fl_cleanup_free char *endpoint = fl_asprintf(strchr(address, ':') ? "[%s]:%u" : "%s:%u",
						     address, host->grpc_port);
	const char *insecure = find(&merge->have, "insecure");

	if (!host->grpc_address && strcmp(address, "127.0.0.1") == 0 &&
	    !find(&merge->have, "grpc-endpoint"))
		remark(why, "no address is known that others reach: this machine alone is served; "
		       "--grpc-address names one");
	want(merge, "grpc-endpoint", endpoint, why);
	if (strcmp(host->state_dir, "/var/lib/flintlock") != 0)
		want(merge, "state-dir", host->state_dir, why);
	if (host->bridge)
		want(merge, "bridge-name", host->bridge, why);
	want_parent(host, merge, why);
	if (is_on(&merge->have, "insecure")) {
		if (!host->insecure)
			remark(why, "insecure: TLS and a token are not switched on");
	} else if (host->insecure && !insecure && !find(&merge->have, "tls-cert")) {
		want(merge, "insecure", "true", why);
	} else {
		if (host->insecure)
			remark(why, "--insecure is not taken, as %s stands there; take that out for it",
			       insecure ? "insecure: false" : "tls-cert");
		want_tls(merge, why);
	}
}

/* What stands between the quotes of a YAML scalar; JSON's escapes are YAML's, too. */
static char *escaped(const char *value)
{
	fl_cleanup_json fl_json *text = fl_json_new_text(value);
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	fl_json_print(text, false, &out);
	return fl_strndup(out.data + 1, out.len - 2);
}

/* base with every wanted setting, and not a byte of it changed. */
static int complete(const struct merge *merge, struct fl_str *text, struct fl_err *err)
{
	FL_VEC(struct fl_yaml_addition) additions = { 0 };
	int rc;

	for (size_t i = 0; i < merge->wanted.count; i++) {
		const struct setting *one = &merge->wanted.items[i];

		FL_VEC_ADD(&additions, (struct fl_yaml_addition){ { one->key, one->key }, one->key,
								  escaped(one->value) });
	}
	rc = fl_yaml_complete(merge->base.data, merge->base.len, "configuration", additions.items,
			      additions.count, text, err);
	for (size_t i = 0; i < additions.count; i++)
		free((char *)additions.items[i].value);
	free(additions.items);
	return rc;
}

/* What is there goes before the file that joins, and that before what we want. */
static int gather(const struct fl_host *host, const char *joined_from, const struct fl_str *now,
		  struct merge *merge, struct fl_str *why, struct fl_err *err)
{
	settings joined FL_CLEANUP(settings_finish) = { 0 };
	const struct fl_str *base = now ? now : &merge->joined;

	if (read_settings(&merge->joined, joined_from, &joined, err) < 0)
		return -1;
	fl_str_add_bytes(&merge->base, base->data, base->len);
	if (read_settings(&merge->base, CONFIG, &merge->have, err) < 0)
		return -1;
	if (*joined_from)
		remark(why, "with the settings of %s", joined_from);
	for (size_t i = 0; i < joined.count; i++) {
		const struct setting *one = &joined.items[i];

		if (is_unset(one->key, one->value) || find(&merge->have, one->key))
			continue;
		take(&merge->have, one->key, one->value, 0, NULL);
		take(&merge->wanted, one->key, one->value, 0, NULL);
	}
	want_ours(host, merge, why);
	say_missing(host, merge, why);
	return 0;
}

static int read_joined(const char *file, const char *known, struct fl_str *text,
		       struct fl_err *err)
{
	fl_str_add(text, known ? known : "");
	return known || !*file ? 0 : fl_io_read_file(AT_FDCWD, file, LONGEST, text, err);
}

static int write_config(const struct fl_host *host, const fl_json *about,
			const struct fl_str *now, struct fl_str *text, struct fl_str *why,
			struct fl_err *err)
{
	struct merge merge FL_CLEANUP(merge_finish) = { 0 };
	const char *from = fl_about_text(about, "joined_from");

	if (read_joined(from, fl_json_text(fl_json_get(about, "joined")), &merge.joined, err) < 0 ||
	    gather(host, from, now, &merge, why, err) < 0)
		return -1;
	return complete(&merge, text, err);
}

/* What an endpoint is dialed by: HOST:PORT or [IPv6]:PORT; nothing of a socket. */
static void add_host(const char *endpoint, struct fl_str *hosts)
{
	const char *end;

	if (!endpoint || fl_str_starts(endpoint, "unix:") || fl_str_starts(endpoint, "fd:"))
		return;
	end = *endpoint == '[' ? strchr(endpoint, ']') : strrchr(endpoint, ':');
	endpoint += *endpoint == '[';
	if (end && end > endpoint)
		fl_str_addf(hosts, "%s%.*s", hosts->len ? "," : "", (int)(end - endpoint), endpoint);
}

/* A setting as it is going to be. */
static const char *final(const struct merge *merge, const char *key)
{
	const char *have = find(&merge->have, key);

	return have ? have : find(&merge->wanted, key);
}

/* A file whose settings join: the user's, also an earlier one, or flintlockd's. known: its text,
 * where that is kept, as it may be gone. */
static const char *find_joined(const struct fl_site *site, bool has_base, const char **known)
{
	const fl_json *entry = fl_file_entry(site, CONFIG);
	const char *from = entry ? fl_about_text(entry, "joined_from") : "";
	bool has_old = access(OLD_CONFIG, F_OK) == 0;

	if (site->host->config)
		return site->host->config;
	if (*from && !(has_old && strcmp(from, OLD_CONFIG) == 0)) {
		*known = fl_about_text(entry, "joined");
		return from;
	}
	return has_old && !has_base ? OLD_CONFIG : "";
}

static fl_json *list_reread(const struct merge *merge)
{
	static const char *const keys[] = { "tls-cert", "tls-key", "tls-client-ca", "token-file" };
	fl_json *files = fl_json_new_array();

	for (size_t i = 0; i < FL_COUNT(keys); i++) {
		const char *file = final(merge, keys[i]);

		if (file)
			fl_json_add(files, fl_json_new_text(file));
	}
	return files;
}

int fl_config_look(const struct fl_site *site, struct fl_serving *serving, struct fl_err *err)
{
	struct merge merge FL_CLEANUP(merge_finish) = { 0 };
	fl_cleanup_str struct fl_str base = FL_STR_INIT, why = FL_STR_INIT;
	int has_base = fl_file_base(site, CONFIG, &base, err);
	const char *known = NULL;

	if (has_base < 0)
		return -1;
	serving->joined_from = fl_strdup(find_joined(site, has_base, &known));
	if (read_joined(serving->joined_from, known, &merge.joined, err) < 0)
		return -1;
	serving->joined = fl_strdup(merge.joined.data);
	serving->is_new = !has_base;
	if (gather(site->host, serving->joined_from, has_base ? &base : NULL, &merge, &why, err) < 0)
		return -1;
	if (find(&merge.wanted, "grpc-endpoint") && !find(&merge.have, "grpc-endpoint"))
		serving->address = site->host->grpc_address;
	add_host(final(&merge, "grpc-endpoint"), &serving->hosts);
	add_host(final(&merge, "http-endpoint"), &serving->hosts);
	serving->reread = list_reread(&merge);
	if (final(&merge, "grpc-endpoint"))
		serving->endpoint = fl_strdup(final(&merge, "grpc-endpoint"));
	if (final(&merge, "state-dir"))
		serving->state_dir = fl_strdup(final(&merge, "state-dir"));
	serving->own_certificate = fl_str_equal(final(&merge, "tls-cert"), FL_PKI_DIR "/server.pem");
	serving->own_tokens = fl_str_equal(final(&merge, "token-file"), FL_TOKENS_FILE);
	return 0;
}

/* What it names of ours. */
static fl_json *own_files(const struct fl_serving *serving)
{
	static const char *const files[] = { FL_PKI_DIR "/server.pem", FL_PKI_DIR "/server.key",
					     FL_PKI_DIR "/ca.pem" };
	fl_json *own = fl_json_new_array();

	for (size_t i = 0; serving->own_certificate && i < FL_COUNT(files); i++)
		fl_json_add(own, fl_json_new_text(files[i]));
	if (serving->own_tokens)
		fl_json_add(own, fl_json_new_text(FL_TOKENS_FILE));
	return own;
}

/* A server that runs is stopped for the settings; it must be able to begin again. */
static int may_listen(const struct fl_site *site, const fl_json *about, struct fl_err *err)
{
	const char *address = fl_about_text(about, "address");

	(void)site;
	if (fl_route_may_listen(address))
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION, "--grpc-address %s: is no address of this host; "
			  "\"ip address\" lists them, 0.0.0.0 is all of them", address);
}

void fl_config_add(fl_acts *acts, const struct fl_serving *serving)
{
	static const struct fl_file config = { .mode = 0600, .merges = true, .write = write_config,
					       .accept = fl_config_accept,
					       .may_write = may_listen };
	struct fl_act *act = fl_file_add(acts, "flintlock", CONFIG, &config);

	fl_json_set(act->about, "own", own_files(serving));
	if (serving->address)
		fl_json_set(act->about, "address", fl_json_new_text(serving->address));
	if (!serving->joined_from || !*serving->joined_from)
		return;
	fl_json_set(act->about, "joined_from", fl_json_new_text(serving->joined_from));
	if (serving->is_new)
		fl_json_set(act->about, "begins_with", fl_json_new_text(serving->joined_from));
	if (serving->joined)
		fl_json_set(act->about, "joined", fl_json_new_text(serving->joined));
}

void fl_serving_finish(struct fl_serving *serving)
{
	fl_str_finish(&serving->hosts);
	fl_json_unref(serving->reread);
	free(serving->endpoint);
	free(serving->state_dir);
	free(serving->joined_from);
	free(serving->joined);
}
