/* SPDX-License-Identifier: MPL-2.0 */
#include "common/handed.h"

#include <stddef.h>

const struct fl_handed fl_handed[] = {
	{ "qemu", NULL, true },
	{ "firecracker-bin", "FL_FIRECRACKER", true },
	{ "jailer-bin", "FL_JAILER", true },
	{ "cloudhypervisor-bin", "FL_CLOUDHYPERVISOR", true },
	{ "virtiofs-bin", "FL_VIRTIOFSD", true },
	{ "virtiofs-roots", "FL_VIRTIOFS_ROOTS", false },
	{ "backend", "FL_BACKEND", false },
	{ "pool", "FL_POOL", false },
	{ NULL, NULL, false },
};
