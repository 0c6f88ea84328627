/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/dns/serve.h"

#include "cmd/fl-net/dns/busy.h"
#include "cmd/fl-net/dns/dnsmasq.h"
#include "cmd/fl-net/dns/table.h"
#include "common/alloc.h"
#include "common/atomic.h"
#include "common/journal.h"
#include "common/log.h"
#include "common/manager.h"

#include <string.h>
#include <sys/epoll.h>

#define NO_UPSTREAM "none"

const struct fl_option fl_dns_options[] = {
	{ "upstream", 0, "ADDRESS", "ask it for all other names, not the host's; none: nobody" },
	{ "no-dhcp", 0, NULL, "names alone, no addresses" },
	{ "dnsmasq", 0, "PROGRAM", "the dnsmasq to run" },
	{ 0 },
};

struct service {
	struct fl_state state;
	struct fl_dns_place place;
	struct fl_dns_table table;
	struct fl_journal_reader reader;
	struct fl_dnsmasq_setting setting;
	struct fl_dnsmasq names, addresses;
	char *program;
	fl_json *upstream;
	bool no_dhcp;
	int ends; /* readable when a child ended */
};

static int take_upstream(struct service *service, const struct fl_args *args, struct fl_err *err)
{
	const char *text;

	for (size_t i = 0; (text = fl_args_each(args, "upstream", i)); i++) {
		char address[FL_CIDR_TEXT];
		struct fl_cidr parsed;

		if (!service->upstream)
			service->upstream = fl_json_new_array();
		if (strcmp(text, NO_UPSTREAM) == 0)
			continue;
		if (strchr(text, '/') || fl_inet_parse_cidr(text, &parsed, NULL) < 0)
			return fl_err_set(err, FL_ERR_USAGE, "option --upstream: \"%s\" is not the address of "
					  "a nameserver, such as 192.0.2.53, nor " NO_UPSTREAM, text);
		fl_inet_print_address(&parsed, address);
		fl_json_add(service->upstream, fl_json_new_text(address));
	}
	return 0;
}

static int find_link(const struct fl_state *state, const char *name, const struct fl_bridge *known,
		     struct fl_links *links, struct fl_err *err)
{
	struct fl_link link;
	int found = fl_links_get(links, name, &link, err);

	if (!found && known) {
		found = fl_bridge_restore(state, links, known, err);
		if (found > 0)
			found = fl_links_get(links, name, &link, err);
	}
	if (found < 0)
		return -1;
	if (!found)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: there is no bridge of that name; \"fl-net "
				  "bridge create %s --address CIDR --nat --domain fl.internal\" makes one",
				  name, name);
	if (!known || !fl_bridge_is_ours(&link))
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: is not a bridge of fl-net's, which knows "
				  "nobody's addresses there; whoever made it serves its names", name);
	return 0;
}

/* As "up" does, it makes a bridge again that the host lost when it was restarted. */
static int find_bridge(struct service *service, const char *name, struct fl_err *err)
{
	struct fl_bridge *bridge = &service->table.bridge;
	fl_cleanup_close int lock = fl_bridge_lock(&service->state, err);
	int known = lock < 0 ? -1 : fl_bridge_load(&service->state, name, bridge, err), rc;
	struct fl_links *links = known < 0 ? NULL : fl_links_open(err);

	if (!links)
		return -1;
	rc = find_link(&service->state, name, known ? bridge : NULL, links, err);
	fl_links_close(links);
	if (rc < 0 || *bridge->domain)
		return rc;
	return fl_err_set(err, FL_ERR_PRECONDITION, "%s: has no domain for names to be under; \"fl-net "
			  "bridge create\" with the same options and --domain fl.internal gives it one",
			  name);
}

static int write_file(const struct service *service, enum fl_dns_file file, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_dns_table_print(&service->table, file, &text);
	return fl_atomic_write(service->place.dirfd, fl_dns_file_names[file], 0644, text.data, text.len,
			       false, err);
}

static int write_files(const struct service *service, struct fl_err *err)
{
	for (size_t i = 0; i < FL_DNS_FILES; i++)
		if (write_file(service, (enum fl_dns_file)i, err) < 0)
			return -1;
	return 0;
}

static int start(struct service *service, struct fl_dnsmasq *dnsmasq, struct fl_err *err)
{
	struct epoll_event wanted = { .events = EPOLLIN };

	if (fl_dnsmasq_start(dnsmasq, &service->setting, err) < 0)
		return -1;
	if (epoll_ctl(service->ends, EPOLL_CTL_ADD, dnsmasq->child.pidfd, &wanted) < 0)
		return fl_err_errno(err, errno, "dnsmasq cannot be watched");
	return 0;
}

/* The one that hands out addresses is started anew: as long as it remembers a lease it gives the
 * address to nobody else, whatever the files say (and 2.90 crashes when it reads them again with one).
 * Who asks it at this moment asks again. */
static int publish(struct service *service, struct fl_err *err)
{
	if (write_files(service, err) < 0)
		return -1;
	fl_dnsmasq_reload(&service->names);
	if (service->no_dhcp)
		return 0;
	fl_dnsmasq_finish(&service->addresses);
	return start(service, &service->addresses, err);
}

static void take_lines(struct service *service, fl_vm_names *names)
{
	fl_json *line;

	while ((line = fl_journal_next(&service->reader))) {
		const char *name_space = fl_json_text(fl_json_get(line, "namespace"));
		const char *name = fl_json_text(fl_json_get(line, "name"));
		const char *uid = fl_json_text(fl_json_get(line, "uid"));
		struct fl_vm_name vm = { 0 };

		if (name_space && name && uid && fl_ulid_is_valid(uid)) {
			vm.name_space = fl_strdup(name_space);
			vm.name = fl_strdup(name);
			snprintf(vm.uid, sizeof(vm.uid), "%s", uid);
			FL_VEC_ADD(names, vm);
		}
		fl_json_unref(line);
	}
}

static int follow(struct service *service, struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	bool changed = false;

	take_lines(service, &names);
	if (!names.count)
		return 0;
	fl_journal_settled(service->state.dirfd);
	if (service->reader.missed) {
		service->reader.missed = false;
		if (fl_dns_table_fill(&service->table, &service->state, err) < 0)
			return -1;
		return publish(service, err);
	}
	for (size_t i = 0; i < names.count; i++)
		changed |= fl_dns_table_look(&service->table, &service->state, &names.items[i]);
	return changed ? publish(service, err) : 0;
}

static int check_children(void *arg, struct fl_err *err)
{
	struct service *service = arg;

	if (fl_dnsmasq_check(&service->names, err) < 0)
		return -1;
	return fl_dnsmasq_check(&service->addresses, err);
}

static int serve(struct service *service, struct fl_err *err)
{
	struct fl_cancel cancel = { service->ends, check_children, service };

	for (;;) {
		if (fl_cancel_wait(&cancel, service->reader.tail.inotify, -1, err) < 0)
			return -1;
		if (follow(service, err) < 0)
			return -1;
	}
}

static void tell(const struct service *service)
{
	const struct fl_bridge *bridge = &service->table.bridge;
	char address[FL_CIDR_TEXT];

	fl_inet_print_address(&bridge->address, address);
	fl_log(FL_LOG_INFO, "%s: names under %s at %s%s; the host asks there, too, after: resolvectl dns %s "
	       "%s && resolvectl domain %s '~%s'", bridge->name, bridge->domain, address,
	       service->no_dhcp ? "" : ", addresses by DHCP", bridge->name, address, bridge->name,
	       bridge->domain);
}

/* The journal is opened before the records are read: what changes meanwhile is read again. */
static int open_all(struct service *service, const char *name, struct fl_err *err)
{
	if (find_bridge(service, name, err) < 0 ||
	    fl_dns_place_take(&service->place, &service->state, name, err) < 0 ||
	    fl_dns_check_free(&service->table.bridge, !service->no_dhcp, err) < 0)
		return -1;
	service->ends = epoll_create1(EPOLL_CLOEXEC);
	if (service->ends < 0)
		return fl_err_errno(err, errno, "no epoll");
	if (fl_journal_open(&service->reader, service->state.dirfd, service->state.dir, true, err) < 0)
		return -1;
	fl_journal_settled(service->state.dirfd);
	if (fl_dns_table_fill(&service->table, &service->state, err) < 0)
		return -1;
	return write_files(service, err);
}

static int run(struct service *service, const char *name, struct fl_err *err)
{
	service->setting = (struct fl_dnsmasq_setting){
		.program = service->program, .bridge = &service->table.bridge,
		.place = &service->place, .upstream = service->upstream
	};
	if (open_all(service, name, err) < 0 || start(service, &service->names, err) < 0 ||
	    (!service->no_dhcp && start(service, &service->addresses, err) < 0))
		return -1;
	tell(service);
	fl_manager_tell("READY=1");
	return serve(service, err);
}

static void finish(struct service *service)
{
	fl_dnsmasq_finish(&service->names);
	fl_dnsmasq_finish(&service->addresses);
	if (service->place.lock >= 0)
		fl_dns_place_leave(&service->place, &service->state);
	fl_dns_place_finish(&service->place);
	fl_dns_table_finish(&service->table);
	fl_journal_finish(&service->reader);
	fl_json_unref(service->upstream);
	free(service->program);
	if (service->ends >= 0)
		close(service->ends);
	fl_state_close(&service->state);
}

int fl_dns_serve(struct fl_args *args, struct fl_err *err)
{
	struct service service = {
		.state = { .dirfd = -1 }, .place = FL_DNS_PLACE_INIT, .reader = FL_JOURNAL_READER_INIT,
		.names = { .job = FL_DNSMASQ_NAMES }, .addresses = { .job = FL_DNSMASQ_ADDRESSES },
		.no_dhcp = fl_args_flag(args, "no-dhcp"), .ends = -1
	};
	int rc = take_upstream(&service, args, err);

	if (rc == 0)
		service.program = fl_dnsmasq_find(fl_args_text(args, "dnsmasq", NULL), err);
	if (rc == 0 && (!service.program || fl_args_state(args, true, &service.state, err) < 0))
		rc = -1;
	if (rc == 0)
		rc = run(&service, args->operands.items[0], err);
	finish(&service);
	/* To be ended by a signal is what it waits for. */
	return rc < 0 && fl_cancel_signal() ? 0 : rc;
}
