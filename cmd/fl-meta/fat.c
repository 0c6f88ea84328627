/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-meta/fat.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/io.h"

#include <stdbool.h>
#include <string.h>

#define SECTOR 512u
#define RESERVED 1u
#define ROOT_ENTRIES 512u
#define ROOT_SECTORS (ROOT_ENTRIES * 32 / SECTOR)
#define FEWEST_CLUSTERS 4200u /* below 4085 it would be FAT12 */
#define LONG_PART 13          /* characters of a long name in one entry */
#define FOLDER_CLUSTERS 4u
#define IS_LABEL 0x08
#define IS_FOLDER 0x10
#define IS_FILE 0x20

/* One sector is one cluster, so an image of 2 MiB is a FAT16 already. */
struct layout {
	uint32_t clusters, fat_sectors, root_at, data_at, sectors;
};

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)value);
	put16(at + 2, (uint16_t)(value >> 16));
}

static uint32_t clusters_of(size_t size)
{
	return (uint32_t)((size + SECTOR - 1) / SECTOR);
}

static struct layout plan(const struct fl_disk_file *files, size_t count)
{
	struct layout layout = { 0 };

	for (size_t i = 0; i < count; i++) {
		layout.clusters += clusters_of(files[i].size);
		for (const char *at = files[i].name; (at = strchr(at, '/')); at++)
			layout.clusters += FOLDER_CLUSTERS;
	}
	layout.clusters += 16;
	if (layout.clusters < FEWEST_CLUSTERS)
		layout.clusters = FEWEST_CLUSTERS;
	layout.fat_sectors = ((layout.clusters + 2) * 2 + SECTOR - 1) / SECTOR;
	layout.root_at = RESERVED + 2 * layout.fat_sectors;
	layout.data_at = layout.root_at + ROOT_SECTORS;
	layout.sectors = layout.data_at + layout.clusters;
	return layout;
}

static void pad_copy(uint8_t *at, const char *text, size_t size)
{
	size_t len = strlen(text);

	memset(at, ' ', size);
	memcpy(at, text, len < size ? len : size);
}

static void fill_boot(uint8_t *boot, const struct layout *layout, const char *label)
{
	memcpy(boot, "\xeb\x3c\x90" "FLINTLCK", 11);
	put16(boot + 11, SECTOR);
	boot[13] = 1; /* sectors per cluster */
	put16(boot + 14, RESERVED);
	boot[16] = 2; /* copies of the FAT */
	put16(boot + 17, ROOT_ENTRIES);
	put16(boot + 19, layout->sectors < 65536 ? (uint16_t)layout->sectors : 0);
	boot[21] = 0xf8; /* a fixed disk */
	put16(boot + 22, (uint16_t)layout->fat_sectors);
	put16(boot + 24, 32);
	put16(boot + 26, 64);
	put32(boot + 32, layout->sectors < 65536 ? 0 : layout->sectors);
	boot[36] = 0x80;
	boot[38] = 0x29;
	put32(boot + 39, 0x464c494e); /* serial number */
	pad_copy(boot + 43, label, 11);
	memcpy(boot + 54, "FAT16   ", 8);
	put16(boot + 510, 0xaa55);
}

/* "user-data" → "FILE0   " with a number: a short name nobody looks at. */
static void short_name(size_t index, uint8_t name[11])
{
	pad_copy(name, "FILE~", 11);
	name[5] = (uint8_t)('1' + index);
}

static uint8_t checksum(const uint8_t name[11])
{
	uint8_t sum = 0;

	for (int i = 0; i < 11; i++)
		sum = (uint8_t)((sum << 7 | sum >> 1) + name[i]);
	return sum;
}

/* Characters of a long name sit in three places of an entry, as UTF-16. */
static void fill_long(uint8_t *entry, const char *name, unsigned part, bool last, uint8_t sum)
{
	static const uint8_t places[LONG_PART] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
	size_t len = strlen(name), from = part * LONG_PART;

	memset(entry, 0, 32);
	entry[0] = (uint8_t)((part + 1) | (last ? 0x40 : 0));
	entry[11] = 0x0f;
	entry[13] = sum;
	for (size_t i = 0; i < LONG_PART; i++) {
		size_t at = from + i;

		put16(entry + places[i], at < len ? (uint8_t)name[at] : at == len ? 0 : 0xffff);
	}
}

static void fill_entry(uint8_t *entry, const uint8_t name[11], uint8_t kind, uint32_t cluster,
		       size_t size)
{
	memcpy(entry, name, 11);
	entry[11] = kind;
	put16(entry + 24, 0x21); /* 1 January 1980 */
	put16(entry + 26, (uint16_t)cluster);
	put32(entry + 28, (uint32_t)size);
}

/* Its entries, long name first; where the next one goes. */
static uint8_t *add_entry(uint8_t *entry, const char *name, size_t index, uint8_t kind,
			  uint32_t cluster, size_t size)
{
	unsigned parts = (unsigned)((strlen(name) + LONG_PART - 1) / LONG_PART);
	uint8_t short_form[11];

	short_name(index, short_form);
	for (unsigned part = parts; part-- > 0; entry += 32)
		fill_long(entry, name, part, part + 1 == parts, checksum(short_form));
	fill_entry(entry, short_form, kind, cluster, size);
	return entry + 32;
}

static void chain(uint8_t *fat, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		put16(fat + 2 * (first + i), i + 1 == count ? 0xffff : (uint16_t)(first + i + 1));
}

struct writer {
	int fd;
	const char *name;
	struct layout layout;
	uint8_t *fat;
	uint32_t next; /* cluster that is free, as are all behind it */
};

/* The next clusters, chained; returns where they are in the file. */
static uint64_t take(struct writer *writer, uint32_t count, uint32_t *first)
{
	*first = count ? writer->next : 0;
	chain(writer->fat, writer->next, count);
	writer->next += count;
	return (uint64_t)(writer->layout.data_at + writer->next - count - 2) * SECTOR;
}

/* How many of the files, from the first on, are in its folder; 0: it is in none. */
static size_t in_folder(const struct fl_disk_file *files, size_t count, size_t from)
{
	size_t len = strcspn(files[0].name + from, "/"), same = 0;

	if (!files[0].name[from + len])
		return 0;
	while (same < count && strncmp(files[same].name, files[0].name, from + len + 1) == 0)
		same++;
	return same;
}

static int add_file(struct writer *writer, const struct fl_disk_file *file, uint32_t *cluster,
		    struct fl_err *err)
{
	uint64_t at = take(writer, clusters_of(file->size), cluster);

	return fl_io_pwrite(writer->fd, file->data, file->size, at, writer->name, err);
}

static int fill_folder(struct writer *writer, const struct fl_disk_file *files, size_t count,
		       size_t from, uint8_t *entry, uint32_t self, struct fl_err *err);

/* A folder's own cluster comes before what is in it, which only then is known. */
static int add_folder(struct writer *writer, const struct fl_disk_file *files, size_t count,
		      size_t from, uint32_t parent, uint32_t *cluster, struct fl_err *err)
{
	fl_cleanup_free uint8_t *entries = fl_alloc_zero(FOLDER_CLUSTERS, SECTOR);
	uint64_t at = take(writer, FOLDER_CLUSTERS, cluster);

	fill_entry(entries, (const uint8_t *)".          ", IS_FOLDER, *cluster, 0);
	fill_entry(entries + 32, (const uint8_t *)"..         ", IS_FOLDER, parent, 0);
	if (fill_folder(writer, files, count, from, entries + 64, *cluster, err) < 0)
		return -1;
	return fl_io_pwrite(writer->fd, entries, (size_t)FOLDER_CLUSTERS * SECTOR, at, writer->name,
			    err);
}

/* from: where, in the names, the part begins that is for this folder. */
static int fill_folder(struct writer *writer, const struct fl_disk_file *files, size_t count,
		       size_t from, uint8_t *entry, uint32_t self, struct fl_err *err)
{
	uint32_t cluster = 0;

	for (size_t i = 0, index = 0; i < count; index++) {
		const char *part = files[i].name + from;
		size_t len = strcspn(part, "/"), inside = in_folder(files + i, count - i, from);
		fl_cleanup_free char *name = fl_strndup(part, len);
		int rc = inside ? add_folder(writer, files + i, inside, from + len + 1, self,
					     &cluster, err)
				: add_file(writer, &files[i], &cluster, err);

		if (rc < 0)
			return -1;
		entry = add_entry(entry, name, index, inside ? IS_FOLDER : IS_FILE, cluster,
				  inside ? 0 : files[i].size);
		i += inside ? inside : 1;
	}
	return 0;
}

int fl_fat_write(int fd, const char *name, const char *label, const struct fl_disk_file *files,
		 size_t count, struct fl_err *err)
{
	struct writer writer = { .fd = fd, .name = name, .next = 2 };
	fl_cleanup_free uint8_t *head = NULL;
	uint8_t *root;

	writer.layout = plan(files, count);
	head = fl_alloc_zero(writer.layout.data_at, SECTOR);
	writer.fat = head + RESERVED * SECTOR;
	root = head + writer.layout.root_at * SECTOR;
	if (ftruncate(fd, (off_t)writer.layout.sectors * SECTOR) < 0)
		return fl_err_errno(err, errno, "%s: cannot be made that large", name);
	fill_boot(head, &writer.layout, label);
	put32(writer.fat, 0xfffffff8);
	pad_copy(root, label, 11);
	root[11] = IS_LABEL;
	if (fill_folder(&writer, files, count, 0, root + 32, 0, err) < 0)
		return -1;
	memcpy(writer.fat + writer.layout.fat_sectors * SECTOR, writer.fat,
	       writer.layout.fat_sectors * SECTOR);
	return fl_io_pwrite(fd, head, (size_t)writer.layout.data_at * SECTOR, 0, name, err);
}
