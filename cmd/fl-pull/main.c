/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/export.h"
#include "cmd/fl-pull/login.h"
#include "cmd/fl-pull/options.h"
#include "cmd/fl-pull/push.h"
#include "cmd/fl-pull/remove.h"
#include "cmd/fl-pull/show.h"
#include "common/arch.h"
#include "common/step.h"

#include <string.h>

static int get_with_bar(const struct fl_args *args, const struct fl_store *store, const char *text,
			struct fl_get_options *options, struct fl_image *image, char **name,
			struct fl_err *err)
{
	struct fl_progress bar;
	int rc;

	if (fl_progress_start(&bar, text, args, err) < 0)
		return -1;
	options->progress = fl_progress_update;
	options->arg = &bar;
	rc = fl_get(store, text, options, image, name, err);
	fl_progress_end(&bar);
	return rc;
}

static int print_image(const struct fl_args *args, const char *ref, const struct fl_image *image,
		       struct fl_err *err)
{
	fl_cleanup_json fl_json *out = fl_show_image(ref, image);
	fl_cleanup_str struct fl_str line = FL_STR_INIT;

	if (fl_args_flag(args, "json"))
		return fl_cli_print_json(out, err);
	fl_str_addf(&line, "%s\n", image->digest);
	return fl_cli_print(line.data, line.len, err);
}

static int get_one(const struct fl_args *args, const struct fl_store *store, const char *ref,
		   struct fl_get_options *options, struct fl_err *err)
{
	fl_cleanup_free char *name = NULL;
	fl_cleanup_image struct fl_image image = { 0 };

	if (get_with_bar(args, store, ref, options, &image, &name, err) < 0)
		return -1;
	return print_image(args, strcmp(ref, "-") == 0 ? name : ref, &image, err);
}

/* One that cannot be had is no reason to leave out the others. */
static int get_each(const struct fl_args *args, const struct fl_store *store,
		    struct fl_get_options *options, struct fl_err *err)
{
	struct fl_err first = { 0 };

	for (size_t i = 0; i < args->operands.count; i++) {
		struct fl_err failure = { 0 };

		if (get_one(args, store, args->operands.items[i], options, &failure) < 0)
			fl_step_keep_first(&first, &failure);
		if (failure.kind == FL_ERR_INTERRUPTED)
			break;
	}
	return fl_step_take_first(&first, err);
}

static int run_get(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_get_options struct fl_get_options options = { 0 };
	fl_cleanup_store struct fl_store store = { .dirfd = -1, .blobs = -1 };
	int rc;

	if (fl_options_get(args, &options, err) < 0 ||
	    fl_store_open(&store, fl_args_state_dir(args), true, err) < 0)
		return -1;
	options.name = fl_args_text(args, "name", NULL);
	if (options.name && args->operands.count > 1)
		return fl_err_set(err, FL_ERR_USAGE, "--name is for one image");
	rc = get_each(args, &store, &options, err);
	fl_store_settle_later(&store);
	return rc;
}

/* A platform that is said, else the spec's, else the one for which the image was there before: what
 * a microVM was made of is for the same machine when it is brought again. */
static const char *platform_for(const struct fl_step_call *call, const char *image)
{
	const fl_json *images = fl_json_at(call->record, "host.images");
	const char *before = fl_json_text(fl_json_get(fl_json_get(images, image), "platform"));
	const char *asked = call->spec.asked.platform;

	if (!before || !fl_arch_of_platform(before))
		before = fl_arch_host()->platform;
	return fl_args_text(call->args, "platform", asked ? asked : before);
}

/* What the microVM was made of, wherever its tag was moved since. */
static const char *pinned_by(const struct fl_step_call *call, const char *image)
{
	const fl_json *images = fl_json_at(call->record, "host.images");

	return fl_json_text(fl_json_get(fl_json_get(images, image), "digest"));
}

static int put_images(void *arg, fl_json *record, struct fl_err *err)
{
	fl_json *host = fl_json_get(record, "host");

	(void)err;
	fl_json_set(host, "images", fl_json_ref(arg));
	return 0;
}

static int step_up(struct fl_step_call *call, struct fl_err *err)
{
	fl_cleanup_get_options struct fl_get_options options = { .cancel = call->cancel };
	fl_cleanup_store struct fl_store store = { .dirfd = -1, .blobs = -1 };
	fl_cleanup_free const char **images =
		fl_alloc_zero(call->spec.volume_count + 2, sizeof(*images));
	fl_cleanup_json fl_json *made = fl_json_new_object();
	size_t count = fl_spec_images(&call->spec, images);

	if (fl_options_get(call->args, &options, err) < 0 ||
	    fl_store_open(&store, call->vm->state->dir, true, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct fl_image image;

		options.platform = platform_for(call, images[i]);
		options.pinned = pinned_by(call, images[i]);
		if (get_with_bar(call->args, &store, images[i], &options, &image, NULL, err) < 0)
			return -1;
		fl_json_set(made, images[i], fl_show_image(images[i], &image));
		fl_image_finish(&image);
	}
	fl_store_settle_later(&store);
	return fl_vm_change(call->vm, FL_SAVE_PLAIN, put_images, made, err);
}

static int step_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err)
{
	fl_cleanup_free const char **images =
		fl_alloc_zero(call->spec.volume_count + 2, sizeof(*images));
	size_t count = fl_spec_images(&call->spec, images);

	(void)err;
	for (size_t i = 0; i < count; i++)
		fl_str_addf(out, "fl-pull get --platform %s %s\n", platform_for(call, images[i]),
			    images[i]);
	return 0;
}

static const struct fl_step step = {
	.name = "pull", .up = step_up, .plan = step_plan, .without_lock = true
};

static int run_up(struct fl_args *args, struct fl_err *err)
{
	return fl_step_up(&step, args, err);
}

static const struct fl_option get_options[] = {
	{ "name", 'n', "REF", "the name in the store (REF; of -, what the archive says)" },
	FL_GET_OPTIONS,
	{ 0 },
};
static const struct fl_option up_options[] = { FL_STEP_UP_OPTIONS, FL_GET_OPTIONS, { 0 } };

static const struct fl_command commands[] = {
	{ "up", "[FILE…]", "pull the images of specs or records", up_options, 0, -1, run_up },
	{ "get", "REF…", "pull images into the local store", get_options, 1, -1, run_get },
	{ "ls", "", "list the images of the local store", NULL, 0, 0, fl_show_ls },
	{ "export", "REF TARGET", "write an image into a layout or an archive", fl_export_options,
	  2, 2, fl_export },
	{ "push", "SOURCE HOST/NAME:TAG", "upload an image to a registry", fl_push_options, 2, 2,
	  fl_push },
	{ "inspect", "REF", "say what an image is, without pulling it", fl_inspect_options, 1, 1,
	  fl_show_inspect },
	{ "rm", "REF…", "remove names from the local store", fl_rm_options, 1, -1,
	  fl_remove_names },
	{ "gc", "", "remove what no name leads to", fl_gc_options, 0, 0, fl_remove_garbage },
	{ "login", "HOST", "log in to a registry", fl_login_options, 1, 1, fl_login },
	{ "logout", "HOST", "forget a registry's login", fl_logout_options, 1, 1, fl_logout },
	{ 0 },
};

static const struct fl_synonym synonyms[] = {
	{ "images", "ls" }, { "list", "ls" }, { "pull", "get" }, { "remove", "rm" },
	{ "delete", "rm" }, { "rmi", "rm" }, { "prune", "gc" }, { "save", "export" }, { 0 },
};

static const struct fl_program program = {
	.name = "fl-pull", .help = "OCI images of microVMs into the local store", .commands = commands,
	.synonyms = synonyms, .guess = "get",
};

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
