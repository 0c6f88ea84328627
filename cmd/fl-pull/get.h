/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One image into the store, from a registry or an OCI layout folder.
 *
 *     struct fl_get_options options = { .platform = "linux/amd64", .parallel = 4 };
 *     if (fl_get(&store, "127.0.0.1:5000/debian:12", &options, &image, NULL, err) < 0) ...
 *     fl_image_finish(&image);
 */
#pragma once

#include "cmd/fl-pull/registry.h"
#include "common/image.h"
#include "common/reference.h"

enum fl_get_policy { FL_GET_MISSING, FL_GET_ALWAYS, FL_GET_NEVER };

struct fl_get_options {
	const char *platform; /* "os/arch" or "os/arch/variant" */
	enum fl_get_policy policy;
	const char *name;  /* in the store; NULL: as the image was asked for */
	/* A digest that is taken when the store has it, whatever the image's name means by now; NULL */
	const char *pinned;
	const char *verify_key; /* PEM file; NULL: as the registries file says of the host */
	unsigned parallel; /* blobs at once */
	unsigned pulls;    /* processes at once on this host; 0: any number */
	struct fl_registry_options registry;
	const struct fl_cancel *cancel;
	/* Called while bytes come in; total is what must be fetched. May be NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

void fl_get_options_finish(struct fl_get_options *options);
#define fl_cleanup_get_options FL_CLEANUP(fl_get_options_finish)

/* A reference, or "-" for an archive on standard input. */
int fl_get_parse(const char *text, struct fl_reference *reference, struct fl_err *err);

/* The store gets it under options->name, its reference, or for "-" the name that the archive
 * says. name (caller frees, may be NULL): which that was.
 * image: what is in the store now; finish it after success. */
int fl_get(const struct fl_store *store, const char *text, const struct fl_get_options *options,
	   struct fl_image *image, char **name, struct fl_err *err);
