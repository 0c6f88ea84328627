/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One run of a CNI plugin: variables and a document in, a document or an error out.
 * Protocol: CNI specification 1.1, section 2 (https://www.cni.dev/docs/spec/).
 *
 *     struct fl_cni_call call = { .command = "ADD", .container = "x", .netns = path, … };
 *     fl_cleanup_json fl_json *result = NULL;
 *     if (fl_cni_plugin_run(&call, "bridge", config, &result, err) < 0) return -1;
 */
#pragma once

#include "common/cancel.h"
#include "common/json.h"

/* The interface inside the network namespace. */
#define FL_CNI_INTERFACE "eth0"

/* What all plugins of a network are told; all borrowed. */
struct fl_cni_call {
	const char *command;   /* "ADD", "DEL", "CHECK" or "GC" */
	const char *container; /* NULL: none is meant */
	const char *netns;     /* path; NULL: it is gone */
	const char *arguments; /* CNI_ARGS; NULL: none */
	const char *path;      /* folders of plugins, joined by colons */
	int lock;              /* stays open in plugins and what they start; -1: none */
	int timeout_ms;        /* for each plugin; it and what it started are killed then */
	const struct fl_cancel *cancel;
};

/* The program of that name in one of the folders; caller frees. FL_ERR_PRECONDITION. */
char *fl_cni_plugin_find(const char *path, const char *type, struct fl_err *err);

/* config: its standard input. result: what it printed, the caller's; NULL when the command asks
 * for nothing. The plugin's own error is FL_ERR_UNAVAILABLE, FL_ERR_UNSUPPORTED or
 * FL_ERR_INVALID by its code, and has its code and words. */
int fl_cni_plugin_run(const struct fl_cni_call *call, const char *type, const fl_json *config,
		      fl_json **result, struct fl_err *err);
