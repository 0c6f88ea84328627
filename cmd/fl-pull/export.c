/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/export.h"

#include "cmd/fl-pull/options.h"
#include "cmd/fl-pull/pick.h"
#include "cmd/fl-pull/tar.h"
#include "common/alloc.h"
#include "common/arch.h"
#include "common/hasher.h"
#include "common/io.h"

#include <string.h>

#define AT_ONCE (1 << 20)

const struct fl_option fl_export_options[] = {
	{ "platform", 'p', "OS/ARCH[/VARIANT]", "the platform to take (this machine's)" },
	FL_PROGRESS_OPTION,
	{ 0 },
};

struct export {
	const struct fl_store *store;
	struct fl_pick *pick;
	struct fl_reference to;
	int fd;           /* of the archive */
	const char *name; /* of what is written, for messages */
	struct fl_progress bar;
	uint64_t done;
};

static int write_out(struct export *export, int fd, const void *data, size_t size,
		     struct fl_err *err)
{
	if (fl_io_write(fd, data, size, export->name, err) == 0)
		return 0;
	return errno == EPIPE && fd == STDOUT_FILENO ? fl_cli_lost_reader(err) : -1;
}

/* The bytes of a blob, their digest checked on the way: a store is only a folder. */
static int copy_blob(struct export *export, const char *digest, uint64_t size, int to,
		     struct fl_err *err)
{
	fl_cleanup_close int from = fl_store_open_blob(export->store, digest, err);
	fl_cleanup_free char *buffer = fl_alloc(AT_ONCE);
	struct fl_hasher *hash = fl_hasher_create();
	char real[FL_DIGEST_TEXT];
	int rc = from < 0 ? -1 : 0;

	for (uint64_t at = 0; rc == 0 && at < size;) {
		size_t now = size - at < AT_ONCE ? size - at : AT_ONCE;

		rc = fl_io_pread(from, buffer, now, at, digest, err);
		if (rc == 0)
			rc = write_out(export, to, buffer, now, err);
		if (rc == 0)
			rc = fl_cancel_check(NULL, err);
		fl_hasher_add(hash, buffer, now);
		at += now;
		export->done += now;
		fl_progress_update(&export->bar, export->done, export->pick->size);
	}
	fl_hasher_end(hash, real);
	fl_hasher_destroy(hash);
	if (rc == 0 && strcmp(real, digest) != 0)
		return fl_err_set(err, FL_ERR_CORRUPT,
				  "%s: the store holds other bytes (%s); remove "
				  "the file and pull the image again",
				  digest, real);
	return rc;
}

static int into_folder(struct export *export, const struct fl_store *to, struct fl_err *err)
{
	const fl_json *blobs = export->pick->blobs;

	for (size_t i = 0; i < fl_json_count(blobs); i++) {
		const fl_json *one = fl_json_item(blobs, i);
		const char *digest = fl_json_text(fl_json_get(one, "digest"));
		uint64_t size = (uint64_t)fl_json_int(fl_json_get(one, "size"));
		fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;

		if (fl_store_has(to, digest, size))
			continue;
		if (fl_atomic_open(&file, to->blobs, fl_digest_hex(digest), 0444, err) < 0 ||
		    copy_blob(export, digest, size, file.fd, err) < 0 ||
		    fl_atomic_publish(&file, true, err) < 0)
			return -1;
	}
	return 0;
}

/* What it is called there: as the target says, else the tag or the whole name. */
static const char *tag_of(const struct export *export)
{
	const struct fl_reference *from = &export->pick->reference;

	if (export->to.tag)
		return export->to.tag;
	return from->tag ? from->tag : from->text;
}

static int export_folder(struct export *export, struct fl_err *err)
{
	fl_cleanup_store struct fl_store to = { .dirfd = -1, .blobs = -1 };

	export->name = export->to.folder;
	if (fl_store_open_folder(&to, export->to.folder, err) < 0 ||
	    into_folder(export, &to, err) < 0)
		return -1;
	return fl_store_name(&to, tag_of(export), fl_json_copy(export->pick->descriptor), err);
}

static int add_padding(struct export *export, uint64_t size, struct fl_err *err)
{
	static const char zeros[FL_TAR_BLOCK];
	size_t over = size % FL_TAR_BLOCK;

	return over ? write_out(export, export->fd, zeros, FL_TAR_BLOCK - over, err) : 0;
}

static int add_header(struct export *export, const char *name, uint64_t size, struct fl_err *err)
{
	char block[FL_TAR_BLOCK];

	fl_tar_header(name, size, block);
	return write_out(export, export->fd, block, sizeof(block), err);
}

static int add_text(struct export *export, const char *name, const fl_json *document,
		    struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_json_print(document, false, &text);
	if (add_header(export, name, text.len, err) < 0 ||
	    write_out(export, export->fd, text.data, text.len, err) < 0)
		return -1;
	return add_padding(export, text.len, err);
}

static int add_blobs(struct export *export, struct fl_err *err)
{
	const fl_json *blobs = export->pick->blobs;

	if (add_header(export, "blobs/", 0, err) < 0 ||
	    add_header(export, "blobs/sha256/", 0, err) < 0)
		return -1;
	for (size_t i = 0; i < fl_json_count(blobs); i++) {
		const fl_json *one = fl_json_item(blobs, i);
		const char *digest = fl_json_text(fl_json_get(one, "digest"));
		uint64_t size = (uint64_t)fl_json_int(fl_json_get(one, "size"));
		fl_cleanup_free char *name = fl_asprintf("blobs/sha256/%s", fl_digest_hex(digest));

		if (add_header(export, name, size, err) < 0 ||
		    copy_blob(export, digest, size, export->fd, err) < 0 ||
		    add_padding(export, size, err) < 0)
			return -1;
	}
	return 0;
}

static fl_json *index_of(const struct export *export)
{
	fl_json *index = fl_json_new_object(), *list = fl_json_new_array();
	fl_json *one = fl_json_copy(export->pick->descriptor), *notes = fl_json_new_object();

	fl_json_set(notes, FL_STORE_NAME, fl_json_new_text(tag_of(export)));
	if (export->pick->reference.host)
		fl_json_set(notes, "io.containerd.image.name",
			    fl_json_new_text(export->pick->reference.text));
	fl_json_set(one, "annotations", notes);
	fl_json_add(list, one);
	fl_json_set(index, "schemaVersion", fl_json_new_int(2));
	fl_json_set(index, "manifests", list);
	return index;
}

static fl_json *member_of(const fl_json *descriptor)
{
	const char *digest = fl_json_text(fl_json_get(descriptor, "digest"));
	fl_cleanup_free char *name = fl_asprintf("blobs/sha256/%s", fl_digest_hex(digest));

	return fl_json_new_text(name);
}

/* What docker reads: the members that are the config and the layers, and names. */
static fl_json *docker_manifest(const struct export *export)
{
	const struct fl_pick *pick = export->pick;
	const fl_json *layers = fl_json_get(pick->manifest, "layers");
	fl_json *list = fl_json_new_array(), *one = fl_json_new_object();
	fl_json *tags = fl_json_new_array(), *members = fl_json_new_array();

	for (size_t i = 0; i < fl_json_count(layers); i++)
		fl_json_add(members, member_of(fl_json_item(layers, i)));
	if (export->to.tag)
		fl_json_add(tags, fl_json_new_text(export->to.tag));
	else if (pick->reference.host && !pick->reference.digest)
		fl_json_add(tags, fl_json_new_text(pick->reference.text));
	fl_json_set(one, "Config", member_of(fl_json_get(pick->manifest, "config")));
	fl_json_set(one, "RepoTags", tags);
	fl_json_set(one, "Layers", members);
	fl_json_add(list, one);
	return list;
}

static int write_archive(struct export *export, struct fl_err *err)
{
	static const char end[2 * FL_TAR_BLOCK];
	fl_cleanup_json fl_json *layout = fl_json_new_object(), *index = index_of(export);
	fl_cleanup_json fl_json *docker = docker_manifest(export);

	fl_json_set(layout, "imageLayoutVersion", fl_json_new_text("1.0.0"));
	if (add_text(export, "oci-layout", layout, err) < 0 || add_blobs(export, err) < 0 ||
	    add_text(export, "index.json", index, err) < 0)
		return -1;
	if (export->to.is_docker && add_text(export, "manifest.json", docker, err) < 0)
		return -1;
	return write_out(export, export->fd, end, sizeof(end), err);
}

static int export_archive(struct export *export, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;

	if (strcmp(export->to.archive, "-") == 0) {
		export->name = "standard output";
		export->fd = STDOUT_FILENO;
		if (fl_cli_is_terminal())
			return fl_err_set(err, FL_ERR_USAGE,
					  "an archive is nothing for a terminal");
		return write_archive(export, err);
	}
	export->name = export->to.archive;
	if (fl_atomic_open_path(&file, export->to.archive, 0644, err) < 0)
		return -1;
	export->fd = file.fd;
	return write_archive(export, err) < 0 ? -1 : fl_atomic_publish(&file, true, err);
}

static int parse_target(const char *text, struct fl_reference *to, struct fl_err *err)
{
	if (strcmp(text, "-") == 0) {
		*to = (struct fl_reference){ .archive = fl_strdup(text) };
		return 0;
	}
	if (fl_reference_parse(text, to, err) < 0)
		return -1;
	if (!to->host)
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "%s: not a target; write oci:FOLDER[:TAG], "
			  "oci-archive:FILE[:TAG], docker-archive:FILE[:NAME] or -", text);
}

static int run(struct fl_args *args, struct export *export, struct fl_err *err)
{
	const char *platform = fl_args_text(args, "platform", fl_arch_host()->platform);
	fl_cleanup_close int lock = fl_store_lock(export->store, false, err);
	int rc;

	if (lock < 0 ||
	    fl_progress_start(&export->bar, args->operands.items[0], args, err) < 0 ||
	    fl_pick(export->store, args->operands.items[0], platform, export->pick,
				err) < 0)
		return -1;
	rc = export->to.folder ? export_folder(export, err) : export_archive(export, err);
	fl_progress_end(&export->bar);
	return rc;
}

int fl_export(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_store struct fl_store store = { .dirfd = -1, .blobs = -1 };
	fl_cleanup_pick struct fl_pick pick = { 0 };
	struct export export = { .store = &store, .pick = &pick, .fd = -1 };
	int rc;

	if (parse_target(args->operands.items[1], &export.to, err) < 0 ||
	    fl_store_open(&store, fl_args_state_dir(args), false, err) < 0)
		rc = -1;
	else
		rc = run(args, &export, err);
	fl_reference_finish(&export.to);
	return rc;
}
