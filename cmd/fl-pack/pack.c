/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pack/pack.h"

#include "cmd/fl-pack/layout.h"
#include "cmd/fl-pack/named.h"
#include "common/alloc.h"
#include "common/cancel.h"
#include "common/hasher.h"
#include "common/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE (256 << 10)

struct packing {
	const struct fl_pack_options *options;
	struct fl_pack_layout layout;
	fl_json *descriptors, *diff_ids, *history;
	uint64_t size;
};

static int into_blob(void *arg, const void *data, size_t size, struct fl_err *err)
{
	return fl_pack_blob_add(arg, data, size, err);
}

static int into_hash(void *arg, const void *data, size_t size, struct fl_err *err)
{
	(void)err;
	fl_hasher_add(arg, data, size);
	return 0;
}

static void note_layer(struct packing *packing, const struct fl_pack_blob *blob,
		       const char *diff_id, enum fl_pack_compression how)
{
	fl_json *history = fl_json_new_object();

	if (packing->options->created)
		fl_json_set(history, "created", fl_json_new_text(packing->options->created));
	fl_json_set(history, "created_by", fl_json_new_text("fl-pack"));
	fl_json_add(packing->history, history);
	fl_json_add(packing->diff_ids, fl_json_new_text(diff_id));
	fl_json_add(packing->descriptors,
		    fl_pack_descriptor(fl_pack_media_type(how), blob->digest, blob->size));
	packing->size += blob->size;
}

static enum fl_pack_compression gzip_by_default(enum fl_pack_compression how)
{
	return how == FL_PACK_KEEP ? FL_PACK_GZIP : how;
}

/* A layer whose blob is made from uncompressed bytes: a folder's, what a tar gives, or (path NULL)
 * those of the files that are given by name. */
static int pack_stream(struct packing *packing, const char *path, int fd, struct fl_err *err)
{
	enum fl_pack_compression how = gzip_by_default(packing->options->compression);
	struct fl_pack_blob blob;
	int rc = fl_pack_blob_open(&blob, packing->layout.store.blobs, how, err);

	if (rc == 0 && !path)
		rc = fl_pack_tar_of_files(packing->options->files, packing->options->file_count,
					  &packing->options->tree, into_blob, &blob, err);
	else if (rc == 0 && fd < 0)
		rc = fl_pack_tar_of_tree(path, &packing->options->tree, into_blob, &blob, err);
	else if (rc == 0)
		rc = fl_pack_tar_read(fd, path, into_blob, &blob, err);
	if (rc == 0)
		rc = fl_pack_blob_publish(&blob, err);
	if (rc == 0)
		note_layer(packing, &blob, blob.diff_id, how);
	fl_pack_blob_finish(&blob);
	return rc;
}

/* A compressed tar that becomes the blob as it is. Its content is still read once, for
 * the diff id and to see that it is sound. */
static int pack_as_is(struct packing *packing, const char *path, int fd,
		      enum fl_pack_compression found, struct fl_err *err)
{
	struct fl_hasher *plain = fl_hasher_create();
	char diff_id[FL_DIGEST_TEXT];
	struct fl_pack_blob blob;
	int rc = fl_pack_blob_open(&blob, packing->layout.store.blobs, FL_PACK_NONE, err);

	if (rc == 0)
		rc = fl_pack_blob_copy(&blob, fd, path, err);
	/* What was copied, not the file: it might have changed meanwhile. */
	if (rc == 0)
		rc = fl_pack_tar_read(blob.file.fd, path, into_hash, plain, err);
	if (rc == 0)
		rc = fl_pack_blob_publish(&blob, err);
	fl_hasher_end(plain, diff_id);
	if (rc == 0)
		note_layer(packing, &blob, diff_id, found);
	fl_pack_blob_finish(&blob);
	fl_hasher_destroy(plain);
	return rc;
}

/* A tar's file is looked at before it is read. */
static int pack_file(struct packing *packing, const char *path, int fd, struct fl_err *err)
{
	enum fl_pack_compression found, wanted = packing->options->compression;

	if (fl_pack_tar_look(fd, path, &found, err) < 0)
		return -1;
	if ((found == FL_PACK_GZIP || found == FL_PACK_ZSTD) &&
	    (wanted == FL_PACK_KEEP || wanted == found))
		return pack_as_is(packing, path, fd, found, err);
	return pack_stream(packing, path, fd, err);
}

static int pack_stdin(struct packing *packing, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic spool = FL_ATOMIC_INIT;
	fl_cleanup_free char *data = fl_alloc(PIECE);
	ssize_t got;

	if (fl_atomic_open(&spool, packing->layout.store.blobs, "stdin", 0600, err) < 0)
		return -1;
	while ((got = read(STDIN_FILENO, data, PIECE)) > 0)
		if (fl_io_write(spool.fd, data, (size_t)got, "standard input", err) < 0 ||
		    fl_cancel_check(NULL, err) < 0)
			return -1;
	if (got < 0)
		return fl_err_errno(err, errno, "standard input: cannot be read");
	return lseek(spool.fd, 0, SEEK_SET) < 0
		       ? fl_err_errno(err, errno, "standard input")
		       : pack_file(packing, "standard input", spool.fd, err);
}

static bool is_stdin(const char *path)
{
	return strcmp(path, "-") == 0;
}

static int pack_layer(struct packing *packing, const char *path, struct fl_err *err)
{
	fl_cleanup_close int fd = -1;
	struct stat st;

	if (is_stdin(path))
		return pack_stdin(packing, err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	if (S_ISDIR(st.st_mode))
		return pack_stream(packing, path, -1, err);
	if (!S_ISREG(st.st_mode))
		return fl_err_set(err, FL_ERR_INVALID, "%s: neither a file nor a folder", path);
	return pack_file(packing, path, fd, err);
}

static int put_config(struct packing *packing, fl_json **descriptor, struct fl_err *err)
{
	const struct fl_pack_options *options = packing->options;
	fl_cleanup_json fl_json *config = fl_json_new_object();
	fl_json *settings = fl_json_new_object();

	if (options->created)
		fl_json_set(config, "created", fl_json_new_text(options->created));
	fl_json_set(config, "config", settings);
	fl_json_put(config, "rootfs.type", fl_json_new_text("layers"));
	fl_json_put(config, "rootfs.diff_ids", fl_json_ref(packing->diff_ids));
	fl_json_set(config, "history", fl_json_ref(packing->history));
	if (fl_pack_put_platform(options->platform, config, err) < 0 ||
	    fl_pack_put_pairs(&options->labels, "label", "Labels", settings, err) < 0)
		return -1;
	return fl_pack_put_document(packing->layout.store.blobs, config, FL_PACK_CONFIG, descriptor, err);
}

static int put_manifest(struct packing *packing, fl_json **descriptor, struct fl_err *err)
{
	fl_cleanup_json fl_json *manifest = fl_json_new_object();
	fl_json *config = NULL;

	if (put_config(packing, &config, err) < 0)
		return -1;
	fl_json_set(manifest, "schemaVersion", fl_json_new_int(2));
	fl_json_set(manifest, "mediaType", fl_json_new_text(FL_IMAGE_MANIFEST));
	fl_json_set(manifest, "config", config);
	fl_json_set(manifest, "layers", fl_json_ref(packing->descriptors));
	if (fl_pack_put_pairs(&packing->options->annotations, "annotation", "annotations", manifest,
			      err) < 0)
		return -1;
	return fl_pack_put_document(packing->layout.store.blobs, manifest, FL_IMAGE_MANIFEST, descriptor, err);
}

static int pack(struct packing *packing, struct fl_pack_result *result, struct fl_err *err)
{
	const struct fl_pack_options *options = packing->options;
	fl_json *descriptor = NULL, *platform;

	if (fl_pack_layout_open(&packing->layout, options->output, err) < 0)
		return -1;
	if (options->file_count && pack_stream(packing, NULL, -1, err) < 0)
		return -1;
	for (size_t i = 0; i < options->layer_count; i++)
		if (pack_layer(packing, options->layers[i], err) < 0)
			return -1;
	if (put_manifest(packing, &descriptor, err) < 0)
		return -1;
	snprintf(result->digest, sizeof(result->digest), "%s",
		 fl_json_text(fl_json_get(descriptor, "digest")));
	result->size = packing->size;
	platform = fl_json_new_object();
	fl_pack_put_platform(options->platform, platform, NULL);
	fl_json_set(descriptor, "platform", platform);
	if (fl_store_name(&packing->layout.store, options->tag, descriptor, err) < 0)
		return -1;
	return fl_pack_layout_close(&packing->layout, err);
}

/* Cheap mistakes are found before anything is written. */
static int check(const struct fl_pack_options *options, struct fl_err *err)
{
	fl_cleanup_json fl_json *unused = fl_json_new_object();
	size_t inputs = 0;

	for (size_t i = 0; i < options->layer_count; i++) {
		const char *path = options->layers[i];

		if (is_stdin(path) && ++inputs > 1)
			return fl_err_set(err, FL_ERR_INVALID, "standard input can be one layer only");
		if (!is_stdin(path) && access(path, R_OK) < 0)
			return fl_err_errno(err, errno, "%s: cannot be opened", path);
	}
	for (size_t i = 0; i < options->file_count; i++)
		if (fl_pack_named_check(options->files[i], err) < 0)
			return -1;
	if (fl_pack_put_platform(options->platform, unused, err) < 0)
		return -1;
	if (fl_pack_put_pairs(&options->labels, "label", "x", unused, err) < 0)
		return -1;
	return fl_pack_put_pairs(&options->annotations, "annotation", "x", unused, err);
}

int fl_pack_image(const struct fl_pack_options *options, struct fl_pack_result *result,
		  struct fl_err *err)
{
	struct packing packing = { .options = options };
	int rc;

	if (check(options, err) < 0)
		return -1;
	packing.descriptors = fl_json_new_array();
	packing.diff_ids = fl_json_new_array();
	packing.history = fl_json_new_array();
	rc = pack(&packing, result, err);
	fl_pack_layout_finish(&packing.layout);
	fl_json_unref(packing.descriptors);
	fl_json_unref(packing.diff_ids);
	fl_json_unref(packing.history);
	return rc;
}
