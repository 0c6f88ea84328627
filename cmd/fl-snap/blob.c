/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/blob.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/hasher.h"
#include "common/path.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define PIECE (1 << 20)

struct fl_blob_check {
	const char *path, *digest;
	struct fl_budget *budget;
	pthread_t thread;
	bool has_thread;
	int rc;
	struct fl_err fault; /* why rc is -1 */
};

int fl_blob_digest(int fd, struct fl_budget *budget, char digest[static FL_DIGEST_TEXT],
		     struct fl_err *err)
{
	struct fl_hasher *hasher = fl_hasher_create();
	fl_cleanup_free char *piece = fl_alloc(PIECE);
	off_t at = 0;
	ssize_t got;
	int rc = 0;

	while (rc == 0 && (got = pread(fd, piece, PIECE, at)) > 0) {
		fl_hasher_add(hasher, piece, (size_t)got);
		at += got;
		rc = budget ? fl_budget_check_stop(budget, err) : 0;
	}
	if (rc == 0 && got < 0)
		rc = fl_err_errno(err, errno, "cannot be read");
	fl_hasher_end(hasher, digest);
	fl_hasher_destroy(hasher);
	return rc;
}

static int look(struct fl_blob_check *check, struct fl_err *err)
{
	fl_cleanup_close int fd = open(check->path, O_RDONLY | O_CLOEXEC);
	char real[FL_DIGEST_TEXT];

	if (fd < 0)
		return fl_err_errno(err, errno, "cannot be opened");
	if (fl_blob_digest(fd, check->budget, real, err) < 0)
		return -1;
	if (strcmp(real, check->digest) == 0)
		return 0;
	return fl_err_set(err, FL_ERR_CORRUPT, "the store holds other bytes (%s); remove the file "
			  "and pull the image again", real);
}

static void *run(void *arg)
{
	struct fl_blob_check *check = arg;

	check->rc = look(check, &check->fault);
	return NULL;
}

struct fl_blob_check *fl_blob_check(const char *path, const char *digest, struct fl_budget *budget)
{
	struct fl_blob_check *check = fl_alloc_zero(1, sizeof(*check));

	*check = (struct fl_blob_check){ .path = path, .digest = digest, .budget = budget };
	check->has_thread = pthread_create(&check->thread, NULL, run, check) == 0;
	return check;
}

int fl_blob_checked(struct fl_blob_check *check, struct fl_err *err)
{
	int rc;

	/* Where no thread can be had it is done now. */
	if (check->has_thread)
		pthread_join(check->thread, NULL);
	else
		run(check);
	rc = check->rc == 0 ? 0 : fl_err_set(err, check->fault.kind, "layer %s: %s",
					      fl_path_last(check->path), check->fault.text);
	free(check);
	return rc;
}
