/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What is made out of images once and shared: bases (file systems) in STATE/bases, and
 * single files (kernels, initrds) in STATE/files. Both are found again by what they were
 * made of, and never trusted after a power loss that may have torn them.
 *
 *     struct fl_cache cache;
 *     fl_cache_open(&cache, state_dir, err);
 *     char *path;
 *     fl_cache_base(&cache, &image, mib, cancel, progress, &path, err);
 *     fl_cache_file(&cache, &image, "boot/vmlinux", cancel, &path, err);
 *     fl_cache_close(&cache);
 */
#pragma once

#include "cmd/fl-snap/base.h"
#include "common/image.h"

#define FL_BASE_FORMAT 3 /* of the builder: another gives other bytes for the same image */

/* What an image may cost; 0: as budget.h and fl_cache_builds say. */
struct fl_cache_limits {
	uint64_t max_bytes, max_entries;
	unsigned builds; /* at once on this host */
};

/* The builds at once that are right for this host: a processor each, and two at least. */
unsigned fl_cache_builds(void);

struct fl_cache {
	char *dir; /* the state folder */
	int bases, files;
	struct fl_store store;
	struct fl_cache_limits limits; /* the caller's to set */
};

int fl_cache_open(struct fl_cache *cache, const char *state_dir, struct fl_err *err);
void fl_cache_close(struct fl_cache *cache);
#define fl_cleanup_cache FL_CLEANUP(fl_cache_close)

/* Bases and files go to the disk in the background. */
void fl_cache_settle_later(struct fl_cache *cache);

/* How the long work is watched; all may be NULL. */
struct fl_cache_watch {
	const struct fl_cancel *cancel;
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/* The size in MiB of a base for which none was asked: 10 GiB, or more for a large image. */
uint64_t fl_cache_default_mib(const struct fl_image *image);

/* Path of the base of that size, built if it is missing; caller frees. */
int fl_cache_base(struct fl_cache *cache, const struct fl_image *image, uint64_t mib,
		  const struct fl_cache_watch *watch, char **path, struct fl_err *err);

/* Its path, whether it is there or not; caller frees. The last component names the base. */
char *fl_cache_base_path(const struct fl_cache *cache, const struct fl_image *image, uint64_t mib);

/* Whether path is a base of the image that a builder of another format made, and whole: it cannot be
 * built again. */
bool fl_cache_has_other_base(const struct fl_cache *cache, const struct fl_image *image, uint64_t mib,
			     const char *path);

/* Whether a base of that name is the image's, in any size; mib is its size then. */
bool fl_cache_is_base_of(const struct fl_image *image, const char *name, uint64_t *mib);

/* The content of that base as an open file, which nobody else may have a name for. */
int fl_cache_base_fd(struct fl_cache *cache, const struct fl_image *image, uint64_t mib,
		     const struct fl_cache_watch *watch, struct fl_err *err);

/* Path of a copy of one file of the image; caller frees. */
int fl_cache_file(struct fl_cache *cache, const struct fl_image *image, const char *file,
		  const struct fl_cache_watch *watch, char **path, struct fl_err *err);

/* Writes one file of the image into the empty file fd: from that copy if there is one; none is made. */
int fl_cache_write_file(struct fl_cache *cache, const struct fl_image *image, const char *file,
			int fd, const struct fl_cache_watch *watch, struct fl_err *err);

/* Builds the file system into the empty file fd; mib 0: as large as the content needs. */
int fl_cache_build(struct fl_cache *cache, int fd, const char *name, const struct fl_image *image,
		   uint64_t mib, const struct fl_cache_watch *watch, struct fl_err *err);
