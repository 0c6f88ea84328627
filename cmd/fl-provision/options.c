/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/options.h"

#define UNATTENDED { "unattended", 'y', NULL, "ask nothing" }
#define THINPOOL { "thinpool", 't', "NAME", "the pool's name (flintlock; with --dev flintlock-dev)" }
#define DEV { "dev", 0, NULL, "a pool in loop devices, for development" }
#define DISK                                                                                    \
	{ "disk", 'd', "DISK", "the disk for a pool; none is guessed" },                        \
	{ "wipe", 0, "NAME:SERIAL", "what is on that disk may go" }
#define BRIDGE                                                                                  \
	{ "bridge", 'b', "NAME", "for guests; made when it is missing (flbr0, without -i)" },   \
	{ "bridge-address", 0, "CIDR", "its address and net (10.77.0.1/24)" },                  \
	{ "no-nat", 0, NULL, "guests do not reach what the host reaches" }
#define REFLINK \
	{ "reflink", 0, "SIZE", "a file system of that size, where the host's cannot share blocks" }
#define SERVICE                                                                                 \
	{ "grpc-address", 'a', "ADDRESS", "of fl-serve (the default route's interface's)" },    \
	{ "grpc-port", 'p', "PORT", "its port (9090)" },                                        \
	{ "parent-iface", 'i', "LINK", "for macvtap interfaces (the default route's)" },                              \
	{ "insecure", 'k', NULL, "serve without TLS and tokens" }

#define PLACES                                                                                  \
	{ "mirror", 0, "URL", "fetch releases from there" },                                    \
	{ "offline", 0, "DIR", "take them from a folder; fetch nothing" },                      \
	{ "ca-file", 0, "FILE", "trust these certificates (PEM)" }

const struct fl_option fl_provision_options[] = {
	UNATTENDED,
	{ "skip-apt", 's', NULL, "install no packages" },
	{ "only", 0, "STEPS", "these steps only, joined by commas" },
	{ "skip", 0, "STEPS", "all but these" },
	SERVICE,
	{ "flintlock-config-file", 'f', "FILE", "settings that go into fl-serve's" },
	BRIDGE,
	REFLINK,
	THINPOOL,
	DISK,
	DEV,
	{ "firecracker-version", 0, "TAG", "(FIRECRACKER; the pinned one)" },
	{ "firecracker-sha256", 0, "HEX", "of its release's file (the pinned one's)" },
	{ "cloudhypervisor-version", 0, "TAG", "(CLOUD_HYPERVISOR; the pinned one)" },
	{ "cloudhypervisor-sha256", 0, "HEX", "of its release's file (the pinned one's)" },
	PLACES,
	{ 0 },
};

const struct fl_option fl_undo_options[] = {
	{ "dry-run", 'n', NULL, "print what would be taken back, and do nothing" },
	{ "unattended", 'y', NULL, "not used: it asks nothing" },
	{ 0 },
};

const struct fl_option fl_bridge_options[] = { BRIDGE, UNATTENDED, { 0 } };
const struct fl_option fl_reflink_options[] = { REFLINK, UNATTENDED, { 0 } };
const struct fl_option fl_packages_options[] = { DISK, DEV, REFLINK, UNATTENDED, { 0 } };

const struct fl_option fl_lvm_options[] = {
	UNATTENDED,
	THINPOOL,
	DISK,
	{ "skip-apt", 's', NULL, "not used" },
	{ 0 },
};

const struct fl_option fl_devpool_options[] = { THINPOOL, UNATTENDED, { 0 } };

const struct fl_option fl_release_options[] = {
	{ "version", 'v', "TAG", "the release (the pinned one)" },
	{ "sha256", 0, "HEX", "of its file (the pinned one's)" },
	PLACES,
	UNATTENDED,
	{ 0 },
};

const struct fl_option fl_service_options[] = {
	SERVICE,
	BRIDGE,
	{ "version", 'v', "TAG", "not used: the one that is installed" },
	DEV,
	{ "config-file", 'f', "FILE", "settings that go into fl-serve's" },
	UNATTENDED,
	{ 0 },
};

const struct fl_option fl_unused_options[] = {
	{ "version", 'v', "TAG", "not used" },
	THINPOOL,
	DEV,
	UNATTENDED,
	{ 0 },
};
