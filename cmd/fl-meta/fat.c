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

static struct layout plan(const struct fl_fat_file *files, size_t count)
{
	struct layout layout = { 0 };

	for (size_t i = 0; i < count; i++)
		layout.clusters += clusters_of(files[i].size);
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

static uint8_t *add_file(uint8_t *entry, const struct fl_fat_file *file, size_t index,
			 uint32_t cluster)
{
	unsigned parts = (unsigned)((strlen(file->name) + LONG_PART - 1) / LONG_PART);
	uint8_t name[11];

	short_name(index, name);
	for (unsigned part = parts; part-- > 0; entry += 32)
		fill_long(entry, file->name, part, part + 1 == parts, checksum(name));
	memcpy(entry, name, 11);
	entry[11] = 0x20;
	put16(entry + 24, 0x21); /* 1 January 1980 */
	put16(entry + 26, file->size ? (uint16_t)cluster : 0);
	put32(entry + 28, (uint32_t)file->size);
	return entry + 32;
}

static void chain(uint8_t *fat, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		put16(fat + 2 * (first + i), i + 1 == count ? 0xffff : (uint16_t)(first + i + 1));
}

static int check(const struct fl_fat_file *files, size_t count, struct fl_err *err)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++) {
		total += files[i].size;
		if (files[i].size > FL_FAT_MOST || total > FL_FAT_MOST)
			return fl_err_set(err, FL_ERR_INVALID,
					  "%s: the metadata is larger than %u MiB", files[i].name,
					  FL_FAT_MOST >> 20);
	}
	return 0;
}

int fl_fat_write(int fd, const char *name, const char *label, const struct fl_fat_file *files,
		 size_t count, struct fl_err *err)
{
	struct layout layout;
	fl_cleanup_free uint8_t *head = NULL;
	uint8_t *fat, *entry;
	uint32_t cluster = 2;

	if (check(files, count, err) < 0)
		return -1;
	layout = plan(files, count);
	head = fl_alloc_zero(layout.data_at, SECTOR);
	fat = head + RESERVED * SECTOR;
	entry = head + layout.root_at * SECTOR;
	if (ftruncate(fd, (off_t)layout.sectors * SECTOR) < 0)
		return fl_err_errno(err, errno, "%s: cannot be made that large", name);
	fill_boot(head, &layout, label);
	put32(fat, 0xfffffff8);
	pad_copy(entry, label, 11);
	entry[11] = 0x08;
	entry += 32;
	for (size_t i = 0; i < count; i++) {
		uint64_t at = (uint64_t)(layout.data_at + cluster - 2) * SECTOR;

		entry = add_file(entry, &files[i], i, cluster);
		chain(fat, cluster, clusters_of(files[i].size));
		if (fl_io_pwrite(fd, files[i].data, files[i].size, at, name, err) < 0)
			return -1;
		cluster += clusters_of(files[i].size);
	}
	memcpy(fat + layout.fat_sectors * SECTOR, fat, layout.fat_sectors * SECTOR);
	return fl_io_pwrite(fd, head, (size_t)layout.data_at * SECTOR, 0, name, err);
}
