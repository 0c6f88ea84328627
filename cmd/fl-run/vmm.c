/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/vmm.h"

#include "cmd/fl-run/kernel.h"
#include "cmd/fl-run/version.h"
#include "common/accel.h"
#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct fl_vmm *const vmms[] = { &fl_vmm_qemu, &fl_vmm_firecracker,
					     &fl_vmm_cloudhypervisor };

const struct fl_vmm *fl_vmm_find(const char *name)
{
	const struct fl_provider *provider = fl_provider_find(name);

	for (size_t i = 0; provider && i < FL_COUNT(vmms); i++)
		if (strcmp(vmms[i]->provider, provider->name) == 0)
			return vmms[i];
	return NULL;
}

int fl_vmm_guest(const struct fl_vmm_request *request, const struct fl_arch **arch,
		 struct fl_err *err)
{
	const char *path = fl_json_text(fl_json_at(request->record, "host.kernel.path"));
	const char *platform = request->spec->asked.platform;
	struct fl_kernel kernel = { 0 };

	*arch = platform ? fl_arch_of_platform(platform) : fl_arch_host();
	if (!path)
		return 0;
	if (fl_kernel_read(path, &kernel, request->check ? err : NULL) < 0)
		return request->check ? -1 : 0;
	if (!kernel.arch)
		return 0;
	if (platform && kernel.arch != *arch)
		return fl_err_set(err, FL_ERR_INVALID, "%s: a kernel for %s, but label " FL_LABEL_PREFIX
				  "platform says %s", path, kernel.arch->name, platform);
	*arch = kernel.arch;
	return 0;
}

char *fl_vmm_program(const struct fl_vmm *vmm, const char *given, const struct fl_arch *guest)
{
	const char *set = getenv(vmm->variable);

	if (given || (set && *set))
		return fl_strdup(given ? given : set);
	return vmm->default_program(guest);
}

int fl_vmm_need_kvm(const struct fl_vmm_request *request, const char *provider,
		    struct fl_err *err)
{
	const char *why;

	if (strcmp(request->accel, "tcg") == 0)
		return fl_err_set(err, FL_ERR_UNSUPPORTED,
				  "--accel tcg: %s runs with KVM only; set provider to qemu", provider);
	if (request->arch != fl_arch_host())
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: the guest is for %s, and KVM runs this "
				  "machine's %s only; set provider to qemu, with --accel auto or tcg",
				  provider, request->arch->name, fl_arch_host()->name);
	if (!request->check)
		return 0;
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return fl_err_set(err, FL_ERR_PRECONDITION, "/dev/kvm: %s: %s runs with KVM only; "
				  "set provider to qemu, or see \"fl doctor\"", strerror(errno),
				  provider);
	if (strcmp(request->accel, "auto") == 0 && !fl_accel_kvm_works(&why))
		return fl_err_set(err, FL_ERR_PRECONDITION,
				  "%s, and %s runs with KVM only; set provider to qemu, or use it all "
				  "the same with --accel kvm", why, provider);
	return 0;
}

int fl_vmm_need_version(const struct fl_vmm_request *request, unsigned major, unsigned minor,
			struct fl_version *version, struct fl_err *err)
{
	/* A plan is for the latest. */
	*version = (struct fl_version){ 9999, 0 };
	if (!request->check)
		return 0;
	if (fl_version_ask(request->program, version, err) < 0)
		return -1;
	if (fl_version_is(version, major, minor))
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: its version is %u.%u; %u.%u or later is "
			  "needed", request->program, version->major, version->minor, major, minor);
}
