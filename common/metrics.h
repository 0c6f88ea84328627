/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a microVM uses: processor time, memory, disks, links; as JSON, and as Prometheus'
 * text (prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4).
 *
 *     fl_cleanup_json fl_json *list = fl_json_new_array();
 *     fl_json *one = fl_metrics_read(&vm, FL_METRICS_WAIT_MS, err);      // for each
 *     if (one) fl_json_add(list, one);
 *     fl_metrics_print(list, &text);
 */
#pragma once

#include "common/state.h"

/* What one microVM whose VMM does not answer may cost. */
#define FL_METRICS_WAIT_MS 200

/*
 * {"namespace","name","uid","state","restarts","running","answered","vcpu","memory_limit_bytes","cpu_us",
 * "memory_bytes","disks":[{"id","read_bytes",…}],"links":[{"id","link","received_bytes",…}]}.
 * What is not known is left out: of one that does not run, all from "answered" on, which tells
 * whether the VMM told of its disks within wait_ms. Links are seen from the guest. Caller owns it;
 * NULL when the record cannot be read.
 */
fl_json *fl_metrics_read(const struct fl_vm *vm, int wait_ms, struct fl_err *err);

/* Begins a family of samples: "gauge", "counter" or "histogram". */
void fl_metrics_head(struct fl_str *out, const char *name, const char *type, const char *help);

/* Adds name="value", escaped. */
void fl_metrics_label(struct fl_str *out, const char *name, const char *value);

/* The labels that name a microVM, as they stand in its samples. Caller frees it. */
char *fl_metrics_labels(const char *name_space, const char *name, const char *uid) FL_MUST_USE;

/* What a microVM that does not run has samples of; borrowed. */
struct fl_metrics_rest {
	const char *labels, *state;
	uint64_t restarts;
};

/* Adds the text of a list of these, and of "count" that do not run: every family once, with its
 * help and type; nothing when there are none. */
void fl_metrics_print(const fl_json *list, const struct fl_metrics_rest *resting, size_t count,
		      struct fl_str *out);
