/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/push.h"

#include "cmd/fl-pull/options.h"
#include "cmd/fl-pull/pick.h"
#include "cmd/fl-pull/source.h"
#include "cmd/fl-pull/upload.h"
#include "common/arch.h"
#include "common/log.h"

#include <string.h>

#define FIRST_PAUSE_MS 500

const struct fl_option fl_push_options[] = {
	{ "platform", 'p', "OS/ARCH[/VARIANT]", "the platform to take (this machine's)" },
	FL_PROGRESS_OPTION,
	FL_REGISTRY_OPTIONS,
	{ 0 },
};

struct push {
	const struct fl_registry_options *options;
	struct fl_reference to;
	struct fl_source source; /* the store is a layout too */
	int lock;                /* of the store */
	struct fl_registry registry;
	fl_json *manifest;
	struct fl_str text;
	struct fl_progress bar;
	uint64_t done, total;
};

static void note_sent(void *arg, uint64_t size)
{
	struct push *push = arg;

	fl_progress_update(&push->bar, push->done + size, push->total);
}

/* A session that was cut is begun anew: whether its registry kept a part is not known. */
static int upload(struct push *push, const char *digest, const struct fl_http_file *file,
		  struct fl_err *err)
{
	int pause = FIRST_PAUSE_MS;

	for (unsigned tries = 0;; tries++, pause *= 2) {
		struct fl_err why = { 0 };

		if (fl_upload_blob(&push->registry, digest, file, &why) == 0)
			return 0;
		if (why.kind != FL_ERR_UNAVAILABLE || tries >= push->options->retries)
			return fl_err_pass(err, &why);
		pause = pause > 30000 ? 30000 : pause;
		fl_log(FL_LOG_DEBUG, "%s; try %u of %u in %d ms", why.text, tries + 2,
		       push->options->retries + 1, pause);
		if (fl_cancel_wait(NULL, -1, pause, err) < 0)
			return -1;
	}
}

static int push_blob(struct push *push, const fl_json *descriptor, struct fl_err *err)
{
	const char *digest = fl_json_text(fl_json_get(descriptor, "digest"));
	uint64_t size = (uint64_t)fl_json_int(fl_json_get(descriptor, "size"));
	struct fl_span span = { .fd = -1 };
	struct fl_http_file file;
	int rc = fl_upload_has(&push->registry, digest, err);

	if (rc == 1)
		fl_log(FL_LOG_DEBUG, "%s: there already", digest);
	if (rc == 0)
		rc = fl_layout_open_blob(&push->source.layout, digest, &span, err);
	if (span.fd >= 0) {
		file = (struct fl_http_file){ .fd = span.fd, .offset = span.offset,
					      .size = span.size, .sent = note_sent, .arg = push };
		rc = upload(push, digest, &file, err);
		close(span.fd);
	}
	push->done += size;
	note_sent(push, 0);
	return rc < 0 ? -1 : 0;
}

/* What a manifest names is there before it. */
static int push_all(struct push *push, struct fl_err *err)
{
	const fl_json *layers = fl_json_get(push->manifest, "layers");
	const char *type = fl_json_text(fl_json_get(push->manifest, "mediaType"));

	for (size_t i = 0; i < fl_json_count(layers); i++)
		push->total += (uint64_t)fl_json_int(fl_json_get(fl_json_item(layers, i), "size"));
	push->total += (uint64_t)fl_json_int(fl_json_at(push->manifest, "config.size"));
	for (size_t i = 0; i < fl_json_count(layers); i++)
		if (push_blob(push, fl_json_item(layers, i), err) < 0)
			return -1;
	if (push_blob(push, fl_json_get(push->manifest, "config"), err) < 0)
		return -1;
	return fl_upload_manifest(&push->registry, push->to.tag, type ? type : FL_IMAGE_MANIFEST,
				  &push->text, err);
}

static int parse_target(const char *text, struct fl_reference *to, struct fl_err *err)
{
	if (fl_reference_parse(text, to, err) < 0)
		return -1;
	if (to->host && to->tag && !to->digest)
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "%s: not a target; write HOST/NAME:TAG", text);
}

/* Out of the store: the manifest that the name and platform mean there. */
static int open_store(struct push *push, const struct fl_store *store, const char *text,
		      const char *platform, struct fl_err *err)
{
	fl_cleanup_pick struct fl_pick pick = { 0 };
	const char *digest;

	push->lock = fl_store_lock(store, false, err);
	if (push->lock < 0 || fl_pick(store, text, platform, &pick, err) < 0 ||
	    fl_layout_open_folder(&push->source.layout, store->path, err) < 0)
		return -1;
	digest = fl_json_text(fl_json_get(pick.descriptor, "digest"));
	push->manifest = fl_json_ref(pick.manifest);
	return fl_source_blob(&push->source, digest, &push->text, err);
}

static int open_source(struct push *push, const struct fl_args *args, struct fl_store *store,
		       struct fl_reference *from, struct fl_err *err)
{
	const char *text = args->operands.items[0];
	const char *platform = fl_args_text(args, "platform", fl_arch_host()->platform);

	if (fl_get_parse(text, from, err) < 0)
		return -1;
	if (from->host)
		return fl_store_open(store, fl_args_state_dir(args), false, err) < 0
			       ? -1
			       : open_store(push, store, text, platform, err);
	if (fl_source_open_layout(&push->source, from, platform, NULL, err) < 0)
		return -1;
	push->manifest = fl_source_manifest(&push->source, &push->text, err);
	return push->manifest ? 0 : -1;
}

static int report(struct fl_args *args, const struct push *push, struct fl_err *err)
{
	fl_cleanup_json fl_json *out = fl_json_new_object();
	fl_cleanup_str struct fl_str line = FL_STR_INIT;
	char digest[FL_DIGEST_TEXT];

	fl_digest_of(push->text.data, push->text.len, digest);
	fl_json_set(out, "ref", fl_json_new_text(push->to.text));
	fl_json_set(out, "digest", fl_json_new_text(digest));
	if (fl_args_flag(args, "json"))
		return fl_cli_print_json(out, err);
	fl_str_addf(&line, "%s\n", digest);
	return fl_cli_print(line.data, line.len, err);
}

static int run(struct fl_args *args, struct push *push, struct fl_store *store,
	       struct fl_reference *from, struct fl_err *err)
{
	int rc;

	if (parse_target(args->operands.items[1], &push->to, err) < 0 ||
	    fl_progress_start(&push->bar, push->to.text, args, err) < 0 ||
	    open_source(push, args, store, from, err) < 0)
		return -1;
	fl_registry_init(&push->registry, push->to.host, push->to.name, push->options, NULL);
	push->registry.auth.actions = "pull,push";
	rc = push_all(push, err);
	fl_progress_end(&push->bar);
	fl_registry_finish(&push->registry);
	return rc < 0 ? fl_err_prefix(err, "%s", push->to.text) : report(args, push, err);
}

int fl_push(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_registry_options struct fl_registry_options options = { 0 };
	fl_cleanup_store struct fl_store store = { .dirfd = -1, .blobs = -1 };
	fl_cleanup_reference struct fl_reference from = { 0 };
	struct push push = { .options = &options, .source = FL_SOURCE_INIT, .lock = -1 };
	int rc;

	rc = fl_options_registry(args, &options, err) < 0 ? -1
							  : run(args, &push, &store, &from, err);
	fl_source_close(&push.source);
	if (push.lock >= 0)
		close(push.lock);
	fl_json_unref(push.manifest);
	fl_str_finish(&push.text);
	fl_reference_finish(&push.to);
	return rc;
}
