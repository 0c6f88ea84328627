/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What dnsmasq is told of the microVMs on a bridge, as the lines of the files that it reads: the
 * records are the truth, and are looked at again when they change.
 *
 *     struct fl_dns_table table = { .bridge = bridge };
 *     if (fl_dns_table_fill(&table, &state, err) < 0) return -1;
 *     if (fl_dns_table_look(&table, &state, &name)) ...             // its lines are others now
 *     fl_dns_table_print(&table, FL_DNS_NAMES, &text);
 *     fl_dns_table_finish(&table);
 */
#pragma once

#include "cmd/fl-net/bridge.h"

/* Files, by the option of dnsmasq(8) that reads them. */
enum fl_dns_file {
	FL_DNS_NAMES,   /* --addn-hosts */
	FL_DNS_LEASES,  /* --dhcp-hostsfile */
	FL_DNS_OPTIONS, /* --dhcp-optsfile */
	FL_DNS_FILES
};

/* What they are called in the folder of whoever serves. */
extern const char *const fl_dns_file_names[FL_DNS_FILES];

struct fl_dns_entry {
	char uid[FL_ULID_TEXT];
	char *lines[FL_DNS_FILES]; /* owned; "" for none */
};

struct fl_dns_table {
	struct fl_bridge bridge;
	FL_VEC(struct fl_dns_entry) entries;
};

/* All of them anew. */
int fl_dns_table_fill(struct fl_dns_table *table, const struct fl_state *state,
		      struct fl_err *err);

/* One of them; that it is gone, or on its way out, is a change. */
bool fl_dns_table_look(struct fl_dns_table *table, const struct fl_state *state,
		       const struct fl_vm_name *name);

void fl_dns_table_print(const struct fl_dns_table *table, enum fl_dns_file file,
			struct fl_str *out);
void fl_dns_table_finish(struct fl_dns_table *table);
