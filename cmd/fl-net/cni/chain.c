/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/cni/chain.h"

#include "cmd/fl-net/cni/list.h"

static const fl_json *plugin_at(const fl_json *list, size_t index)
{
	return fl_json_item(fl_json_get(list, "plugins"), index);
}

int fl_cni_look(const fl_json *list, const char *path, struct fl_err *err)
{
	for (size_t i = 0; i < fl_json_count(fl_json_get(list, "plugins")); i++) {
		const char *type = fl_json_text(fl_json_get(plugin_at(list, i), "type"));
		fl_cleanup_free char *program = fl_cni_plugin_find(path, type, err);

		if (!program)
			return fl_err_prefix(err, "CNI network %s",
					     fl_json_text(fl_json_get(list, "name")));
	}
	return 0;
}

static fl_json *runtime_config(const fl_json *capabilities, const fl_json *parts)
{
	fl_json *config = fl_json_new_object();

	for (void *i = fl_json_first(parts); i; i = fl_json_next(parts, i))
		if (fl_json_bool(fl_json_get(capabilities, fl_json_key(i))))
			fl_json_set(config, fl_json_key(i), fl_json_ref(fl_json_value(i)));
	return config;
}

/* What goes to a plugin's standard input (section 3, "Deriving execution configuration"). */
static fl_json *config_of(const fl_json *list, size_t index, const fl_json *parts,
			  const fl_json *result)
{
	fl_json *config = fl_json_copy(plugin_at(list, index));
	fl_json *runtime = runtime_config(fl_json_get(config, "capabilities"), parts);

	fl_json_set(config, "capabilities", NULL);
	fl_json_set(config, "name", fl_json_ref(fl_json_get(list, "name")));
	fl_json_set(config, "cniVersion", fl_json_ref(fl_json_get(list, "cniVersion")));
	fl_json_set(config, "runtimeConfig", fl_json_count(runtime) ? fl_json_ref(runtime) : NULL);
	fl_json_set(config, "prevResult", result ? fl_json_copy(result) : NULL);
	fl_json_unref(runtime);
	return config;
}

static int run_one(const struct fl_cni_call *call, const fl_json *list, size_t index,
		   fl_json *config, fl_json **result, struct fl_err *err)
{
	const char *type = fl_json_text(fl_json_get(plugin_at(list, index), "type"));

	if (fl_cni_plugin_run(call, type, config, result, err) == 0)
		return 0;
	return fl_err_prefix(err, "CNI network %s", fl_json_text(fl_json_get(list, "name")));
}

static int run_at(const struct fl_cni_call *call, const fl_json *list, size_t index,
		  const fl_json *parts, const fl_json *before, fl_json **result, struct fl_err *err)
{
	fl_cleanup_json fl_json *config = config_of(list, index, parts, before);

	return run_one(call, list, index, config, result, err);
}

int fl_cni_add(struct fl_cni_call *call, const fl_json *list, const fl_json *parts,
	       fl_json **result, struct fl_err *err)
{
	fl_cleanup_json fl_json *last = NULL;

	call->command = "ADD";
	for (size_t i = 0; i < fl_json_count(fl_json_get(list, "plugins")); i++) {
		fl_json *next = NULL;

		if (run_at(call, list, i, parts, last, &next, err) < 0)
			return -1;
		fl_json_unref(last);
		last = next;
	}
	*result = last ? fl_json_ref(last) : NULL;
	return 0;
}

int fl_cni_del(struct fl_cni_call *call, const fl_json *list, const fl_json *parts,
	       const fl_json *result, struct fl_err *err)
{
	fl_json *none = NULL;

	call->command = "DEL";
	/* Before 0.4 there was no word of earlier results. */
	if (!fl_cni_list_is_since(list, "0.4.0"))
		result = NULL;
	for (size_t i = fl_json_count(fl_json_get(list, "plugins")); i-- > 0;)
		if (run_at(call, list, i, parts, result, &none, err) < 0)
			return -1;
	return 0;
}

int fl_cni_check(struct fl_cni_call *call, const fl_json *list, const fl_json *parts,
		 const fl_json *result, struct fl_err *err)
{
	fl_json *none = NULL;

	call->command = "CHECK";
	if (!fl_cni_list_is_since(list, "0.4.0") || fl_json_bool(fl_json_get(list, "disableCheck")))
		return 0;
	for (size_t i = 0; i < fl_json_count(fl_json_get(list, "plugins")); i++)
		if (run_at(call, list, i, parts, result, &none, err) < 0)
			return -1;
	return 0;
}

int fl_cni_gc(struct fl_cni_call *call, const fl_json *list, const fl_json *valid,
	      struct fl_err *err)
{
	fl_json *none = NULL;

	call->command = "GC";
	if (!fl_cni_list_is_since(list, "1.1.0") || fl_json_bool(fl_json_get(list, "disableGC")))
		return 0;
	for (size_t i = 0; i < fl_json_count(fl_json_get(list, "plugins")); i++) {
		fl_cleanup_json fl_json *config = config_of(list, i, NULL, NULL);

		fl_json_set(config, "cni.dev/valid-attachments", fl_json_copy(valid));
		/* The name that the key had before it was settled; both are sent by others, too. */
		fl_json_set(config, "cni.dev/attachments", fl_json_copy(valid));
		if (run_one(call, list, i, config, &none, err) < 0)
			return -1;
	}
	return 1;
}
