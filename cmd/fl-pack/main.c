/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pack/index.h"
#include "cmd/fl-pack/pack.h"
#include "common/arch.h"
#include "common/cli.h"
#include "common/image.h"
#include "common/num.h"
#include "common/reference.h"

#include <string.h>
#include <time.h>

#define OUTPUT_OPTIONS                                                                         \
	{ "tag", 't', "NAME", "the image's name (latest); needed for the local store" },       \
	{ "output", 'o', "PATH", "an OCI layout folder, or FILE.tar (the local store)" },      \
	{ "annotation", 0, "KEY=VALUE", "an annotation of the manifest; may be repeated" }

#define IMAGE_OPTIONS                                                                          \
	OUTPUT_OPTIONS,                                                                        \
	{ "platform", 0, "OS/ARCH", "what it is for (this machine's)" },                       \
	{ "compression", 0, "gzip|zstd|none",                                                  \
	  "of layers (compressed tars as they are, else gzip)" },                              \
	{ "label", 0, "KEY=VALUE", "a label of the image; may be repeated" },                  \
	{ "owner", 0, "UID:GID", "who owns all files of folders (who does)" },                 \
	{ "created", 0, "TIME", "as 2025-01-31T00:00:00Z (SOURCE_DATE_EPOCH, else none)" }

static const struct fl_option image_options[] = { IMAGE_OPTIONS, { 0 } };
static const struct fl_option index_options[] = { OUTPUT_OPTIONS, { 0 } };

#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ"

/* "" when it was not said: the time of packing would make every digest another. */
struct created {
	char text[32];
};

static int take_epoch(struct fl_pack_tree *tree, struct created *created, struct fl_err *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	struct tm tm;
	time_t time;

	if (!text || !*text)
		return 0;
	if (fl_num_i64(text, 0, (int64_t)1 << 40, &tree->epoch, err) < 0)
		return fl_err_prefix(err, "SOURCE_DATE_EPOCH");
	tree->has_epoch = true;
	time = (time_t)tree->epoch;
	strftime(created->text, sizeof(created->text), TIME_FORMAT, gmtime_r(&time, &tm));
	return 0;
}

static int take_created(const struct fl_args *args, struct created *created, struct fl_err *err)
{
	const char *text = fl_args_text(args, "created", NULL), *end;
	struct tm tm = { 0 };

	if (!text)
		return 0;
	end = strptime(text, TIME_FORMAT, &tm);
	if (!end || *end)
		return fl_err_set(err, FL_ERR_USAGE,
				  "--created %s: not of the form 2025-01-31T00:00:00Z", text);
	strftime(created->text, sizeof(created->text), TIME_FORMAT, &tm);
	return 0;
}

static int take_owner(const struct fl_args *args, struct fl_pack_tree *tree, struct fl_err *err)
{
	const char *text = fl_args_text(args, "owner", NULL);
	const char *colon = text ? strchr(text, ':') : NULL;
	fl_cleanup_free char *user = colon ? fl_strndup(text, (size_t)(colon - text)) : NULL;
	uint64_t uid, gid;

	if (!text)
		return 0;
	if (!colon || fl_num_u64(user, 0, UINT32_MAX - 1, &uid, NULL) < 0 ||
	    fl_num_u64(colon + 1, 0, UINT32_MAX - 1, &gid, NULL) < 0)
		return fl_err_set(err, FL_ERR_USAGE, "--owner %s: not of the form 0:0", text);
	tree->has_owner = true;
	tree->uid = (uint32_t)uid;
	tree->gid = (uint32_t)gid;
	return 0;
}

static int take_compression(const struct fl_args *args, enum fl_pack_compression *how,
			    struct fl_err *err)
{
	static const struct {
		const char *name;
		enum fl_pack_compression how;
	} names[] = {
		{ "gzip", FL_PACK_GZIP },
		{ "zstd", FL_PACK_ZSTD },
		{ "none", FL_PACK_NONE },
	};
	const char *text = fl_args_text(args, "compression", NULL);

	*how = FL_PACK_KEEP;
	for (size_t i = 0; text && i < FL_COUNT(names); i++)
		if (strcmp(text, names[i].name) == 0)
			*how = names[i].how;
	if (text && *how == FL_PACK_KEEP)
		return fl_err_set(err, FL_ERR_USAGE, "--compression %s: not gzip, zstd or none",
				  text);
	return 0;
}

/* As the image layout has them in org.opencontainers.image.ref.name. */
static int check_tag(const char *tag, struct fl_err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				      "-._:@/+";

	if (*tag && strspn(tag, letters) == strlen(tag))
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "--tag \"%s\": a name has letters, digits and -._:@/+ only",
			  tag);
}

/* Where to and under which name. The local store knows images by their full names. */
static int take_output(const struct fl_args *args, char **output, char **tag, struct fl_err *err)
{
	const char *to = fl_args_text(args, "output", NULL);
	const char *name = fl_args_text(args, "tag", NULL);
	struct fl_reference reference;

	if (to && name && check_tag(name, err) < 0)
		return -1;
	if (to) {
		*output = fl_strdup(to);
		*tag = fl_strdup(name ? name : "latest");
		return 0;
	}
	if (!name)
		return fl_err_set(err, FL_ERR_USAGE, "the local store wants a name: --tag NAME; "
				  "or say --output");
	if (fl_reference_parse(name, &reference, err) < 0)
		return -1;
	*output = fl_asprintf("%s/images", fl_args_state_dir(args));
	*tag = fl_strdup(reference.text);
	fl_reference_finish(&reference);
	return 0;
}

static int print(const struct fl_args *args, const struct fl_pack_options *pack,
		 const struct fl_pack_result *result, struct fl_err *err)
{
	fl_cleanup_json fl_json *out = fl_json_new_object();
	fl_cleanup_str struct fl_str line = FL_STR_INIT;

	fl_json_set(out, "ref", fl_json_new_text(pack->tag));
	fl_json_set(out, "digest", fl_json_new_text(result->digest));
	fl_json_set(out, "platform", fl_json_new_text(pack->platform));
	fl_json_set(out, "size", fl_json_new_int((int64_t)result->size));
	fl_json_set(out, "layers", fl_json_new_int((int64_t)(pack->layer_count + (pack->file_count > 0))));
	if (fl_args_flag(args, "json"))
		return fl_cli_print_json(out, err);
	fl_str_addf(&line, "%s\n", result->digest);
	return fl_cli_print(line.data, line.len, err);
}

typedef FL_VEC(const char *) words;

static struct fl_pack_pairs each(const struct fl_args *args, const char *name, words *list)
{
	const char *value;

	while ((value = fl_args_each(args, name, list->count)))
		FL_VEC_ADD(list, value);
	return (struct fl_pack_pairs){ list->items, list->count };
}

static int run_with_pairs(struct fl_args *args, struct fl_pack_options *pack, struct fl_err *err)
{
	words labels = { 0 }, annotations = { 0 };
	struct fl_pack_result result;
	int rc;

	pack->labels = each(args, "label", &labels);
	pack->annotations = each(args, "annotation", &annotations);
	rc = fl_pack_image(pack, &result, err);
	free(labels.items);
	free(annotations.items);
	return rc < 0 ? -1 : print(args, pack, &result, err);
}

static int run_pack(struct fl_args *args, struct fl_pack_options *pack, struct fl_err *err)
{
	fl_cleanup_free char *output = NULL, *tag = NULL;
	struct created created = { "" };
	int rc;

	pack->platform = fl_arch_platform(fl_args_text(args, "platform", fl_arch_host()->platform));
	if (take_epoch(&pack->tree, &created, err) < 0 || take_created(args, &created, err) < 0 ||
	    take_owner(args, &pack->tree, err) < 0 ||
	    take_compression(args, &pack->compression, err) < 0 ||
	    take_output(args, &output, &tag, err) < 0)
		return -1;
	pack->output = output;
	pack->tag = tag;
	pack->created = *created.text ? created.text : NULL;
	rc = run_with_pairs(args, pack, err);
	/* What it pointed to ends here. */
	pack->output = pack->tag = pack->created = NULL;
	return rc;
}

static int run_image(struct fl_args *args, struct fl_err *err)
{
	struct fl_pack_options pack = { .layers = (const char *const *)args->operands.items,
					.layer_count = args->operands.count };

	return run_pack(args, &pack, err);
}

static int run_files(struct fl_args *args, struct fl_err *err)
{
	struct fl_pack_options pack = { .files = (const char *const *)args->operands.items,
					.file_count = args->operands.count };

	return run_pack(args, &pack, err);
}

static int print_index(const struct fl_args *args, const char *tag, const char *digest,
		       size_t count, struct fl_err *err)
{
	fl_cleanup_json fl_json *out = fl_json_new_object();
	fl_cleanup_str struct fl_str line = FL_STR_INIT;

	fl_json_set(out, "ref", fl_json_new_text(tag));
	fl_json_set(out, "digest", fl_json_new_text(digest));
	fl_json_set(out, "images", fl_json_new_int((int64_t)count));
	if (fl_args_flag(args, "json"))
		return fl_cli_print_json(out, err);
	fl_str_addf(&line, "%s\n", digest);
	return fl_cli_print(line.data, line.len, err);
}

static int run_index(struct fl_args *args, struct fl_err *err)
{
	struct fl_pack_index_options options = {
		.output = fl_args_text(args, "output", NULL),
		.tag = fl_args_text(args, "tag", "latest"),
		.sources = (const char *const *)args->operands.items,
		.source_count = args->operands.count,
	};
	words annotations = { 0 };
	char digest[FL_DIGEST_TEXT];
	size_t count;
	int rc;

	if (!options.output)
		return fl_err_set(err, FL_ERR_USAGE, "an index goes to --output PATH; the local store "
				  "keeps platforms side by side under one name");
	if (check_tag(options.tag, err) < 0)
		return -1;
	options.annotations = each(args, "annotation", &annotations);
	rc = fl_pack_index(&options, digest, &count, err);
	free(annotations.items);
	return rc < 0 ? -1 : print_index(args, options.tag, digest, count, err);
}

static const struct fl_command commands[] = {
	{ "image", "LAYER…", "pack tars and folders, bottom first (- for standard input)",
	  image_options, 1, -1, run_image },
	{ "files", "PATH=FILE…", "pack single files, such as a kernel, as one layer", image_options,
	  1, -1, run_files },
	{ "index", "oci:FOLDER[:TAG]…", "join images for several platforms", index_options, 1, -1,
	  run_index },
	{ 0 },
};

static const struct fl_program program = { "fl-pack", "tars and trees into an OCI image, such as a microVM's root", commands,
					   NULL };

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
