/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a VMM is to give the guest, out of spec and record, the same for every VMM.
 *
 *     fl_cleanup_hardware struct fl_hardware hardware = { 0 };
 *     if (fl_hardware_read(request, &hardware, err) < 0) return -1;
 *     for (size_t i = 0; i < hardware.disk_count; i++) ...hardware.disks[i].path
 */
#pragma once

#include "cmd/fl-run/kernel.h"
#include "cmd/fl-run/vmm.h"

/* The first descriptor a VMM gets for a macvtap; beyond all that a supervisor has open. */
#define FL_HARDWARE_TAP_FD 200

struct fl_hardware_disk {
	const char *id; /* of the volume, or "cloud-init", or "ignition"; borrowed */
	char *path;
	const char *format; /* "raw" or "qcow2"; not to be freed */
	bool read_only;
};

struct fl_hardware_link {
	const char *id; /* of the interface; borrowed */
	char *link, *mac;
	int fd; /* of a macvtap in the VMM; -1: a tap, known by its name */
};

struct fl_hardware_share {
	const char *tag;       /* by which the guest mounts it; borrowed */
	char *folder, *socket; /* virtiofsd's */
};

/* A vsock: its other end is a socket whose clients say "CONNECT PORT\n". */
struct fl_hardware_vsock {
	char *socket; /* NULL: none is wanted */
	uint32_t cid; /* by which the host's kernel knows the guest, where it does */
};

/* In a dry run what is not made yet has its name to be, or a word in capitals. */
struct fl_hardware {
	char *kernel, *initrd; /* initrd NULL: none */
	char *root;            /* for the guest's root=; NULL: it has no disk */
	bool root_read_only;
	char *ignition;        /* its configuration's file, for fw_cfg; NULL: none, or on a disk */
	char *service; /* document of a metadata service; NULL: none is wanted */
	struct fl_hardware_disk *disks; /* in the guest's order: the root first, the seeds last */
	size_t disk_count;
	struct fl_hardware_link *links;
	size_t link_count;
	struct fl_hardware_share *shares;
	size_t share_count;
	char *virtiofsd; /* NULL: no shares */
	struct fl_hardware_vsock vsock;
};

/* FL_ERR_PRECONDITION says which step has not been run. */
int fl_hardware_read(const struct fl_vmm_request *request, struct fl_hardware *hardware,
		     struct fl_err *err);
void fl_hardware_finish(struct fl_hardware *hardware);
#define fl_cleanup_hardware FL_CLEANUP(fl_hardware_finish)

/* The kernel's command line: what every guest is told alike (how the root is found and mounted,
 * where Ignition looks), then as fl_kernel_cmdline has it. defaults: at most 6. reboot: the way of a
 * reset on amd64, that of the kernel's "reboot="; elsewhere the firmware does it. */
void fl_hardware_cmdline(const struct fl_vmm_request *request, const struct fl_hardware *hardware,
			 const struct fl_kernel_argument *defaults,
			 const char *reboot, struct fl_str *text);

/* Puts into the launch document what every provider has alike: taps, shares, virtiofsd, vsock. */
void fl_hardware_launch(const struct fl_hardware *hardware, fl_json *launch);

/* "disks" and "disk_paths", for a VMM that calls its disks d0, d1 … */
void fl_hardware_launch_disks(const struct fl_hardware *hardware, fl_json *launch);
