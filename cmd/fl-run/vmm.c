/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/vmm.h"

#include <string.h>

static const struct fl_vmm *const vmms[] = { &fl_vmm_qemu };

const struct fl_vmm *fl_vmm_find(const char *name)
{
	const struct fl_provider *provider = fl_provider_find(name);

	for (size_t i = 0; provider && i < FL_COUNT(vmms); i++)
		if (strcmp(vmms[i]->provider, provider->name) == 0)
			return vmms[i];
	return NULL;
}
