/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table of VMMs as fl-run drives them: from a record to what a supervisor launches.
 *
 *     const struct fl_vmm *vmm = fl_vmm_find(spec.provider);
 *     fl_cleanup_json fl_json *launch = NULL;
 *     if (vmm->compose(&request, &launch, err) < 0) return -1;
 */
#pragma once

#include "common/provider.h"
#include "common/state.h"

struct fl_vmm_request {
	const struct fl_vm *vm;
	const fl_json *record;
	const struct fl_spec *spec;
	const char *accel;   /* "auto", "kvm" or "tcg" */
	const char *program; /* NULL: by the provider */
	bool check;          /* that kernel, disks and taps are there; not for a dry run */
};

/*
 * The launch document, host.vmm.launch of fl-record(5):
 *   argv      the VMM's exact command line
 *   monitor   path of the socket through which it is steered
 *   console   name of the file in the microVM's folder that takes what the guest says
 *   stderr    likewise for the VMM's own words
 */
struct fl_vmm {
	const char *provider;
	char *(*find_program)(void); /* caller frees; NULL: it is not installed */
	int (*compose)(const struct fl_vmm_request *request, fl_json **launch, struct fl_err *err);
};

/* By a spec's provider; NULL when fl-run cannot drive it. */
const struct fl_vmm *fl_vmm_find(const char *provider);

extern const struct fl_vmm fl_vmm_qemu;
