/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a spec asks of the host beyond what flintlock's API has members for: its labels
 * "host.flintlock/…". fl-record(5) lists them.
 *
 *     struct fl_labels labels;
 *     fl_labels_read(map, &labels, NULL, NULL);
 *     if (labels.disk_bandwidth) ...
 */
#pragma once

#include "common/json.h"

#include <stdint.h>

#define FL_LABEL_PREFIX "host.flintlock/"

struct fl_labels {
	const char *restart;       /* the restart policy; NULL: not said; borrowed */
	const char *platform;      /* of the images, and so of the guest; NULL: not said; borrowed */
	const char *publish;       /* ports, see common/publish.h; NULL: none; borrowed */
	bool deny_egress;          /* what the guest starts goes nowhere but to: */
	const char *allow;         /* see common/egress.h; NULL: nowhere; borrowed */
	unsigned metadata_service; /* version 1 or 2; 0: none */
	/* Of each disk and each interface and direction, a second; 0: no limit. */
	uint64_t disk_bandwidth, network_bandwidth; /* bytes */
	uint64_t disk_operations;
};

/* FL_ERR_USAGE when --restart is neither "no", "on-failure" nor "always". */
int fl_labels_check_restart(const char *policy, struct fl_err *err);

/* map: of text; may be NULL. Calls wrong, where it is not NULL, for each label that is unknown or
 * has no right value; it counts as not said. */
void fl_labels_read(const fl_json *map, struct fl_labels *labels,
		    void (*wrong)(void *arg, const char *label, const char *what), void *arg);
