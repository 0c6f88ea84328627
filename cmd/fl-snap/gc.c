/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/gc.h"

#include "cmd/fl-snap/backend.h"
#include "common/alloc.h"
#include "common/num.h"
#include "common/path.h"

#include <string.h>

const struct fl_option fl_gc_options[] = {
	{ "dry-run", 'n', NULL, "only say what would be removed" },
	{ 0 },
};

static void keep(fl_json *set, const char *key)
{
	if (key)
		fl_json_set(set, key, fl_json_new_bool(true));
}

/* The chain that an image's base is called by; an image that is not whole has none. */
static void keep_chain(struct fl_garbage *garbage, const char *digest)
{
	fl_cleanup_image struct fl_image image = { 0 };

	if (digest && fl_digest_is_valid(digest) &&
	    fl_image_load(&garbage->cache->store, digest, &image, NULL) == 0)
		keep(garbage->chains, fl_digest_hex(image.chain_id));
}

/* A base outlives its image in the store while a microVM was made of it. */
static void keep_of_record(struct fl_garbage *garbage, const fl_json *record)
{
	static const char *const files[] = { "host.kernel.path", "host.initrd.path" };
	const fl_json *images = fl_json_at(record, "host.images");
	const fl_json *volumes = fl_json_at(record, "host.volumes");

	for (void *i = fl_json_first(images); i; i = fl_json_next(images, i))
		keep_chain(garbage, fl_json_text(fl_json_get(fl_json_value(i), "digest")));
	for (void *i = fl_json_first(volumes); i; i = fl_json_next(volumes, i)) {
		const char *base = fl_path_last(fl_json_text(fl_json_get(fl_json_value(i), "base")));
		fl_cleanup_free char *chain = base ? fl_strndup(base, strcspn(base, "-")) : NULL;

		keep(garbage->chains, chain);
	}
	for (size_t i = 0; i < FL_COUNT(files); i++)
		keep(garbage->files, fl_path_last(fl_json_text(fl_json_at(record, files[i]))));
}

static int mark_records(struct fl_garbage *garbage, const struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	if (fl_args_state(args, false, &state, err) < 0 || fl_state_list(&state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const struct fl_vm_name *name = &names.items[i];
		struct fl_err why = { 0 };
		fl_cleanup_json fl_json *record = fl_state_look(&state, name, &why);

		keep(garbage->uids, name->uid);
		/* One that left meanwhile needs nothing; what another needs is not known. */
		if (!record && why.kind != FL_ERR_NOT_FOUND)
			return fl_err_set(err, why.kind, "%s; nothing is collected", why.text);
		keep_of_record(garbage, record);
	}
	return 0;
}

static int mark_images(struct fl_garbage *garbage, struct fl_err *err)
{
	fl_cleanup_json fl_json *list = fl_store_list(&garbage->cache->store, err);

	if (!list)
		return -1;
	for (size_t i = 0; i < fl_json_count(list); i++)
		keep_chain(garbage, fl_json_text(fl_json_get(fl_json_item(list, i), "digest")));
	return 0;
}

static int report(const struct fl_args *args, const struct fl_garbage *garbage, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	uint64_t used = 0;
	char size[16];

	if (fl_args_flag(args, "json"))
		return fl_table_print(garbage->table, true, err);
	for (size_t i = 0; i < fl_json_count(garbage->table->rows); i++)
		used += (uint64_t)fl_json_int(
			fl_json_get(fl_json_item(garbage->table->rows, i), "used"));
	fl_num_print_size(used, size);
	if (fl_json_count(garbage->table->rows) && fl_table_print(garbage->table, false, err) < 0)
		return -1;
	fl_str_addf(&text, "%zu %sremoved, %s\n", fl_json_count(garbage->table->rows),
		    garbage->is_dry ? "would be " : "", size);
	return fl_cli_print(text.data, text.len, err);
}

/* Records are read while nobody builds or copies a base; a volume's record is always older
 * than the volume. */
static int collect(struct fl_args *args, struct fl_garbage *garbage, struct fl_err *err)
{
	fl_cleanup_close int lock = fl_store_lock(&garbage->cache->store, true, err);

	if (lock < 0)
		return fl_err_prefix(err, "disks are being made");
	if (mark_images(garbage, err) < 0 || mark_records(garbage, args, err) < 0)
		return -1;
	for (size_t i = 0; fl_backends[i]; i++)
		if (fl_backends[i]->collect && fl_backends[i]->collect(garbage, err) < 0)
			return -1;
	return report(args, garbage, err);
}

int fl_gc(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_cache struct fl_cache cache = { .bases = -1, .files = -1 };
	fl_cleanup_table struct fl_table table = FL_TABLE_INIT;
	fl_cleanup_json fl_json *chains = fl_json_new_object(), *files = fl_json_new_object();
	fl_cleanup_json fl_json *uids = fl_json_new_object();
	struct fl_site site = { .state_dir = fl_args_state_dir(args), .backend = "auto" };
	struct fl_garbage garbage = {
		.site = &site, .cache = &cache, .is_dry = fl_args_flag(args, "dry-run"),
		.chains = chains, .files = files, .uids = uids, .table = &table,
	};

	fl_table_column(&table, "KIND", "kind");
	fl_table_column(&table, "NAME", "name");
	fl_table_size_column(&table, "USED", "used");
	if (fl_cache_open(&cache, site.state_dir, err) < 0)
		return -1;
	return collect(args, &garbage, err);
}
