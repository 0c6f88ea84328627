/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A MicroVMSpec: read from JSON, completed with its defaults, validated, and seen as a
 * struct. The JSON stays the truth (unknown members survive in it); the struct points
 * into it and lives as long as it is neither changed nor freed.
 *
 *     fl_cleanup_json fl_json *doc = fl_spec_read(input, err);
 *     if (!doc || fl_spec_check(doc, err) < 0) return -1;
 *     fl_cleanup_spec struct fl_spec spec = fl_spec_view(doc);
 *     printf("%s/%s\n", spec.name_space, spec.name);
 *
 * Format: flintlock.types.MicroVMSpec in proto3 JSON; man page fl-record(5).
 */
#pragma once

#include "common/json.h"
#include "common/label.h"

/* The interface that reaches a guest's metadata service, 169.254.169.254, and what it has there. */
#define FL_SPEC_METADATA_DEVICE "eth0"
#define FL_SPEC_METADATA_ADDRESS "169.254.0.1/16"

#define FL_RECORD_LIMIT (64 << 20) /* bytes of a record.json; a larger one is not read */

enum fl_interface_type { FL_INTERFACE_MACVTAP, FL_INTERFACE_TAP };

#define FL_SPEC_CNI "cni:" /* begins a bridge's name that is a CNI network's */

/* The network that such a name means; NULL: a bridge's name, or none. */
const char *fl_spec_cni(const char *bridge);

struct fl_interface {
	const char *device_id;
	enum fl_interface_type type;
	const char *mac;     /* NULL: made from the uid */
	const char *address; /* CIDR; NULL: none, or one handed out by a bridge of ours */
	const char *gateway; /* address without or with prefix; NULL: none */
	const fl_json *nameservers; /* list of text; NULL: none */
	const char *bridge;         /* or FL_SPEC_CNI and a network; NULL: none named */
	bool is_metadata;           /* for the VMM's metadata service, and nothing else */
};

#define FL_SPEC_FILE "file:" /* begins a volume's container_source that is no image */

struct fl_volume {
	const char *id;
	bool read_only;
	const char *mount_point; /* NULL: none */
	const char *image;       /* image reference, or NULL */
	const char *file;        /* a disk's content in a file of the host, or NULL */
	const char *virtiofs;    /* folder of the host, or NULL */
	uint32_t size_mb;        /* MiB; 0: by the content */
};

struct fl_spec {
	const char *name, *name_space;
	const char *uid;      /* NULL: none yet */
	const char *provider; /* "": the host's default */
	unsigned vcpu, memory_mb;
	const char *kernel_image, *kernel_file;
	const fl_json *cmdline; /* map of text; may be NULL */
	bool add_network_config;
	bool guest_agent; /* a vsock for whoever speaks to an agent in the guest */
	const char *initrd_image, *initrd_file; /* NULL without initrd */
	struct fl_volume *volumes; /* the root first, where there is one; owned by the view */
	bool has_root;
	size_t volume_count;
	struct fl_interface *interfaces; /* owned by the view */
	size_t interface_count;
	const fl_json *metadata; /* map of base 64; may be NULL */
	const fl_json *labels;   /* map of text; may be NULL */
	struct fl_labels asked;  /* what they ask of the host */
};

/* A canonical spec with its defaults (vcpu 2, memory 1024, namespace "default", kernel
 * file "boot/vmlinux", initrd file "initrd", volume id "root"; for a metadata service that has no
 * interface "eth0", flintlock's), not yet validated. Caller owns it; NULL on failure
 * (FL_ERR_INVALID). */
fl_json *fl_spec_read(const fl_json *input, struct fl_err *err);

/* The spec that a document has or is: a record's, the document itself, or either as the value of
 * "microvm", as in requests and answers of flintlock's API. Borrowed. */
const fl_json *fl_spec_of(const fl_json *document);

/* Logs a warning for what is most often a slip: each member of a canonical spec that is unknown, and
 * user-data that cloud-init does not take. */
void fl_spec_warn(const fl_json *spec);

/* All that is wrong with a spec, as a list of {"path":…,"text":…}; empty when it is right. */
fl_json *fl_spec_violations(const fl_json *spec);

/* 0 when nothing is wrong; else FL_ERR_INVALID with all of it in words. */
int fl_spec_check(const fl_json *spec, struct fl_err *err);

struct fl_spec fl_spec_view(const fl_json *spec);
void fl_spec_finish(struct fl_spec *spec);
#define fl_cleanup_spec FL_CLEANUP(fl_spec_finish)

/* The images that it names, each once, in the order kernel, initrd, volumes; borrowed. images has
 * room for two more than there are volumes. How many there are. */
size_t fl_spec_images(const struct fl_spec *spec, const char **images);

/* Where the volume stands in the spec: "root_volume" or "additional_volumes[N]". Caller frees. */
char *fl_spec_volume_path(const struct fl_spec *spec, size_t number);

/* Whether two specs ask for the same: uid and times are left aside. */
bool fl_spec_equal(const fl_json *a, const fl_json *b);

/* The names of the top-level members in which they differ: "vcpu, interfaces". */
void fl_spec_difference(const fl_json *a, const fl_json *b, struct fl_str *names);
