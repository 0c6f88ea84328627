/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-meta/iso.h"

#include "common/alloc.h"
#include "common/io.h"
#include "common/str.h"
#include "common/vec.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 2048u
#define VOLUME_AT 16u /* then the end of the descriptors */
#define PATHS_AT 18u  /* the table in little endian, then in big endian */
#define FOLDERS_AT 20u
#define FEWEST 32u /* sectors: libarchive looks for no volume in less than 24 */
#define IS_FOLDER 2
#define LONGEST_ID 40
#define NONE SIZE_MAX

/* Folders stand in the order of the path table: by depth. The root is the first, its own parent. */
struct folder {
	const char *path; /* begins a file's name */
	size_t len;
	size_t parent;
	uint32_t at, size; /* sector; bytes */
};

struct iso {
	const struct fl_disk_file *files;
	size_t count;
	uint32_t at[FL_DISK_FILES]; /* sectors of the files */
	uint32_t end;
	FL_VEC(struct folder) folders;
};

static void put_little(uint8_t *at, uint32_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void put_big(uint8_t *at, uint32_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

/* ECMA-119 7.2.3 and 7.3.3: most numbers stand there in both orders. */
static void put_both(uint8_t *at, uint32_t value, unsigned size)
{
	put_little(at, value, size);
	put_big(at + size, value, size);
}

static uint8_t *add_zeros(struct fl_str *out, size_t size)
{
	uint8_t *at = (uint8_t *)fl_str_reserve(out, size);

	memset(at, 0, size);
	out->len += size;
	return at;
}

static uint32_t sectors_of(size_t size)
{
	return (uint32_t)((size + SECTOR - 1) / SECTOR);
}

static void fill_sector(struct fl_str *out)
{
	add_zeros(out, (size_t)sectors_of(out->len) * SECTOR - out->len);
}

static size_t find_folder(const struct iso *iso, const char *path, size_t len)
{
	for (size_t i = 0; i < iso->folders.count; i++)
		if (iso->folders.items[i].len == len &&
		    strncmp(iso->folders.items[i].path, path, len) == 0)
			return i;
	return NONE;
}

/* How much of a name is its folder's. */
static size_t folder_part(const char *name, size_t len)
{
	while (len > 0 && name[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}

/* What comes before the slash of that number, from 0; NONE: it has not so many. */
static size_t up_to_slash(const char *name, unsigned number)
{
	const char *slash = strchr(name, '/');

	while (slash && number--)
		slash = strchr(slash + 1, '/');
	return slash ? (size_t)(slash - name) : NONE;
}

static void find_folders(struct iso *iso)
{
	bool any = true;

	FL_VEC_ADD(&iso->folders, ((struct folder){ .path = "" }));
	for (unsigned depth = 0; any; depth++) {
		any = false;
		for (size_t i = 0; i < iso->count; i++) {
			const char *path = iso->files[i].name;
			size_t len = up_to_slash(path, depth);
			struct folder one;

			if (len == NONE || find_folder(iso, path, len) != NONE)
				continue;
			any = true;
			one = (struct folder){ .path = path, .len = len };
			one.parent = find_folder(iso, path, folder_part(path, len));
			FL_VEC_ADD(&iso->folders, one);
		}
	}
}

/* Something in a folder. */
struct node {
	char id[LONGEST_ID]; /* of ECMA-119, 7.5: what Rock Ridge's name hides */
	const char *name;
	size_t len;
	uint32_t at, size;
	bool is_folder;
};

static void make_id(const char *name, size_t len, bool is_folder, char id[static LONGEST_ID])
{
	size_t at = 0;

	for (; at < len && at < LONGEST_ID - 4; at++)
		id[at] = isalnum((unsigned char)name[at]) ? (char)toupper((unsigned char)name[at]) : '_';
	strcpy(id + at, is_folder ? "" : ".;1");
}

static struct node node_of(const char *path, size_t len, bool is_folder, uint32_t at, uint32_t size)
{
	size_t from = folder_part(path, len);
	struct node node = { .at = at, .size = size, .is_folder = is_folder };

	from += path[from] == '/';
	node.name = path + from;
	node.len = len - from;
	make_id(node.name, node.len, is_folder, node.id);
	return node;
}

typedef FL_VEC(struct node) nodes;

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->id, ((const struct node *)b)->id);
}

static void list(const struct iso *iso, size_t folder, nodes *in)
{
	for (size_t i = 1; i < iso->folders.count; i++) {
		const struct folder *one = &iso->folders.items[i];

		if (one->parent == folder)
			FL_VEC_ADD(in, node_of(one->path, one->len, true, one->at, one->size));
	}
	for (size_t i = 0; i < iso->count; i++) {
		const struct fl_disk_file *file = &iso->files[i];
		size_t len = strlen(file->name);

		if (find_folder(iso, file->name, folder_part(file->name, len)) == folder)
			FL_VEC_ADD(in, node_of(file->name, len, false, iso->at[i],
					       (uint32_t)file->size));
	}
	if (in->count)
		qsort(in->items, in->count, sizeof(*in->items), compare);
}

/* Of SUSP and RRIP: two letters, the length, version 1. */
static uint8_t *add_field(struct fl_str *out, const char *letters, size_t size)
{
	uint8_t *at = add_zeros(out, 4 + size);

	memcpy(at, letters, 2);
	at[2] = (uint8_t)(4 + size);
	at[3] = 1;
	return at + 4;
}

static void add_mode(struct fl_str *out, bool is_folder)
{
	uint8_t *at = add_field(out, "PX", 32);

	put_both(at, is_folder ? S_IFDIR | 0555 : S_IFREG | 0400, 4);
	put_both(at + 8, is_folder ? 2 : 1, 4);
}

static void add_name(struct fl_str *out, const struct node *node)
{
	memcpy(add_field(out, "NM", 1 + node->len) + 1, node->name, node->len);
}

/* The root's first record says that the others are there. */
static void add_rock_ridge(struct fl_str *out)
{
	static const char id[] = "RRIP_1991A";
	uint8_t *at;

	memcpy(add_field(out, "SP", 3), "\xbe\xef", 2);
	at = add_field(out, "ER", 4 + strlen(id));
	at[0] = (uint8_t)strlen(id);
	at[3] = 1;
	memcpy(at + 4, id, strlen(id));
}

/* ECMA-119 9.1. No record crosses sectors. */
static void add_record(struct fl_str *out, const char *id, size_t id_len, uint32_t at, uint32_t size,
		       uint8_t flags, const struct fl_str *system_use)
{
	size_t before = 33 + id_len + (id_len % 2 == 0), len = before + system_use->len;
	uint8_t *record;

	len += len % 2;
	if (len > SECTOR - out->len % SECTOR)
		fill_sector(out);
	record = add_zeros(out, len);
	record[0] = (uint8_t)len;
	put_both(record + 2, at, 4);
	put_both(record + 10, size, 4);
	memcpy(record + 18, "\x50\x01\x01", 3); /* 1 January 1980 */
	record[25] = flags;
	put_both(record + 28, 1, 2);
	record[32] = (uint8_t)id_len;
	memcpy(record + 33, id, id_len);
	if (system_use->len)
		memcpy(record + before, system_use->data, system_use->len);
}

static void add_folder(const struct iso *iso, size_t index, struct fl_str *out)
{
	const struct folder *self = &iso->folders.items[index];
	const struct folder *parent = &iso->folders.items[self->parent];
	fl_cleanup_str struct fl_str use = FL_STR_INIT;
	nodes in = { 0 };

	if (index == 0)
		add_rock_ridge(&use);
	add_mode(&use, true);
	add_record(out, "\0", 1, self->at, self->size, IS_FOLDER, &use);
	fl_str_clear(&use);
	add_mode(&use, true);
	add_record(out, "\1", 1, parent->at, parent->size, IS_FOLDER, &use);
	list(iso, index, &in);
	for (size_t i = 0; i < in.count; i++) {
		const struct node *node = &in.items[i];

		fl_str_clear(&use);
		add_mode(&use, node->is_folder);
		add_name(&use, node);
		add_record(out, node->id, strlen(node->id), node->at, node->size,
			   node->is_folder ? IS_FOLDER : 0, &use);
	}
	free(in.items);
	fill_sector(out);
}

/* How large folders are does not depend on where things are: so they are made twice. */
static void place(struct iso *iso)
{
	uint32_t next = FOLDERS_AT;

	for (size_t i = 0; i < iso->folders.count; i++) {
		fl_cleanup_str struct fl_str bytes = FL_STR_INIT;

		add_folder(iso, i, &bytes);
		iso->folders.items[i].at = next;
		iso->folders.items[i].size = (uint32_t)bytes.len;
		next += sectors_of(bytes.len);
	}
	for (size_t i = 0; i < iso->count; i++) {
		/* What is empty is nowhere: the sector behind the last is none. */
		iso->at[i] = iso->files[i].size ? next : 0;
		next += sectors_of(iso->files[i].size);
	}
	iso->end = next < FEWEST ? FEWEST : next;
}

/* ECMA-119 9.4. */
static void add_paths(const struct iso *iso, void (*put)(uint8_t *at, uint32_t value, unsigned size),
		      struct fl_str *out)
{
	for (size_t i = 0; i < iso->folders.count; i++) {
		const struct folder *one = &iso->folders.items[i];
		struct node node = node_of(one->path, one->len, true, 0, 0);
		size_t len = i ? strlen(node.id) : 1; /* the root's is a zero */
		uint8_t *at = add_zeros(out, 8 + len + len % 2);

		at[0] = (uint8_t)len;
		put(at + 2, one->at, 4);
		put(at + 6, (uint32_t)one->parent + 1, 2);
		memcpy(at + 8, node.id, len);
	}
}

static void put_text(uint8_t *at, const char *text, size_t size)
{
	memset(at, ' ', size);
	memcpy(at, text, strlen(text));
}

/* ECMA-119 8.4. */
static void add_volume(const struct iso *iso, const char *label, size_t paths, struct fl_str *out)
{
	static const uint16_t dates[] = { 813, 830, 847, 864 };
	static const struct fl_str nothing = FL_STR_INIT;
	fl_cleanup_str struct fl_str root = FL_STR_INIT;
	uint8_t *at = add_zeros(out, SECTOR);

	memcpy(at, "\1" "CD001\1", 7);
	put_text(at + 8, "", 32);
	put_text(at + 40, label, 32);
	put_both(at + 80, iso->end, 4);
	put_both(at + 120, 1, 2);
	put_both(at + 124, 1, 2);
	put_both(at + 128, SECTOR, 2);
	put_both(at + 132, (uint32_t)paths, 4);
	put_little(at + 140, PATHS_AT, 4);
	put_big(at + 148, PATHS_AT + 1, 4);
	add_record(&root, "\0", 1, iso->folders.items[0].at, iso->folders.items[0].size, IS_FOLDER,
		   &nothing);
	memcpy(at + 156, root.data, root.len);
	put_text(at + 190, "", 813 - 190);
	for (size_t i = 0; i < FL_COUNT(dates); i++)
		memset(at + dates[i], '0', 16); /* not said */
	at[881] = 1;
	memcpy(add_zeros(out, SECTOR), "\xff" "CD001\1", 7);
}

static int add_head(const struct iso *iso, const char *label, struct fl_str *out, struct fl_err *err)
{
	fl_cleanup_str struct fl_str paths = FL_STR_INIT;

	add_paths(iso, put_little, &paths);
	if (paths.len > SECTOR)
		return fl_err_set(err, FL_ERR_INVALID, "too many folders of metadata");
	add_zeros(out, VOLUME_AT * SECTOR);
	add_volume(iso, label, paths.len, out);
	fl_str_add_bytes(out, paths.data, paths.len);
	fill_sector(out);
	add_paths(iso, put_big, out);
	fill_sector(out);
	for (size_t i = 0; i < iso->folders.count; i++)
		add_folder(iso, i, out);
	return 0;
}

static int write_all(const struct iso *iso, int fd, const char *name, const char *label,
		     struct fl_err *err)
{
	fl_cleanup_str struct fl_str head = FL_STR_INIT;

	if (add_head(iso, label, &head, err) < 0)
		return -1;
	if (ftruncate(fd, (off_t)iso->end * SECTOR) < 0)
		return fl_err_errno(err, errno, "%s: cannot be made that large", name);
	for (size_t i = 0; i < iso->count; i++)
		if (fl_io_pwrite(fd, iso->files[i].data, iso->files[i].size,
				 (uint64_t)iso->at[i] * SECTOR, name, err) < 0)
			return -1;
	return fl_io_pwrite(fd, head.data, head.len, 0, name, err);
}

int fl_iso_write(int fd, const char *name, const char *label, const struct fl_disk_file *files,
		 size_t count, struct fl_err *err)
{
	struct iso iso = { .files = files, .count = count };
	int rc;

	find_folders(&iso);
	place(&iso);
	rc = write_all(&iso, fd, name, label, err);
	free(iso.folders.items);
	return rc;
}
