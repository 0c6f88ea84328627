/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/cni/list.h"

#include "common/alloc.h"
#include "common/io.h"
#include "common/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define FILE_LIMIT (1 << 20)
#define MOST_PLUGINS 64

/* What 0.2 and before answer has another form. */
static const char *const versions[] = { "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" };

static int number_of(const char *version)
{
	for (size_t i = 0; version && i < FL_COUNT(versions); i++)
		if (strcmp(version, versions[i]) == 0)
			return (int)i;
	return -1;
}

bool fl_cni_list_is_since(const fl_json *list, const char *version)
{
	return number_of(fl_json_text(fl_json_get(list, "cniVersion"))) >= number_of(version);
}

bool fl_cni_list_can(const fl_json *list, const char *capability)
{
	const fl_json *plugins = fl_json_get(list, "plugins");

	for (size_t i = 0; i < fl_json_count(plugins); i++)
		if (fl_json_bool(fl_json_get(
			    fl_json_get(fl_json_item(plugins, i), "capabilities"), capability)))
			return true;
	return false;
}

static bool is_name(const char *name)
{
	return name && fl_path_is_name(name) && !strchr("._-", *name);
}

static int choose_version(const fl_json *document, const char *where, const char **version,
			  struct fl_err *err)
{
	const fl_json *more = fl_json_get(document, "cniVersions");
	const char *said = fl_json_text(fl_json_get(document, "cniVersion"));
	int best = number_of(said);

	for (size_t i = 0; i < fl_json_count(more); i++) {
		int one = number_of(fl_json_text(fl_json_item(more, i)));

		best = one > best ? one : best;
	}
	if (best < 0)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: cniVersion %.40s is not known; known "
				  "are 0.3.0 to 1.1.0", where, said ? said : "(none)");
	*version = versions[best];
	return 0;
}

static int check_plugin(const fl_json *plugin, const char *where, size_t number, struct fl_err *err)
{
	const char *type = fl_json_text(fl_json_get(plugin, "type"));

	if (!fl_json_is_object(plugin))
		return fl_err_set(err, FL_ERR_INVALID, "%s: plugins[%zu] is not an object", where,
				  number);
	/* It becomes a file's name. */
	if (!type || !fl_path_is_name(type))
		return fl_err_set(err, FL_ERR_INVALID, "%s: plugins[%zu].type is not the name of a "
				  "plugin", where, number);
	return 0;
}

static int check_plugins(const fl_json *plugins, const char *where, struct fl_err *err)
{
	if (!fl_json_is_array(plugins) || fl_json_count(plugins) < 1 ||
	    fl_json_count(plugins) > MOST_PLUGINS)
		return fl_err_set(err, FL_ERR_INVALID, "%s: plugins is not a list of 1 to %d plugins",
				  where, MOST_PLUGINS);
	for (size_t i = 0; i < fl_json_count(plugins); i++)
		if (check_plugin(fl_json_item(plugins, i), where, i, err) < 0)
			return -1;
	return 0;
}

/* A flag, or the text of one as CNI 0.4 wrote it. */
static bool flag_of(const fl_json *document, const char *key)
{
	const fl_json *value = fl_json_get(document, key);

	return fl_json_bool(value) || fl_str_equal(fl_json_text(value), "true");
}

static fl_json *plugins_of(const fl_json *document)
{
	fl_json *plugins = fl_json_get(document, "plugins"), *only;

	if (plugins || !fl_json_get(document, "type"))
		return plugins ? fl_json_copy(plugins) : NULL;
	only = fl_json_new_array();
	fl_json_add(only, fl_json_copy(document));
	return only;
}

fl_json *fl_cni_list_read(const fl_json *document, const char *where, struct fl_err *err)
{
	fl_cleanup_json fl_json *plugins = plugins_of(document);
	const char *name = fl_json_text(fl_json_get(document, "name")), *version = NULL;
	fl_json *list;

	if (!is_name(name)) {
		fl_err_set(err, FL_ERR_INVALID, "%s: name is not that of a network: A-Z a-z 0-9, then "
			   "A-Z a-z 0-9 . _ -, at most 63", where);
		return NULL;
	}
	if (choose_version(document, where, &version, err) < 0 ||
	    check_plugins(plugins, where, err) < 0)
		return NULL;
	list = fl_json_new_object();
	fl_json_set(list, "name", fl_json_new_text(name));
	fl_json_set(list, "cniVersion", fl_json_new_text(version));
	fl_json_set(list, "disableCheck", fl_json_new_bool(flag_of(document, "disableCheck")));
	fl_json_set(list, "disableGC", fl_json_new_bool(flag_of(document, "disableGC")));
	fl_json_set(list, "plugins", fl_json_ref(plugins));
	return list;
}

static int is_list_file(const struct dirent *entry)
{
	const char *name = entry->d_name;

	return *name != '.' && (fl_str_ends(name, ".conflist") || fl_str_ends(name, ".conf") ||
				fl_str_ends(name, ".json"));
}

static fl_json *read_file(const char *folder, const char *file, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/%s", folder, file);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *document = NULL;

	if (fl_io_read_file(AT_FDCWD, path, FILE_LIMIT, &text, err) == 0)
		document = fl_json_parse(text.data, text.len, path, err);
	return document ? fl_cni_list_read(document, path, err) : NULL;
}

/* A damaged file is told of only where the network is in no other. */
static fl_json *search(const char *folder, struct dirent *const *entries, int count,
		       const char *name, struct fl_err *damage)
{
	for (int i = 0; i < count; i++) {
		struct fl_err why = { 0 };
		fl_json *list = read_file(folder, entries[i]->d_name, &why);

		if (list && fl_str_equal(fl_json_text(fl_json_get(list, "name")), name))
			return list;
		if (!list && damage->kind == FL_ERR_NONE)
			*damage = why;
		fl_json_unref(list);
	}
	return NULL;
}

fl_json *fl_cni_list_find(const char *folder, const char *name, struct fl_err *err)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_list_file, alphasort);
	struct fl_err damage = { 0 };
	fl_json *list = count > 0 ? search(folder, entries, count, name, &damage) : NULL;

	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	if (list)
		return list;
	if (damage.kind != FL_ERR_NONE) {
		fl_err_pass(err, &damage);
		fl_err_prefix(err, "CNI network %s", name);
	} else {
		fl_err_set(err, FL_ERR_NOT_FOUND, "CNI network %s: no file in %s has it; write "
			   "one, or give --cni-conf-dir", name, folder);
	}
	return NULL;
}
