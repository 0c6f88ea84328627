/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/show.h"

#include "cmd/fl-pull/look.h"
#include "common/alloc.h"
#include "common/log.h"
#include "common/num.h"
#include "common/shell.h"
#include "common/table.h"

#include <string.h>

const struct fl_option fl_inspect_options[] = { FL_GET_OPTIONS, { 0 } };

fl_json *fl_show_image(const char *ref, const struct fl_image *image)
{
	fl_json *out = fl_json_new_object();

	fl_json_set(out, "ref", fl_json_new_text(ref));
	fl_json_set(out, "digest", fl_json_new_text(image->digest));
	fl_json_set(out, "platform", fl_json_new_text(image->platform));
	fl_json_set(out, "size", fl_json_new_int((int64_t)image->size));
	fl_json_set(out, "layers", fl_json_new_int((int64_t)image->layer_count));
	return out;
}

static int list_one(const struct fl_store *store, const fl_json *descriptor,
		    struct fl_table *table)
{
	const char *ref = fl_store_name_of(descriptor);
	const char *digest = fl_json_text(fl_json_get(descriptor, "digest"));
	struct fl_image image;

	if (!ref || !digest || !fl_digest_is_valid(digest) ||
	    fl_image_load(store, digest, &image, NULL) < 0)
		return 0;
	fl_table_row(table, fl_show_image(ref, &image));
	fl_image_finish(&image);
	return 0;
}

int fl_show_ls(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_table struct fl_table table = FL_TABLE_INIT;
	fl_cleanup_store struct fl_store store = { .dirfd = -1, .blobs = -1 };
	fl_cleanup_json fl_json *list = NULL;

	fl_table_column(&table, "REF", "ref");
	fl_table_column(&table, "DIGEST", "digest");
	fl_table_column(&table, "PLATFORM", "platform");
	fl_table_size_column(&table, "SIZE", "size");
	fl_table_column(&table, "LAYERS", "layers");
	if (fl_store_open(&store, fl_args_state_dir(args), false, err) == 0) {
		list = fl_store_list(&store, err);
		if (!list)
			return fl_err_prefix(err, "%s", store.path);
	} else if (err->kind != FL_ERR_NOT_FOUND) {
		return -1;
	}
	for (size_t i = 0; i < fl_json_count(list); i++)
		list_one(&store, fl_json_item(list, i), &table);
	return fl_table_print(&table, fl_args_flag(args, "json"), err);
}

/* What the image's maker wrote moves no cursor and makes no line. */
static void add_line(struct fl_str *out, const char *title, const char *value)
{
	size_t from = out->len;

	if (!value || !*value)
		return;
	fl_str_addf(out, "%-12s %s", title, value);
	fl_log_tame(out->data + from, "");
	fl_str_add(out, "\n");
}

/* As a shell would take it: where one word ends is to be seen. */
static void add_words(struct fl_str *out, const char *title, const fl_json *list)
{
	fl_cleanup_str struct fl_str words = FL_STR_INIT;

	for (size_t i = 0; i < fl_json_count(list); i++) {
		const char *word = fl_json_text(fl_json_item(list, i));

		fl_str_add(&words, i ? " " : "");
		fl_shell_word(&words, word ? word : "?");
	}
	add_line(out, title, words.data);
}

static void add_labels(struct fl_str *out, const fl_json *labels)
{
	const char *title = "labels";

	for (void *i = fl_json_first(labels); i; i = fl_json_next(labels, i)) {
		const char *value = fl_json_text(fl_json_value(i));
		fl_cleanup_free char *label = fl_asprintf("%s=%s", fl_json_key(i), value ? value : "");

		add_line(out, title, label);
		title = "";
	}
}

static void add_config(struct fl_str *out, const fl_json *config)
{
	static const struct {
		const char *title, *key;
	} lists[] = {
		{ "entrypoint", "Entrypoint" },
		{ "command", "Cmd" },
		{ "environment", "Env" },
	};
	const fl_json *runs = fl_json_get(config, "config");

	add_line(out, "created", fl_json_text(fl_json_get(config, "created")));
	add_line(out, "author", fl_json_text(fl_json_get(config, "author")));
	for (size_t i = 0; i < FL_COUNT(lists); i++)
		add_words(out, lists[i].title, fl_json_get(runs, lists[i].key));
	add_line(out, "user", fl_json_text(fl_json_get(runs, "User")));
	add_line(out, "folder", fl_json_text(fl_json_get(runs, "WorkingDir")));
	add_labels(out, fl_json_get(runs, "Labels"));
}

static int print_text(const fl_json *seen, struct fl_err *err)
{
	fl_cleanup_table struct fl_table table = FL_TABLE_INIT;
	fl_cleanup_str struct fl_str out = FL_STR_INIT;
	const fl_json *layers = fl_json_get(seen, "layers");
	char size[16];

	add_line(&out, "ref", fl_json_text(fl_json_get(seen, "ref")));
	add_line(&out, "digest", fl_json_text(fl_json_get(seen, "digest")));
	add_line(&out, "type", fl_json_text(fl_json_get(seen, "media_type")));
	add_line(&out, "platform", fl_json_text(fl_json_get(seen, "platform")));
	add_words(&out, "platforms", fl_json_get(seen, "platforms"));
	fl_num_print_size((uint64_t)fl_json_int(fl_json_get(seen, "size")), size);
	add_line(&out, "size", size);
	add_config(&out, fl_json_get(seen, "config"));
	fl_str_add(&out, "\n");
	if (fl_cli_print(out.data, out.len, err) < 0)
		return -1;
	fl_table_column(&table, "LAYER", "digest");
	fl_table_size_column(&table, "SIZE", "size");
	fl_table_column(&table, "TYPE", "media_type");
	for (size_t i = 0; i < fl_json_count(layers); i++)
		fl_table_row(&table, fl_json_copy(fl_json_item(layers, i)));
	return fl_table_print(&table, false, err);
}

int fl_show_inspect(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_get_options struct fl_get_options options = { 0 };
	fl_cleanup_json fl_json *seen = NULL;

	if (fl_options_get(args, &options, err) < 0)
		return -1;
	seen = fl_look(fl_args_state_dir(args), args->operands.items[0], &options, err);
	if (!seen)
		return -1;
	return fl_args_flag(args, "json") ? fl_cli_print_json(seen, err) : print_text(seen, err);
}
