/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/fetch.h"

#include "cmd/fl-pull/follow.h"
#include "common/alloc.h"
#include "common/io.h"

#include <string.h>

#define COPY_AT_ONCE (1 << 20)

struct batch {
	const struct fl_store *store;
	const struct fl_get_options *options;
	uint64_t done, total;
};

/* One blob coming in. */
struct incoming {
	struct batch *batch;
	const struct fl_fetch_blob *blob;
	struct fl_durable durable;
	struct fl_atomic file;
	struct fl_follow *follow;
	uint64_t received;
};

static int open_incoming(struct incoming *in, struct fl_err *err)
{
	if (fl_atomic_open(&in->file, in->batch->store->blobs, fl_digest_hex(in->blob->digest), 0444,
			   err) < 0)
		return -1;
	in->follow = fl_follow_start(in->file.fd);
	return 0;
}

static void close_incoming(struct incoming *in)
{
	fl_follow_destroy(in->follow);
	fl_atomic_finish(&in->file);
	fl_durable_finish(&in->durable);
}

static int take_bytes(void *arg, const void *data, size_t size, struct fl_err *err)
{
	struct incoming *in = arg;
	const struct fl_get_options *options = in->batch->options;

	if (fl_io_write(in->file.fd, data, size, in->blob->digest, err) < 0)
		return -1;
	in->received += size;
	in->batch->done += size;
	fl_follow_grown(in->follow, in->received);
	if (options->progress)
		options->progress(options->arg, in->batch->done, in->batch->total);
	return 0;
}

static int publish(struct incoming *in, struct fl_err *err)
{
	char real[FL_DIGEST_TEXT];

	if (in->received != in->blob->size)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: %llu bytes came, %llu were announced",
				  in->blob->digest, (unsigned long long)in->received,
				  (unsigned long long)in->blob->size);
	if (fl_follow_end(in->follow, in->blob->digest, real, err) < 0)
		return -1;
	if (strcmp(real, in->blob->digest) != 0)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: what came has another digest, %s",
				  in->blob->digest, real);
	return fl_durable_publish(&in->durable, &in->file, err);
}

static int fetch_remote(struct fl_registry *registry, struct incoming *in, size_t count,
			unsigned parallel, struct fl_err *err)
{
	struct fl_http_transfer *transfers = fl_alloc_zero(count, sizeof(*transfers));
	int rc;

	for (size_t i = 0; i < count; i++) {
		fl_registry_prepare_blob(registry, in[i].blob->digest, &transfers[i]);
		transfers[i].write = take_bytes;
		transfers[i].arg = &in[i];
		transfers[i].limit = in[i].blob->size;
	}
	rc = fl_registry_run(registry, transfers, count, parallel, err);
	for (size_t i = 0; i < count; i++)
		fl_registry_finish_blob(&transfers[i]);
	free(transfers);
	return rc;
}

static int copy_local(const struct fl_layout *layout, struct incoming *in,
		      const struct fl_cancel *cancel, struct fl_err *err)
{
	fl_cleanup_free char *buffer = fl_alloc(COPY_AT_ONCE);
	struct fl_span span = { .fd = -1 };
	int rc = fl_layout_open_blob(layout, in->blob->digest, &span, err);

	for (uint64_t left = span.size; rc == 0 && left;) {
		size_t now = left < COPY_AT_ONCE ? left : COPY_AT_ONCE;

		rc = fl_io_pread(span.fd, buffer, now, span.offset + span.size - left, layout->path,
				 err);
		if (rc == 0)
			rc = take_bytes(in, buffer, now, err);
		if (rc == 0)
			rc = fl_cancel_check(cancel, err);
		left -= now;
	}
	if (span.fd >= 0)
		close(span.fd);
	return rc;
}

static int bring(struct fl_source *source, struct incoming *in, size_t count,
		 const struct fl_get_options *options, struct fl_err *err)
{
	for (size_t i = 0; i < count; i++)
		if (open_incoming(&in[i], err) < 0)
			return -1;
	if (source->registry.http && count &&
	    fetch_remote(&source->registry, in, count, options->parallel, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (!source->registry.http &&
		    copy_local(&source->layout, &in[i], options->cancel, err) < 0)
			return -1;
		if (publish(&in[i], err) < 0)
			return -1;
	}
	return 0;
}

static uint64_t total_of(const struct incoming *in, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += in[i].blob->size;
	return total;
}

/* Takes the blobs that are missing and that nobody else fetches; the busy ones come back
 * in later. */
static int choose(struct batch *batch, const struct fl_fetch_blob *blobs, size_t count,
		  struct incoming *in, size_t *chosen, struct fl_fetch_blob *later,
		  size_t *later_count, struct fl_err *err)
{
	*chosen = *later_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct incoming *one = &in[*chosen];
		struct fl_err why = { 0 };
		int have;

		*one = (struct incoming){ .batch = batch, .blob = &blobs[i],
					  .file = FL_ATOMIC_INIT };
		have = fl_durable_begin(&one->durable, batch->store->blobs,
					fl_digest_hex(blobs[i].digest), false,
					batch->options->cancel, &why);
		if (have == 0) {
			++*chosen;
			continue;
		}
		fl_durable_finish(&one->durable);
		if (have < 0 && why.kind != FL_ERR_BUSY)
			return fl_err_pass(err, &why);
		if (have < 0)
			later[(*later_count)++] = blobs[i];
	}
	return 0;
}

/* Waits until whoever fetches the blob is done or gone. */
static int wait_for(struct batch *batch, const struct fl_fetch_blob *blob, struct fl_err *err)
{
	fl_cleanup_durable struct fl_durable durable = FL_DURABLE_INIT;

	return fl_durable_begin(&durable, batch->store->blobs, fl_digest_hex(blob->digest), true,
				batch->options->cancel, err);
}

int fl_fetch(const struct fl_store *store, struct fl_source *source,
	     const struct fl_fetch_blob *blobs, size_t count,
	     const struct fl_get_options *options, struct fl_err *err)
{
	struct batch batch = { .store = store, .options = options };
	fl_cleanup_free struct incoming *in = fl_alloc_zero(count, sizeof(*in));
	fl_cleanup_free struct fl_fetch_blob *left = fl_alloc_zero(count, sizeof(*left));
	fl_cleanup_free struct fl_fetch_blob *later = fl_alloc_zero(count, sizeof(*later));
	size_t chosen, later_count = count;

	if (count)
		memcpy(later, blobs, count * sizeof(*blobs));
	while (later_count) {
		size_t now = later_count;
		int rc;

		memcpy(left, later, now * sizeof(*left));
		rc = choose(&batch, left, now, in, &chosen, later, &later_count, err);
		batch.total = batch.done + total_of(in, chosen);
		if (rc == 0)
			rc = bring(source, in, chosen, options, err);
		for (size_t i = 0; i < chosen; i++)
			close_incoming(&in[i]);
		if (rc < 0 || (later_count && wait_for(&batch, &later[0], err) < 0))
			return -1;
	}
	return 0;
}
