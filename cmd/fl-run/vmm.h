/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table of VMMs as fl-run drives them: from a record to what a supervisor launches.
 *
 *     const struct fl_vmm *vmm = fl_vmm_find(spec.provider);
 *     fl_cleanup_json fl_json *launch = NULL;
 *     if (vmm->compose(&request, &launch, err) < 0) return -1;
 */
#pragma once

#include "common/arch.h"
#include "common/provider.h"
#include "common/state.h"

struct fl_vmm_request {
	const struct fl_vm *vm;
	const fl_json *record;
	const struct fl_spec *spec;
	const struct fl_provider *provider;
	const char *accel;   /* "auto", "kvm" or "tcg" */
	const struct fl_arch *arch; /* the guest's, as fl_vmm_guest gives it */
	const char *program; /* as fl_vmm_program gives it */
	const char *jailer;  /* for those that have one; NULL: none is wanted */
	bool check;          /* that kernel, disks and taps are there; not for a dry run */
};

/*
 * The launch document, host.vmm.launch of fl-record(5):
 *   provider        whose protocol the monitor speaks
 *   argv            the VMM's exact command line
 *   monitor         path of the socket through which it is steered
 *   console         name of the file in the microVM's folder that takes what the guest says
 *   console_socket  path of the socket where the guest's console is; absent: it is the VMM's
 *                   standard input and output
 *   stderr          likewise a file, for the VMM's own words
 *   events          name of a fifo in the folder to which it reports
 *   taps            [{"fd","link"}]: macvtaps that it is handed
 *   virtiofsd       the program that serves the shares
 *   shares          [{"folder","socket"}]: of the host, each by a virtiofsd on that socket
 *   vsock           {"socket","cid"}: where the host reaches the guest; with "cid" the supervisor
 *                   makes the socket, and the kernel knows the guest by it; else the VMM does
 *   disks           ids of what it calls d0, d1 …
 *   disk_paths      their paths, as it knows them
 *   jail            {"program","folder","owner","log","files","taps"}: the supervisor makes
 *                   FOLDER/root below "jail" in the microVM's folder, and a link to it there,
 *                   "root". The VMM runs in it as uid and gid OWNER. files,
 *                   [{"from","as","access"}], are there under the names AS, for the VMM to
 *                   "write", for it alone to "read", or "shared" with all. taps are made its own.
 *                   log is a fifo that is its stderr as well.
 * and "files", a map of name to text, which fl-run writes into the folder and does not save.
 */
struct fl_vmm {
	const char *provider;
	const char *variable;            /* of the environment: the program */
	char *(*default_program)(const struct fl_arch *guest); /* caller frees */
	int (*compose)(const struct fl_vmm_request *request, fl_json **launch, struct fl_err *err);
};

/* By a spec's provider; NULL when fl-run cannot drive it. */
const struct fl_vmm *fl_vmm_find(const char *provider);

/* What the guest's processors are: of the kernel's kind, where it is there and tells; else as the
 * spec says, else the host's. FL_ERR_INVALID when the kernel is none, or not what the spec says. */
int fl_vmm_guest(const struct fl_vmm_request *request, const struct fl_arch **arch,
		 struct fl_err *err);

/* What to run: given, or the environment's, or the VMM's default. Caller frees. */
char *fl_vmm_program(const struct fl_vmm *vmm, const char *given, const struct fl_arch *guest);

/* For those that run with KVM only: FL_ERR_UNSUPPORTED when the guest's processors are not the
 * host's, FL_ERR_PRECONDITION without KVM; both with what to do instead. */
int fl_vmm_need_kvm(const struct fl_vmm_request *request, const char *provider,
		    struct fl_err *err);

/* Its release must be that or a later one: FL_ERR_UNSUPPORTED names both. */
struct fl_version;
int fl_vmm_need_version(const struct fl_vmm_request *request, unsigned major, unsigned minor,
			struct fl_version *version, struct fl_err *err);

extern const struct fl_vmm fl_vmm_qemu, fl_vmm_firecracker, fl_vmm_cloudhypervisor;
