/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/follow.h"

#include "common/alloc.h"
#include "common/hasher.h"
#include "common/io.h"

#include <fcntl.h>
#include <pthread.h>

#define PIECE (256 << 10)
#define FLUSHED (8 << 20) /* at once, on the way to the disk */

struct fl_follow {
	int fd;
	struct fl_hasher *hasher; /* of the thread while there is one, as the next three are */
	uint64_t hashed, flushed;
	char *piece;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t changed;
	uint64_t size;
	bool ended;
};

static int hash_until(struct fl_follow *follow, uint64_t size, const char *name,
		      struct fl_err *err)
{
	if (!follow->piece)
		follow->piece = fl_alloc(PIECE);
	while (follow->hashed < size) {
		uint64_t left = size - follow->hashed;
		size_t now = left < PIECE ? (size_t)left : PIECE;

		if (fl_io_pread(follow->fd, follow->piece, now, follow->hashed, name, err) < 0)
			return -1;
		fl_hasher_add(follow->hasher, follow->piece, now);
		follow->hashed += now;
	}
	return 0;
}

/* The disk has nothing else to do while a network is waited for. */
static void flush(struct fl_follow *follow)
{
	uint64_t size = follow->hashed - follow->flushed;

	if (size < FLUSHED)
		return;
	sync_file_range(follow->fd, (off_t)follow->flushed, (off_t)size, SYNC_FILE_RANGE_WRITE);
	follow->flushed = follow->hashed;
}

/* What is there in whole pieces, once there are more, and no more than is done without looking again; 0:
 * there will be none. */
static uint64_t wait_for_more(struct fl_follow *follow)
{
	uint64_t whole;

	pthread_mutex_lock(&follow->mutex);
	while (follow->size - follow->hashed < PIECE && !follow->ended)
		pthread_cond_wait(&follow->changed, &follow->mutex);
	whole = follow->ended ? 0 : follow->size - follow->size % PIECE;
	if (whole > follow->hashed + FLUSHED)
		whole = follow->hashed + FLUSHED;
	pthread_mutex_unlock(&follow->mutex);
	return whole;
}

/* What it cannot read, who ends it cannot either, and says so. */
static void *run_behind(void *arg)
{
	struct fl_follow *follow = arg;
	uint64_t whole;

	while ((whole = wait_for_more(follow)) && hash_until(follow, whole, "", NULL) == 0)
		flush(follow);
	return NULL;
}

static void stop_thread(struct fl_follow *follow)
{
	if (!follow->has_thread)
		return;
	pthread_mutex_lock(&follow->mutex);
	follow->ended = true;
	pthread_cond_signal(&follow->changed);
	pthread_mutex_unlock(&follow->mutex);
	pthread_join(follow->thread, NULL);
	follow->has_thread = false;
}

struct fl_follow *fl_follow_start(int fd)
{
	struct fl_follow *follow = fl_alloc_zero(1, sizeof(*follow));

	follow->fd = fd;
	follow->hasher = fl_hasher_create();
	pthread_mutex_init(&follow->mutex, NULL);
	pthread_cond_init(&follow->changed, NULL);
	return follow;
}

/* Small files are not worth a thread; where none can be had all is hashed at the end. */
void fl_follow_grown(struct fl_follow *follow, uint64_t size)
{
	bool is_more = size / PIECE > follow->size / PIECE;

	pthread_mutex_lock(&follow->mutex);
	follow->size = size;
	if (is_more)
		pthread_cond_signal(&follow->changed);
	pthread_mutex_unlock(&follow->mutex);
	if (is_more && !follow->has_thread)
		follow->has_thread = pthread_create(&follow->thread, NULL, run_behind, follow) == 0;
}

int fl_follow_end(struct fl_follow *follow, const char *name,
		  char digest[static FL_DIGEST_TEXT], struct fl_err *err)
{
	stop_thread(follow);
	if (hash_until(follow, follow->size, name, err) < 0)
		return -1;
	fl_hasher_end(follow->hasher, digest);
	return 0;
}

void fl_follow_destroy(struct fl_follow *follow)
{
	if (!follow)
		return;
	stop_thread(follow);
	pthread_cond_destroy(&follow->changed);
	pthread_mutex_destroy(&follow->mutex);
	fl_hasher_destroy(follow->hasher);
	free(follow->piece);
	free(follow);
}
