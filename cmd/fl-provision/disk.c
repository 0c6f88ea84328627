/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/disk.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/path.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static void free_probe(blkid_probe *probe)
{
	blkid_free_probe(*probe);
}

/* A device opened for itself alone: the kernel says no when anything else has it. */
static int open_alone(const char *path, struct fl_err *err)
{
	int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == EBUSY)
		return fl_err_set(err, FL_ERR_BUSY, "%s: is in use: mounted, swap, or part of LVM, RAID or "
				  "another device (lsblk %s shows it)", path, path);
	return fl_err_errno(err, errno, "%s: cannot be opened", path);
}

static int check(int fd, struct fl_disk *disk, struct fl_err *err)
{
	int read_only = 0;

	if (ioctl(fd, BLKROGET, &read_only) < 0 || ioctl(fd, BLKGETSIZE64, &disk->size) < 0)
		return fl_err_errno(err, errno, "%s", disk->path);
	if (read_only)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: is read-only", disk->path);
	if (disk->size < FL_DISK_LEAST)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: is too small; 1 GiB is the least",
				  disk->path);
	return 0;
}

static void take_serial(const char *from, size_t len, struct fl_disk *disk)
{
	while (len && strchr(" \t\n", *from))
		from++, len--;
	while (len && strchr(" \t\n", from[len - 1]))
		len--;
	snprintf(disk->serial, sizeof(disk->serial), "%.*s", (int)len, from);
}

/* As lsblk(8) has it, so that people find the word that --wipe wants: udev's. */
static void find_serial_in_udev(dev_t device, struct fl_disk *disk)
{
	static const char *const keys[] = { "E:SCSI_IDENT_SERIAL=", "E:ID_SCSI_SERIAL=",
					    "E:ID_SERIAL_SHORT=", "E:ID_SERIAL=" };
	fl_cleanup_free char *path = fl_asprintf("/run/udev/data/b%u:%u", major(device),
						 minor(device));
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_str_add(&text, "\n");
	if (fl_io_read_file(AT_FDCWD, path, 1 << 20, &text, NULL) < 0)
		return;
	for (size_t i = 0; i < FL_COUNT(keys) && !*disk->serial; i++) {
		fl_cleanup_free char *start = fl_asprintf("\n%s", keys[i]);
		const char *found = strstr(text.data, start);

		found = found ? found + strlen(start) : "";
		take_serial(found, strcspn(found, "\n"), disk);
	}
}

/* virtio has it beside the disk, NVMe in the device's folder, SCSI and SATA in a page there, behind
 * its head of four bytes. What the kernel makes up where there is none comes last. */
static void find_serial_in_kernel(dev_t device, struct fl_disk *disk)
{
	static const struct {
		const char *name;
		size_t head;
	} places[] = { { "serial", 0 }, { "device/serial", 0 }, { "device/vpd_pg80", 4 },
		       { "wwid", 0 }, { "device/wwid", 0 } };

	for (size_t i = 0; i < FL_COUNT(places) && !*disk->serial; i++) {
		fl_cleanup_free char *path = fl_asprintf("/sys/dev/block/%u:%u/%s", major(device),
							 minor(device), places[i].name);
		fl_cleanup_str struct fl_str text = FL_STR_INIT;

		if (fl_io_read_file(AT_FDCWD, path, 4096, &text, NULL) == 0 &&
		    text.len > places[i].head)
			take_serial(text.data + places[i].head, text.len - places[i].head, disk);
	}
}

static void find_serial(dev_t device, struct fl_disk *disk)
{
	find_serial_in_udev(device, disk);
	find_serial_in_kernel(device, disk);
	if (!*disk->serial)
		snprintf(disk->serial, sizeof(disk->serial), "%" PRIu64, disk->size);
}

static void take_value(blkid_probe probe, const char *name, struct fl_disk *disk)
{
	const char *value = NULL;

	if (!*disk->signature && blkid_probe_lookup_value(probe, name, &value, NULL) == 0 && value)
		snprintf(disk->signature, sizeof(disk->signature), "%s", value);
}

/* File systems, RAID members, partition tables; also those whose checksum is wrong, and those
 * of which there is more than one. */
static int find_signature(int fd, struct fl_disk *disk, struct fl_err *err)
{
	blkid_probe probe FL_CLEANUP(free_probe) = blkid_new_probe();
	int found;

	if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0)
		return fl_err_set(err, FL_ERR_SYSTEM, "%s: cannot be looked at", disk->path);
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(probe, 1);
	found = blkid_do_safeprobe(probe);
	if (found == 1)
		return 0;
	if (found == -1)
		return fl_err_set(err, FL_ERR_SYSTEM, "%s: cannot be read", disk->path);
	take_value(probe, "TYPE", disk);
	take_value(probe, "PTTYPE", disk);
	if (!*disk->signature)
		snprintf(disk->signature, sizeof(disk->signature), "several signatures");
	return 0;
}

int fl_disk_look(const char *path, struct fl_disk *disk, struct fl_err *err)
{
	fl_cleanup_close int fd = -1;
	char real[PATH_MAX];
	struct stat st;

	*disk = (struct fl_disk){ .size = 0 };
	if (!realpath(path, real) || stat(real, &st) < 0)
		return fl_err_errno(err, errno, "%s: there is no such disk", path);
	if (!S_ISBLK(st.st_mode) || strlen(real) >= sizeof(disk->path))
		return fl_err_set(err, FL_ERR_INVALID, "%s: is no disk (no block device)", path);
	snprintf(disk->path, sizeof(disk->path), "%.255s", real);
	fd = open_alone(disk->path, err);
	if (fd < 0 || check(fd, disk, err) < 0)
		return -1;
	find_serial(st.st_rdev, disk);
	return find_signature(fd, disk, err);
}

char *fl_disk_word(const struct fl_disk *disk)
{
	return fl_asprintf("%s:%s", fl_path_last(disk->path), disk->serial);
}

bool fl_disk_is_meant(const struct fl_disk *disk, const char *word)
{
	fl_cleanup_free char *own = fl_disk_word(disk);

	return word && strcmp(word, own) == 0;
}
