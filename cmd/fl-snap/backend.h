/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where the volumes of microVMs are: back ends behind one table. "file" makes files in the
 * microVM's folder, "qcow2" files there that lead to their base, "thin" devices in a thin pool. A
 * volume stays in the back end that made it, whatever is asked for later.
 *
 *     struct fl_site site = { state_dir, "auto", NULL };
 *     const struct fl_backend *backend = fl_backend_choose(&site, err);
 *     if (!backend || backend->make(&call, &made, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-snap/cache.h"
#include "cmd/fl-snap/thin/mapper.h"
#include "common/cli.h"
#include "common/places.h"
#include "common/table.h"
#include "common/uuid.h"

struct fl_site {
	const char *state_dir;
	const char *backend; /* "auto", or the name of one */
	const char *pool;    /* the thin pool that is asked for; NULL: one of the known names */
	char found[FL_MAPPER_NAME]; /* the device of the pool that was chosen */
};

#define FL_VOLUMES_FOLDER "volumes" /* of a microVM's folder */

/* One volume of one microVM. Who makes it holds the store's lock, so that "gc" takes nothing away
 * that no record leads to yet. */
struct fl_volume_call {
	const struct fl_site *site;
	struct fl_cache *cache;
	const struct fl_cache_watch *watch;
	const struct fl_vm *vm;
	int folder; /* FL_VOLUMES_FOLDER of the microVM */
	const char *id;
	bool read_only;
	const struct fl_image *image;
	uint64_t mib; /* of a new one's file system; 0: not chosen yet */
	const fl_json *others; /* as host.volumes, made before this one; may be NULL */
};

/* What is written into the record; caller frees what it owns. */
struct fl_volume_made {
	char *path, *base;
	char *pool; /* NULL for a file */
	const char *format; /* of the disk; NULL: raw */
	struct fl_uuid uuid;
	bool has_uuid; /* of the file system in it */
};

/* What goes with "fl-snap gc". */
struct fl_garbage {
	const struct fl_site *site;
	struct fl_cache *cache;
	bool is_dry;
	fl_json *chains; /* hex of the chain ids whose bases stay, as keys */
	fl_json *files;  /* names of the kernels and initrds that stay, as keys */
	fl_json *uids;   /* of all microVMs, as keys */
	struct fl_table *table; /* what goes */
};

struct fl_backend {
	const char *name;
	bool vmm_grows; /* a VMM that has a volume open must make it larger itself */
	/* Whether it made the volume: 1, 0, -1. */
	int (*has)(const struct fl_volume_call *call, struct fl_err *err);
	/* Makes the volume, or what is missing of it. */
	int (*make)(const struct fl_volume_call *call, struct fl_volume_made *made,
		    struct fl_err *err);
	/* Larger, to size bytes. */
	int (*grow)(const struct fl_volume_call *call, uint64_t size, struct fl_err *err);
	/* What a new volume would be called in a plan, such as "a snapshot in pool X of the". */
	int (*plan)(const struct fl_site *site, bool read_only, struct fl_str *out,
		    struct fl_err *err);
	/* What follows is NULL where a back end has nothing of its own.
	 * Takes all volumes of a microVM away. */
	int (*remove)(const struct fl_site *site, const struct fl_vm *vm, struct fl_err *err);
	/* Rows of its bases: kind, name, size, used. */
	int (*list)(const struct fl_site *site, struct fl_table *table, struct fl_err *err);
	/* Removes a base: 1 done, 0 there is none of that name, -1. */
	int (*remove_base)(const struct fl_site *site, const char *name, struct fl_err *err);
	int (*collect)(struct fl_garbage *garbage, struct fl_err *err);
	/* A row for each place where it keeps volumes: see fl-snap(8), "status". */
	int (*status)(const struct fl_site *site, struct fl_table *table, struct fl_err *err);
};

extern const struct fl_backend fl_backend_file, fl_backend_qcow2, fl_backend_thin;

/* All of them, ended by NULL; volumes are taken away in this order. */
extern const struct fl_backend *const fl_backends[];

#define FL_BACKEND_OPTIONS                                                                      \
	{ "backend", 0, FL_PLACES_WORDS, "where volumes are made (FL_BACKEND; auto)" },      \
	{ "pool", 0, "POOL", "the thin pool, as VG/LV or as device-mapper calls it (FL_POOL)" }

/* What the options and the environment ask for; FL_ERR_USAGE. */
int fl_backend_site(const struct fl_args *args, struct fl_site *site, struct fl_err *err);

/* The back end of new volumes: for "auto" the thin pool that is asked for or has a known name,
 * else files. */
const struct fl_backend *fl_backend_choose(struct fl_site *site, struct fl_err *err);

/* For back ends. Whether the microVM's folder has the file: 1, 0, -1. */
int fl_backend_has_file(const struct fl_volume_call *call, const char *name, struct fl_err *err);

/* For back ends. FL_ERR_INVALID when a volume of now bytes would become smaller. */
int fl_backend_check_growth(const struct fl_volume_call *call, uint64_t now, uint64_t size,
			    struct fl_err *err);

/* The one that made a volume, or NULL: none did. */
int fl_backend_of(const struct fl_volume_call *call, const struct fl_backend **backend,
		  struct fl_err *err);
