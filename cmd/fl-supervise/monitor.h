/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a supervisor says to its VMM and hears from it, whichever VMM it is.
 *
 *     struct fl_monitor monitor;
 *     fl_monitor_init(&monitor, launch);
 *     fl_monitor_open_events(&monitor, dirfd, err);      // before the VMM starts
 *     fl_monitor_connect(&monitor);                      // until it is there
 *     fl_monitor_order(&monitor, FL_ORDER_POWER_OFF);
 *     fl_monitor_read(&monitor);                         // when .fd is readable
 *     fl_monitor_read_events(&monitor);                  // when .events is
 *     if (strcmp(monitor.reason, FL_REASON_RESET) == 0) ...
 *     fl_monitor_end(&monitor);                          // of one run
 */
#pragma once

#include "common/json.h"

enum fl_order {
	FL_ORDER_POWER_OFF, /* the guest is asked to */
	FL_ORDER_PAUSE,
	FL_ORDER_RESUME,
	FL_ORDER_QUIT,     /* the VMM is told to, without asking the guest */
	FL_ORDER_COUNTERS, /* answered by .disks */
	FL_ORDER_RESIZE,   /* a disk has become larger: .resize; answered by .resized */
};

#define FL_REASON_RESET "guest-reset"
#define FL_REASON_POWER_OFF "guest-shutdown"
#define FL_REASON_PANIC "guest-panic"
#define FL_REASON_SIGNAL "host-signal"

#define FL_MONITOR_ORDERS 8

struct fl_monitor {
	const struct fl_protocol *protocol;
	const fl_json *launch; /* borrowed */
	int fd;                /* the connection; -1: none */
	int events;            /* a fifo that the VMM writes to; -1: none */
	struct fl_str in, event_text;
	bool ready;      /* it answers */
	bool paused;
	char stuck[128]; /* why the VMM holds the guest up by itself; "": it does not */
	bool unsure;     /* an order to pause or resume was not answered */
	bool must_end;   /* this run is over, though the VMM goes on */
	char reason[32]; /* why the guest's run ends; "" before */
	unsigned refused;   /* orders that were, as bits 1 << enum fl_order; its taker clears it */
	char refusal[256];  /* why, of the last one */
	fl_json *disks;  /* [{"id",counters…}] as fl-state(5) says; its taker frees it */
	struct {
		const char *volume; /* its id; valid while it is ordered */
		uint64_t bytes;
	} resize;
	int resized; /* 1: the guest was told; -1: the VMM refused; 0: no answer yet */

	/* The protocols' own. */
	enum fl_order asked[FL_MONITOR_ORDERS]; /* in order, the first is being answered */
	size_t asked_count;
	int64_t answer_by; /* when the first of them is given up, on fl_clock_ms() */
	const char *broken; /* what is wrong with what came in; NULL: nothing */
	fl_json *sums; /* of counters that come as differences */
	bool counters_wanted;
};

struct fl_protocol {
	const char *provider;
	bool greets;            /* it says hello before it takes orders */
	const char *silent_end; /* the reason when it ends well without a word; NULL: unknown */
	bool (*send)(struct fl_monitor *monitor, enum fl_order order);
	bool (*take)(struct fl_monitor *monitor); /* the first message of in; false: not whole */
	const char *event_end;                    /* how a document among the events ends */
	void (*event)(struct fl_monitor *monitor, const fl_json *event);
};

extern const struct fl_protocol fl_protocol_qemu, fl_protocol_firecracker,
	fl_protocol_cloudhypervisor;

/* launch: host.vmm.launch of fl-record(5). */
void fl_monitor_init(struct fl_monitor *monitor, const fl_json *launch);

/* Makes the fifo that the launch document names, if any. */
int fl_monitor_open_events(struct fl_monitor *monitor, int dirfd, struct fl_err *err);

/* True when connected (again: no harm). */
bool fl_monitor_connect(struct fl_monitor *monitor);

/* False when there is no connection, and none can be made, or the VMM has no such order. */
bool fl_monitor_order(struct fl_monitor *monitor, enum fl_order order);

/* Tells the guest of a disk's new size; volume is its id. */
bool fl_monitor_resize(struct fl_monitor *monitor, const char *volume, uint64_t bytes);

/* Takes what came in; closes at the end of the stream, and when it makes no sense. */
void fl_monitor_read(struct fl_monitor *monitor);
void fl_monitor_read_events(struct fl_monitor *monitor);

/* How long until fl_monitor_pass_time() has something to do, in milliseconds; -1: nothing waits. */
int64_t fl_monitor_wait_ms(const struct fl_monitor *monitor);

/* Gives up orders that are not answered in time, and the connection with them. */
void fl_monitor_pass_time(struct fl_monitor *monitor);

/* The VMM has ended: forgets all but the reason. */
void fl_monitor_end(struct fl_monitor *monitor);

/* For protocols. The VMM did not do it: sets .refused and .refusal. */
FL_PRINTF(3, 4)
void fl_monitor_refuse(struct fl_monitor *monitor, enum fl_order order, const char *fmt, ...);

/* For protocols. The name of a disk that the launch document calls dN; NULL: there is none. */
const char *fl_monitor_disk(const struct fl_monitor *monitor, const char *id);

/* Likewise the number N of the disk of that name; -1: there is none. */
int fl_monitor_disk_number(const struct fl_monitor *monitor, const char *volume);

/* The VMM answered FL_ORDER_RESIZE; words: why not, NULL when it did it. */
void fl_monitor_resized(struct fl_monitor *monitor, const char *words);

/* A disk's counters under our names: pairs of {theirs, ours}, ended by NULL. */
fl_json *fl_monitor_counters(const char *id, const fl_json *counters,
			     const char *const names[][2]);
