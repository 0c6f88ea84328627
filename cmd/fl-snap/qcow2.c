/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/qcow2.h"

#include "common/alloc.h"
#include "common/io.h"

#include <endian.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x514649fbu /* "QFI\xfb" */
#define CLUSTER_BITS 16
#define CLUSTER ((uint64_t)1 << CLUSTER_BITS)
#define PER_L2 (CLUSTER / 8)
#define REGION (PER_L2 * CLUSTER) /* what one L2 table leads to */
#define BACKING_FORMAT 0xe2792acau
#define COPIED (1ull << 63) /* the cluster is used once, and may be written in place */
#define LONGEST_PATH 1023

/* Where what comes first is, in clusters. The L1 table is made for the largest disk at once: holes
 * cost nothing, and a larger disk needs no other. */
enum { AT_REFCOUNTS = 1, AT_REFCOUNT_BLOCK, AT_L1, L1_CLUSTERS = 4, AT_DATA = AT_L1 + L1_CLUSTERS };
#define L1_ENTRIES (L1_CLUSTERS * CLUSTER / 8)
#define MOST_CLUSTERS (CLUSTER / 2) /* one block of 16-bit reference counts */

struct header {
	uint32_t magic, version;
	uint64_t backing_at;
	uint32_t backing_size, cluster_bits;
	uint64_t size;
	uint32_t encryption, l1_entries;
	uint64_t l1_at, refcounts_at;
	uint32_t refcount_clusters, snapshots;
	uint64_t snapshots_at, incompatible, compatible, autoclear;
	uint32_t refcount_order, length;
	struct {
		uint32_t type, length;
		char text[8];
	} format;
	uint32_t end[2];
};
_Static_assert(sizeof(struct header) == 128, "as in the format: 104 bytes, then extensions");

struct region {
	uint64_t number;
	uint64_t *l2; /* big endian */
};

struct fl_qcow2 {
	int fd, below;
	const char *name;
	uint64_t size, clusters;
	struct region *regions;
	size_t region_count;
	char *buffer; /* a cluster */
};

struct fl_qcow2 *fl_qcow2_begin(int fd, const char *name, int below, uint64_t size)
{
	struct fl_qcow2 *disk = fl_alloc_zero(1, sizeof(*disk));

	*disk = (struct fl_qcow2){ .fd = fd, .below = below, .name = name, .size = size,
				   .clusters = AT_DATA, .buffer = fl_alloc(CLUSTER) };
	return disk;
}

void fl_qcow2_destroy(struct fl_qcow2 *disk)
{
	if (!disk)
		return;
	for (size_t i = 0; i < disk->region_count; i++)
		free(disk->regions[i].l2);
	free(disk->regions);
	free(disk->buffer);
	free(disk);
}

static uint64_t *l2_of(struct fl_qcow2 *disk, uint64_t region)
{
	for (size_t i = 0; i < disk->region_count; i++)
		if (disk->regions[i].number == region)
			return disk->regions[i].l2;
	disk->regions = fl_realloc(disk->regions, disk->region_count + 1, sizeof(*disk->regions));
	disk->regions[disk->region_count] = (struct region){ region, fl_alloc_zero(PER_L2, 8) };
	return disk->regions[disk->region_count++].l2;
}

/* The bytes of a new cluster are those below, as far as these reach. */
static int read_below(struct fl_qcow2 *disk, uint64_t at, struct fl_err *err)
{
	ssize_t got = pread(disk->below, disk->buffer, CLUSTER, (off_t)at);

	if (got < 0)
		return fl_err_errno(err, errno, "what is below %s cannot be read", disk->name);
	memset(disk->buffer + got, 0, CLUSTER - (size_t)got);
	return 0;
}

static int add_cluster(struct fl_qcow2 *disk, uint64_t at, uint64_t *entry, struct fl_err *err)
{
	uint64_t place = disk->clusters * CLUSTER;

	/* Room for the tables is needed as well. */
	if (disk->clusters + disk->region_count >= MOST_CLUSTERS)
		return fl_err_set(err, FL_ERR_EXHAUSTED, "%s: too much differs from what is below it",
				  disk->name);
	if (read_below(disk, at, err) < 0 ||
	    fl_io_pwrite(disk->fd, disk->buffer, CLUSTER, place, disk->name, err) < 0)
		return -1;
	disk->clusters++;
	*entry = htobe64(place | COPIED);
	return 0;
}

int fl_qcow2_put(void *arg, uint64_t at, const void *data, size_t count, struct fl_err *err)
{
	struct fl_qcow2 *disk = arg;
	uint64_t inside = at % CLUSTER, *entry;

	if (count > CLUSTER - inside || at >= L1_ENTRIES * REGION)
		return fl_err_set(err, FL_ERR_INVALID, "%s: %zu bytes at %llu are not in one cluster of it",
				  disk->name, count, (unsigned long long)at);
	entry = &l2_of(disk, at / REGION)[at % REGION / CLUSTER];
	if (!*entry && add_cluster(disk, at - inside, entry, err) < 0)
		return -1;
	return fl_io_pwrite(disk->fd, data, count, (be64toh(*entry) & ~COPIED) + inside, disk->name,
			    err);
}

static int write_regions(struct fl_qcow2 *disk, struct fl_err *err)
{
	for (size_t i = 0; i < disk->region_count; i++) {
		uint64_t place = disk->clusters++ * CLUSTER, entry = htobe64(place | COPIED);
		uint64_t l1 = AT_L1 * CLUSTER + disk->regions[i].number * sizeof(entry);

		if (fl_io_pwrite(disk->fd, disk->regions[i].l2, CLUSTER, place, disk->name, err) < 0 ||
		    fl_io_pwrite(disk->fd, &entry, sizeof(entry), l1, disk->name, err) < 0)
			return -1;
	}
	return 0;
}

/* Every cluster is used once. */
static int write_refcounts(struct fl_qcow2 *disk, struct fl_err *err)
{
	uint64_t block = htobe64(AT_REFCOUNT_BLOCK * CLUSTER);
	uint16_t *counts = memset(disk->buffer, 0, CLUSTER);

	for (uint64_t i = 0; i < disk->clusters; i++)
		counts[i] = htobe16(1);
	if (fl_io_pwrite(disk->fd, &block, sizeof(block), AT_REFCOUNTS * CLUSTER, disk->name, err) < 0)
		return -1;
	return fl_io_pwrite(disk->fd, counts, CLUSTER, AT_REFCOUNT_BLOCK * CLUSTER, disk->name, err);
}

static int write_header(struct fl_qcow2 *disk, const char *path, struct fl_err *err)
{
	struct header header = {
		.magic = htobe32(MAGIC), .version = htobe32(3),
		.backing_at = htobe64(sizeof(header)), .backing_size = htobe32((uint32_t)strlen(path)),
		.cluster_bits = htobe32(CLUSTER_BITS), .size = htobe64(disk->size),
		.l1_entries = htobe32(L1_ENTRIES), .l1_at = htobe64(AT_L1 * CLUSTER),
		.refcounts_at = htobe64(AT_REFCOUNTS * CLUSTER), .refcount_clusters = htobe32(1),
		.refcount_order = htobe32(4), .length = htobe32(offsetof(struct header, format)),
		.format = { htobe32(BACKING_FORMAT), htobe32(3), "raw" },
	};

	if (fl_io_pwrite(disk->fd, path, strlen(path), sizeof(header), disk->name, err) < 0)
		return -1;
	return fl_io_pwrite(disk->fd, &header, sizeof(header), 0, disk->name, err);
}

int fl_qcow2_end(struct fl_qcow2 *disk, const char *path, struct fl_err *err)
{
	if (strlen(path) > LONGEST_PATH)
		return fl_err_set(err, FL_ERR_INVALID, "%s: a qcow2 disk cannot lead to a path of more than "
				  "%d bytes", path, LONGEST_PATH);
	if (disk->size > L1_ENTRIES * REGION)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: beyond 16 TiB", disk->name);
	if (write_regions(disk, err) < 0 || write_refcounts(disk, err) < 0 ||
	    write_header(disk, path, err) < 0)
		return -1;
	if (ftruncate(disk->fd, (off_t)(disk->clusters * CLUSTER)) < 0)
		return fl_err_errno(err, errno, "%s: cannot be made that large", disk->name);
	return 0;
}

static int read_header(int fd, const char *name, struct header *header, struct fl_err *err)
{
	if (fl_io_pread(fd, header, sizeof(*header), 0, name, err) < 0)
		return -1;
	if (be32toh(header->magic) != MAGIC || be32toh(header->version) != 3 ||
	    be32toh(header->cluster_bits) != CLUSTER_BITS)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: not a qcow2 disk of this toolkit", name);
	return 0;
}

int fl_qcow2_below(int fd, const char *name, char **path, struct fl_err *err)
{
	char text[LONGEST_PATH + 1] = { 0 };
	struct header header;
	uint32_t size;

	if (read_header(fd, name, &header, err) < 0)
		return -1;
	size = be32toh(header.backing_size);
	if (size == 0 || size > LONGEST_PATH)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: leads to no base", name);
	if (fl_io_pread(fd, text, size, be64toh(header.backing_at), name, err) < 0)
		return -1;
	*path = fl_strdup(text);
	return 0;
}

int fl_qcow2_size(int fd, const char *name, uint64_t *size, struct fl_err *err)
{
	struct header header;

	if (read_header(fd, name, &header, err) < 0)
		return -1;
	*size = be64toh(header.size);
	return 0;
}

int fl_qcow2_grow(int fd, const char *name, uint64_t size, struct fl_err *err)
{
	struct header header;
	uint64_t big_endian = htobe64(size);

	if (read_header(fd, name, &header, err) < 0)
		return -1;
	if (size > be32toh(header.l1_entries) * REGION)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: a qcow2 disk of this toolkit holds 16 TiB at "
				  "most", name);
	return fl_io_pwrite(fd, &big_endian, sizeof(big_endian), offsetof(struct header, size), name,
			    err);
}
