/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The VMMs, as far as everyone must know them: names, what they can do, their limits.
 * How they are driven is in cmd/fl-run.
 *
 *     const struct fl_provider *provider = fl_provider_find(spec->provider);
 *     if (!provider) ...
 */
#pragma once

#include "common/spec.h"

/* The names of those below, as options have them. */
#define FL_PROVIDERS_WORDS "qemu|firecracker|cloudhypervisor"

struct fl_provider {
	const char *name;
	const char *program; /* looked up in PATH unless configured otherwise */
	unsigned max_vcpu;
	bool macvtap, virtiofs, metadata_service, vsock;
	bool network_limits;
	bool qcow2; /* reads such disks, with a raw one below */
	unsigned least_operations; /* a second: what it can hold a disk to; 0: any number */
	bool emulates; /* guests of other architectures than the host's, too */
	bool fw_cfg; /* a guest finds its Ignition configuration there; else on a config drive */
};

/* All of them, ended by one without a name; the first is the default. */
extern const struct fl_provider fl_providers[];

/* By name; "" is the default. NULL when unknown. */
const struct fl_provider *fl_provider_find(const char *name);

/* For a spec: the one that it names (NULL when that is unknown); for one that names none the
 * preferred (NULL: the default), or when that cannot do what the spec asks, one that can. */
const struct fl_provider *fl_provider_choose(const struct fl_spec *spec, const char *preferred);

/* The tag by which a guest mounts the folder of the host of that number: the first has flintlock's,
 * so that guests made for it find it; the others their volume's id. */
const char *fl_provider_share_tag(size_t number, const char *id);

/* Folders that a microVM may see, at most. */
#define FL_PROVIDER_SHARES 8

/* Adds to violations (see fl_spec_violations) what the spec's provider cannot do; these have
 * a member "capability" as well: the spec may be right for another provider. */
void fl_provider_check_spec(const struct fl_spec *spec, fl_json *violations);
