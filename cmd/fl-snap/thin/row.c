/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/thin/row.h"

#include "common/alloc.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/sha256.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define FIRST_ID (1u << 23)
#define ID_TEXT 12

static const char *const states[] = { "creating", "filling", "ready", "removing" };

void fl_thin_row_finish(struct fl_thin_row *row)
{
	free(row->name);
	free(row->device);
	free(row->base);
	*row = (struct fl_thin_row){ 0 };
}

bool fl_thin_row_is_volume(const struct fl_thin_row *row)
{
	return strchr(row->name, '/');
}

/* Where the ids that the name may have begin. */
static uint32_t start_of(const char *name)
{
	unsigned char sum[FL_SHA256_SIZE];

	fl_sha256_sum(name, strlen(name), sum);
	return (uint32_t)sum[0] << 16 | (uint32_t)sum[1] << 8 | sum[2];
}

static uint32_t id_of(uint32_t start, unsigned turn)
{
	return FIRST_ID | ((start + turn) & (FIRST_ID - 1));
}

static void print_id(uint32_t id, char text[static ID_TEXT])
{
	snprintf(text, ID_TEXT, "%u", id);
}

static int state_of(const char *text)
{
	for (size_t i = 0; text && i < FL_COUNT(states); i++)
		if (strcmp(states[i], text) == 0)
			return (int)i;
	return -1;
}

static int parse_uuid(const fl_json *doc, const char *key, struct fl_uuid *uuid)
{
	const char *text = fl_json_text(fl_json_get(doc, key));
	unsigned byte;
	size_t at = 0;

	for (size_t i = 0; text && i < sizeof(uuid->byte); i++) {
		at += text[at] == '-';
		if (sscanf(text + at, "%2x", &byte) != 1 || !text[at + 1])
			return -1;
		uuid->byte[i] = (uint8_t)byte;
		at += 2;
	}
	return text ? 0 : -1;
}

static char *copy_text(const fl_json *doc, const char *key)
{
	const char *text = fl_json_text(fl_json_get(doc, key));

	return text ? fl_strdup(text) : NULL;
}

/* 1 read, 0 there is none, -1. */
static int read_row(const struct fl_thin_pool *pool, uint32_t id, struct fl_thin_row *row,
		    struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *doc = NULL;
	struct fl_err why = { 0 };
	char name[ID_TEXT];
	int state;

	print_id(id, name);
	if (faccessat(pool->dirfd, name, F_OK, 0) < 0 && errno == ENOENT)
		return 0;
	if (fl_io_read_file(pool->dirfd, name, 1 << 16, &text, &why) < 0)
		return why.kind == FL_ERR_NOT_FOUND ? 0 : fl_err_pass(err, &why);
	doc = fl_json_parse(text.len ? text.data : "", text.len, name, err);
	state = state_of(fl_json_text(fl_json_get(doc, "state")));
	*row = (struct fl_thin_row){
		.id = id, .state = (enum fl_thin_state)state, .name = copy_text(doc, "name"),
		.device = copy_text(doc, "device"), .base = copy_text(doc, "base"),
		.sectors = (uint64_t)fl_json_int(fl_json_get(doc, "sectors")),
		.used = (uint64_t)fl_json_int(fl_json_get(doc, "used")),
		.read_only = fl_json_bool(fl_json_get(doc, "read_only")),
	};
	if (doc && state >= 0 && row->name && row->device && row->sectors &&
	    parse_uuid(doc, "uuid", &row->uuid) == 0 &&
	    (!row->base || parse_uuid(doc, "base_uuid", &row->base_uuid) == 0))
		return 1;
	fl_thin_row_finish(row);
	return fl_err_set(err, FL_ERR_CORRUPT, "thin/%s/%s: not a row of the table of ids", pool->key,
			  name);
}

int fl_thin_row_find(const struct fl_thin_pool *pool, const char *name, struct fl_thin_row *row,
		     struct fl_err *err)
{
	uint32_t start = start_of(name);

	*row = (struct fl_thin_row){ 0 };
	for (unsigned turn = 0; turn < FL_THIN_TURNS; turn++) {
		int found = read_row(pool, id_of(start, turn), row, err);

		if (found < 0 || (found && strcmp(row->name, name) == 0))
			return found;
		fl_thin_row_finish(row);
	}
	return 0;
}

static void put_uuid(fl_json *doc, const char *key, const struct fl_uuid *uuid)
{
	char text[FL_UUID_TEXT];

	fl_uuid_print(uuid, text);
	fl_json_set(doc, key, fl_json_new_text(text));
}

static void print_row(const struct fl_thin_row *row, struct fl_str *out)
{
	fl_cleanup_json fl_json *doc = fl_json_new_object();

	fl_json_set(doc, "name", fl_json_new_text(row->name));
	fl_json_set(doc, "state", fl_json_new_text(states[row->state]));
	fl_json_set(doc, "device", fl_json_new_text(row->device));
	put_uuid(doc, "uuid", &row->uuid);
	if (row->base) {
		fl_json_set(doc, "base", fl_json_new_text(row->base));
		put_uuid(doc, "base_uuid", &row->base_uuid);
	}
	fl_json_set(doc, "sectors", fl_json_new_int((int64_t)row->sectors));
	if (row->used)
		fl_json_set(doc, "used", fl_json_new_int((int64_t)row->used));
	if (row->read_only)
		fl_json_set(doc, "read_only", fl_json_new_bool(true));
	fl_json_print(doc, false, out);
	fl_str_add(out, "\n");
}

/* 1 it is ours now, 0 another has the id, -1. */
static int link_row(const struct fl_thin_pool *pool, const struct fl_thin_row *row,
		    struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char name[ID_TEXT];

	print_id(row->id, name);
	print_row(row, &text);
	if (fl_atomic_open(&file, pool->dirfd, name, 0600, err) < 0 ||
	    fl_io_write(file.fd, text.data, text.len, name, err) < 0)
		return -1;
	if (fsync(file.fd) < 0)
		return fl_err_errno(err, errno, "thin/%s/%s: cannot be put on disk", pool->key,
				    name);
	if (linkat(pool->dirfd, file.aside, pool->dirfd, name, 0) < 0)
		return errno == EEXIST ? 0
				       : fl_err_errno(err, errno, "thin/%s/%s: cannot be made",
						      pool->key, name);
	if (fsync(pool->dirfd) < 0)
		return fl_err_errno(err, errno, "thin/%s: cannot be put on disk", pool->key);
	return 1;
}

int fl_thin_row_claim(const struct fl_thin_pool *pool, struct fl_thin_row *row, unsigned *turn,
		      struct fl_err *err)
{
	uint32_t start = start_of(row->name);
	int rc = 0;

	row->state = FL_THIN_CREATING;
	while (rc == 0 && *turn < FL_THIN_TURNS) {
		row->id = id_of(start, (*turn)++);
		rc = link_row(pool, row, err);
	}
	if (rc == 0)
		fl_err_set(err, FL_ERR_EXHAUSTED, "thin pool %s: the ids for %s are all taken",
			   pool->name, row->name);
	return rc == 1 ? 0 : -1;
}

int fl_thin_row_save(const struct fl_thin_pool *pool, const struct fl_thin_row *row, bool sync,
		     struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char name[ID_TEXT];

	print_id(row->id, name);
	print_row(row, &text);
	return fl_atomic_write(pool->dirfd, name, 0600, text.data, text.len, sync, err);
}

int fl_thin_row_drop(const struct fl_thin_pool *pool, struct fl_thin_row *row, struct fl_err *err)
{
	char name[ID_TEXT];

	print_id(row->id, name);
	row->id = 0;
	if (unlinkat(pool->dirfd, name, 0) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "thin/%s/%s: cannot be removed", pool->key, name);
	return 0;
}

static bool parse_id(const char *name, uint32_t *id)
{
	char end;

	return sscanf(name, "%u%c", id, &end) == 1 && *id >= FIRST_ID && *id < 2 * FIRST_ID;
}

int fl_thin_row_each(const struct fl_thin_pool *pool,
		     int (*each)(void *arg, struct fl_thin_row *row, struct fl_err *err),
		     void *arg, struct fl_err *err)
{
	int fd = openat(pool->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fl_cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint32_t id;

	if (!dir)
		return fl_err_errno(err, errno, "thin/%s: cannot be read", pool->key);
	while ((entry = readdir(dir))) {
		fl_cleanup_thin_row struct fl_thin_row row = { 0 };
		int rc = parse_id(entry->d_name, &id) ? read_row(pool, id, &row, err) : 0;

		if (rc < 0 || (rc > 0 && each(arg, &row, err) < 0))
			return -1;
	}
	return 0;
}
