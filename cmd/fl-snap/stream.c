/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/stream.h"

#include "cmd/fl-snap/inflate.h"
#include "common/alloc.h"
#include "common/hasher.h"
#include "common/path.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (256 << 10)
#define AHEAD 4 /* pieces */

/* A ring of pieces: the thread fills the one at (first + filled), the reader holds first. */
struct fl_stream {
	struct fl_inflate *inflate;
	struct fl_hasher *hash; /* NULL: not wanted */
	struct fl_budget *budget; /* borrowed */
	bool verified;
	uint64_t given;
	char *name, *diff_id;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t changed;
	unsigned first, filled;
	bool holding; /* the reader was given the first */
	bool stop;
	uint8_t *data[AHEAD];
	ssize_t len[AHEAD];
	struct fl_err fault; /* why len is -1 */
};

static bool wait_for_room(struct fl_stream *in, unsigned *slot)
{
	bool go;

	pthread_mutex_lock(&in->mutex);
	while (in->filled == AHEAD && !in->stop)
		pthread_cond_wait(&in->changed, &in->mutex);
	*slot = (in->first + in->filled) % AHEAD;
	go = !in->stop;
	pthread_mutex_unlock(&in->mutex);
	return go;
}

static void hand_over(struct fl_stream *in, unsigned slot, ssize_t len)
{
	pthread_mutex_lock(&in->mutex);
	in->len[slot] = len;
	in->filled++;
	pthread_cond_signal(&in->changed);
	pthread_mutex_unlock(&in->mutex);
}

static void *run_ahead(void *arg)
{
	struct fl_stream *in = arg;
	ssize_t len = 1;
	unsigned slot;

	while (len > 0 && wait_for_room(in, &slot)) {
		len = fl_inflate_read(in->inflate, in->data[slot], PIECE, &in->fault);
		hand_over(in, slot, len);
	}
	return NULL;
}

/* The reader is done with the piece that it holds. */
static void give_back(struct fl_stream *in)
{
	if (!in->holding)
		return;
	in->first = (in->first + 1) % AHEAD;
	in->filled--;
	in->holding = false;
	pthread_cond_signal(&in->changed);
}

static ssize_t next_of_thread(struct fl_stream *in, const void **data)
{
	ssize_t len;

	pthread_mutex_lock(&in->mutex);
	give_back(in);
	while (!in->filled)
		pthread_cond_wait(&in->changed, &in->mutex);
	*data = in->data[in->first];
	len = in->len[in->first];
	in->holding = len > 0; /* the end is met again and again */
	pthread_mutex_unlock(&in->mutex);
	return len;
}

static int verify(struct fl_stream *in, struct fl_err *err)
{
	char real[FL_DIGEST_TEXT];

	if (!in->hash || in->verified)
		return 0;
	fl_hasher_end(in->hash, real);
	in->verified = true;
	if (strcmp(real, in->diff_id) == 0)
		return 0;
	return fl_err_set(err, FL_ERR_CORRUPT, "layer %s: unpacked it has the digest %s, not %s",
			  in->name, real, in->diff_id);
}

ssize_t fl_stream_next(struct fl_stream *in, const void **data, struct fl_err *err)
{
	ssize_t got;

	if (in->has_thread) {
		got = next_of_thread(in, data);
	} else {
		*data = in->data[0];
		got = fl_inflate_read(in->inflate, in->data[0], PIECE, &in->fault);
	}
	if (got < 0)
		return fl_err_pass(err, &in->fault);
	if (got > 0 && fl_budget_bytes(in->budget, (uint64_t)got, err) < 0)
		return fl_err_prefix(err, "layer %s", in->name);
	in->given += (uint64_t)got;
	if (got > 0 && in->hash)
		fl_hasher_add(in->hash, *data, (size_t)got);
	return got == 0 ? verify(in, err) : got;
}

struct fl_stream *fl_stream_open(const char *path, const char *diff_id,
				 struct fl_budget *budget, struct fl_err *err)
{
	struct fl_inflate *inflate = fl_inflate_open(path, err);
	struct fl_stream *in;

	if (!inflate)
		return NULL;
	in = fl_alloc_zero(1, sizeof(*in));
	in->inflate = inflate;
	in->budget = budget;
	in->name = fl_strdup(fl_path_last(path));
	if (diff_id) {
		in->diff_id = fl_strdup(diff_id);
		in->hash = fl_hasher_create();
	}
	for (unsigned i = 0; i < AHEAD; i++)
		in->data[i] = fl_alloc(PIECE);
	pthread_mutex_init(&in->mutex, NULL);
	pthread_cond_init(&in->changed, NULL);
	/* Where no thread can be had the reader decompresses by itself. */
	in->has_thread = pthread_create(&in->thread, NULL, run_ahead, in) == 0;
	return in;
}

void fl_stream_close(struct fl_stream *in)
{
	if (!in)
		return;
	if (in->has_thread) {
		pthread_mutex_lock(&in->mutex);
		in->stop = true;
		pthread_cond_signal(&in->changed);
		pthread_mutex_unlock(&in->mutex);
		pthread_join(in->thread, NULL);
	}
	pthread_cond_destroy(&in->changed);
	pthread_mutex_destroy(&in->mutex);
	fl_inflate_close(in->inflate);
	fl_hasher_destroy(in->hash);
	for (unsigned i = 0; i < AHEAD; i++)
		free(in->data[i]);
	free(in->diff_id);
	free(in->name);
	free(in);
}

uint64_t fl_stream_taken(const struct fl_stream *in)
{
	return fl_inflate_taken(in->inflate);
}

uint64_t fl_stream_given(const struct fl_stream *in)
{
	return in->given;
}
