/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/dns/table.h"

#include "cmd/fl-net/dns/name.h"
#include "common/alloc.h"
#include "common/log.h"

#include <string.h>
#include <sys/socket.h>

const char *const fl_dns_file_names[FL_DNS_FILES] = {
	[FL_DNS_NAMES] = "names", [FL_DNS_LEASES] = "leases", [FL_DNS_OPTIONS] = "options"
};

/* What is going to be a microVM's lines. */
struct draft {
	const struct fl_dns_table *table;
	const struct fl_vm_name *name;
	struct fl_str lines[FL_DNS_FILES];
};

/* An interface on the bridge, with what its record says of it. */
struct place {
	const struct fl_interface *in;
	const fl_json *made;
	struct fl_cidr address;
	char mac[FL_MAC_TEXT];
	char *tag; /* by which dnsmasq knows its options */
};

static bool find_place(const struct draft *draft, const fl_json *record,
		       const struct fl_interface *in, struct place *place)
{
	const fl_json *made = fl_json_get(fl_json_at(record, "host.network"), in->device_id);
	const char *address = fl_json_text(fl_json_get(made, "address"));
	const char *mac = fl_json_text(fl_json_get(made, "mac"));
	struct fl_mac parsed;

	*place = (struct place){ .in = in, .made = made };
	if (!fl_str_equal(fl_json_text(fl_json_get(made, "bridge")), draft->table->bridge.name) ||
	    !address || fl_inet_parse_cidr(address, &place->address, NULL) < 0 || !mac ||
	    fl_inet_parse_mac(mac, &parsed, NULL) < 0)
		return false;
	fl_inet_print_mac(&parsed, place->mac);
	return true;
}

/* In dnsmasq's files brackets tell IPv6 from what else has colons. */
static void add_bracketed(const struct fl_cidr *address, struct fl_str *out)
{
	char text[FL_CIDR_TEXT];

	fl_inet_print_address(address, text);
	fl_str_addf(out, address->family == AF_INET6 ? "[%s]" : "%s", text);
}

static void add_name(struct draft *draft, const struct place *place)
{
	struct fl_str *out = &draft->lines[FL_DNS_NAMES];
	fl_cleanup_str struct fl_str names = FL_STR_INIT;
	char address[FL_CIDR_TEXT];

	if (!fl_dns_add_names(draft->name->name_space, draft->name->name,
			      draft->table->bridge.domain, &names))
		return;
	fl_inet_print_address(&place->address, address);
	fl_str_addf(out, "%s%s\n", address, names.data);
}

static void add_lease(struct draft *draft, const struct place *place)
{
	struct fl_str *out = &draft->lines[FL_DNS_LEASES];

	fl_str_addf(out, "%s,set:%s,", place->mac, place->tag);
	add_bracketed(&place->address, out);
	if (fl_dns_is_label(draft->name->name))
		fl_str_addf(out, ",%s", draft->name->name);
	fl_str_add(out, "\n");
}

static struct fl_str *add_option(struct draft *draft, const struct place *place, const char *name)
{
	struct fl_str *out = &draft->lines[FL_DNS_OPTIONS];

	fl_str_addf(out, "tag:%s,option%s:%s", place->tag,
		    place->address.family == AF_INET6 ? "6" : "", name);
	return out;
}

static void add_gateway(struct draft *draft, const struct place *place)
{
	const char *text = fl_json_text(fl_json_get(place->made, "gateway"));
	struct fl_cidr gateway;
	struct fl_str *out;

	/* In IPv6 routers say themselves that they are some. */
	if (place->address.family != AF_INET)
		return;
	out = add_option(draft, place, "router");
	/* Left without a value none is sent; without the line dnsmasq would send its own address. */
	if (text && fl_inet_parse_cidr(text, &gateway, NULL) == 0 && gateway.family == AF_INET) {
		fl_str_add(out, ",");
		add_bracketed(&gateway, out);
	}
	fl_str_add(out, "\n");
}

/* The spec's word first; else us, whatever the record was told before the bridge had a domain. */
static void add_servers(struct draft *draft, const struct place *place)
{
	struct fl_str *out = add_option(draft, place, "dns-server");
	size_t found = 0;

	for (size_t i = 0; i < fl_json_count(place->in->nameservers); i++) {
		const char *text = fl_json_text(fl_json_item(place->in->nameservers, i));
		struct fl_cidr server;

		if (!text || fl_inet_parse_cidr(text, &server, NULL) < 0 ||
		    server.family != place->address.family)
			continue;
		fl_str_add(out, ",");
		add_bracketed(&server, out);
		found++;
	}
	if (!found) {
		fl_str_add(out, ",");
		add_bracketed(&draft->table->bridge.address, out);
	}
	fl_str_add(out, "\n");
}

static void add_search(struct draft *draft, const struct place *place)
{
	fl_cleanup_json fl_json *search =
		fl_dns_search(draft->name->name_space, draft->table->bridge.domain);
	struct fl_str *out;

	if (place->address.family == AF_INET)
		fl_str_addf(add_option(draft, place, "domain-name"), ",%s\n",
			    fl_json_text(fl_json_item(search, 0)));
	out = add_option(draft, place, "domain-search");
	for (size_t i = 0; i < fl_json_count(search); i++)
		fl_str_addf(out, ",%s", fl_json_text(fl_json_item(search, i)));
	fl_str_add(out, "\n");
}

static void add_options(struct draft *draft, const struct place *place)
{
	int64_t mtu = fl_json_int(fl_json_get(place->made, "mtu"));

	add_gateway(draft, place);
	add_servers(draft, place);
	add_search(draft, place);
	if (mtu > 0 && place->address.family == AF_INET)
		fl_str_addf(add_option(draft, place, "mtu"), ",%lld\n", (long long)mtu);
}

static void add_place(struct draft *draft, struct place *place, size_t number)
{
	add_name(draft, place);
	/* Of an address beside the bridge's net dnsmasq has nothing to give. */
	if (!fl_inet_contains(&draft->table->bridge.address, &place->address))
		return;
	place->tag = fl_asprintf("%s-%zu", draft->name->uid, number);
	add_lease(draft, place);
	add_options(draft, place);
	free(place->tag);
}

static void draft_record(struct draft *draft, const fl_json *record)
{
	fl_cleanup_spec struct fl_spec spec = fl_spec_view(fl_json_get(record, "spec"));
	struct place place;

	for (size_t i = 0; i < spec.interface_count; i++)
		if (find_place(draft, record, &spec.interfaces[i], &place))
			add_place(draft, &place, i);
}

static struct fl_dns_entry *entry_of(struct fl_dns_table *table, const char *uid)
{
	for (size_t i = 0; i < table->entries.count; i++)
		if (strcmp(table->entries.items[i].uid, uid) == 0)
			return &table->entries.items[i];
	return NULL;
}

static void clear(struct fl_dns_entry *entry)
{
	for (size_t i = 0; i < FL_DNS_FILES; i++)
		free(entry->lines[i]);
}

/* Takes the draft's lines over, and says whether they are others than before. */
static bool settle(struct fl_dns_table *table, struct draft *draft)
{
	struct fl_dns_entry *was = entry_of(table, draft->name->uid);
	struct fl_dns_entry now = { .uid = "" };
	bool changed = false;

	snprintf(now.uid, sizeof(now.uid), "%s", draft->name->uid);
	for (size_t i = 0; i < FL_DNS_FILES; i++) {
		now.lines[i] = fl_str_steal(&draft->lines[i]);
		changed |= strcmp(now.lines[i], was ? was->lines[i] : "") != 0;
	}
	if (!changed) {
		clear(&now);
	} else if (was) {
		clear(was);
		*was = now;
	} else {
		if (!*now.lines[FL_DNS_NAMES])
			fl_log(FL_LOG_WARN, "%s/%s: cannot be a host's name, and has none in DNS",
			       draft->name->name_space, draft->name->name);
		FL_VEC_ADD(&table->entries, now);
	}
	return changed;
}

static void drop_empty(struct fl_dns_table *table)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->entries.count; i++) {
		struct fl_dns_entry *entry = &table->entries.items[i];

		if (*entry->lines[FL_DNS_NAMES] || *entry->lines[FL_DNS_LEASES])
			table->entries.items[kept++] = *entry;
		else
			clear(entry);
	}
	table->entries.count = kept;
}

static bool look(struct fl_dns_table *table, const struct fl_state *state,
		 const struct fl_vm_name *name)
{
	struct draft draft = { .table = table, .name = name };
	struct fl_err why = { 0 };
	fl_cleanup_json fl_json *record = fl_state_look(state, name, &why);

	/* What cannot be read for now is as it was. */
	if (!record && why.kind != FL_ERR_NOT_FOUND) {
		fl_log(FL_LOG_WARN, "%s/%s: %s", name->name_space, name->name, why.text);
		return false;
	}
	if (record && !fl_record_is_leaving(record))
		draft_record(&draft, record);
	return settle(table, &draft);
}

bool fl_dns_table_look(struct fl_dns_table *table, const struct fl_state *state,
		       const struct fl_vm_name *name)
{
	bool changed = look(table, state, name);

	if (changed)
		drop_empty(table);
	return changed;
}

static bool is_listed(const fl_vm_names *names, const char *uid)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i].uid, uid) == 0)
			return true;
	return false;
}

int fl_dns_table_fill(struct fl_dns_table *table, const struct fl_state *state,
		      struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	if (fl_state_list(state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < table->entries.count; i++) {
		struct fl_dns_entry *entry = &table->entries.items[i];

		if (is_listed(&names, entry->uid))
			continue;
		for (size_t file = 0; file < FL_DNS_FILES; file++)
			*entry->lines[file] = 0;
	}
	for (size_t i = 0; i < names.count; i++)
		look(table, state, &names.items[i]);
	drop_empty(table);
	return 0;
}

void fl_dns_table_print(const struct fl_dns_table *table, enum fl_dns_file file,
			struct fl_str *out)
{
	fl_str_add(out, "");
	for (size_t i = 0; i < table->entries.count; i++)
		fl_str_add(out, table->entries.items[i].lines[file]);
}

void fl_dns_table_finish(struct fl_dns_table *table)
{
	for (size_t i = 0; i < table->entries.count; i++)
		clear(&table->entries.items[i]);
	free(table->entries.items);
}
