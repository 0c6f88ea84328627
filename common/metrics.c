/* SPDX-License-Identifier: MPL-2.0 */
#include "common/metrics.h"

#include "common/alloc.h"
#include "common/cgroup.h"
#include "common/control.h"
#include "common/io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put_number(fl_json *object, const char *key, uint64_t value)
{
	fl_json_set(object, key, fl_json_new_int(value > INT64_MAX ? INT64_MAX : (int64_t)value));
}

/* Of /proc/PID/stat (proc(5)): the name in it may hold spaces and brackets of its own. */
static bool read_process(int64_t pid, uint64_t *cpu_us, uint64_t *memory)
{
	fl_cleanup_free char *path = fl_asprintf("/proc/%" PRId64 "/stat", pid);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	const char *rest = NULL;
	uint64_t user, kernel, pages, ticks = (uint64_t)sysconf(_SC_CLK_TCK);

	if (pid > 0 && fl_io_read_file(AT_FDCWD, path, 4096, &text, NULL) == 0 && text.len)
		rest = strrchr(text.data, ')');
	if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
			    " %*d %*d %*d %*d %*d %*d %*u %*u %" SCNu64, &user, &kernel, &pages) != 3)
		return false;
	*cpu_us = (user + kernel) * (1000000 / ticks);
	*memory = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

static bool cgroup_number(const char *uid, const char *file, const char *key, uint64_t *value)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	const char *at;

	if (!fl_cgroup_read(uid, file, &text))
		return false;
	at = strstr(text.data, key);
	return at && sscanf(at + strlen(key), "%" SCNu64, value) == 1;
}

/* The control group counts all of its processes; where it has no such file (none mounted,
 * or without the controller), the VMM's process tells. */
static void add_process(fl_json *metrics, const struct fl_vm *vm, const fl_json *record)
{
	int64_t pid = fl_json_int(fl_json_at(record, "host.vmm.pid"));
	uint64_t cpu_us, memory;
	bool known = read_process(pid, &cpu_us, &memory);

	if (cgroup_number(vm->uid, "vmm/cpu.stat", "usage_usec ", &cpu_us) || known)
		put_number(metrics, "cpu_us", cpu_us);
	if (cgroup_number(vm->uid, "vmm/memory.current", "", &memory) || known)
		put_number(metrics, "memory_bytes", memory);
}

/* The line of a link in /proc/PID/net/dev (proc(5)), behind its colon; NULL: none. */
static const char *line_of(const char *table, const char *link)
{
	size_t len = strlen(link);

	for (const char *line = table; line; line = strchr(line, '\n')) {
		line += strspn(line, "\n ");
		if (strncmp(line, link, len) == 0 && line[len] == ':')
			return line + len + 1;
	}
	return NULL;
}

/* What the host sends into a tap, the guest receives. */
static fl_json *link_of(const char *id, const char *link, const char *table)
{
	static const char *const names[] = { "sent_bytes",     "sent_packets",     "sent_dropped",
					     "received_bytes", "received_packets", "received_dropped" };
	const char *line = line_of(table, link);
	fl_json *metrics = fl_json_new_object();
	uint64_t values[FL_COUNT(names)];

	fl_json_set(metrics, "id", fl_json_new_text(id));
	fl_json_set(metrics, "link", fl_json_new_text(link));
	if (line && sscanf(line, "%" SCNu64 " %" SCNu64 " %*u %" SCNu64 " %*u %*u %*u %*u %" SCNu64
			   " %" SCNu64 " %*u %" SCNu64, &values[0], &values[1], &values[2],
			   &values[3], &values[4], &values[5]) == FL_COUNT(names))
		for (size_t i = 0; i < FL_COUNT(names); i++)
			put_number(metrics, names[i], values[i]);
	return metrics;
}

/* Taps are in the VMM's network namespace, which need not be ours. */
static void add_links(fl_json *metrics, const fl_json *record)
{
	const fl_json *network = fl_json_at(record, "host.network");
	fl_cleanup_free char *path = fl_asprintf("/proc/%" PRId64 "/net/dev",
						 fl_json_int(fl_json_at(record, "host.vmm.pid")));
	fl_cleanup_str struct fl_str table = FL_STR_INIT;
	fl_json *links = fl_json_new_array();

	fl_str_add(&table, "");
	if (fl_json_count(network))
		fl_io_read_file(AT_FDCWD, path, 16 << 20, &table, NULL);
	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		const char *link = fl_json_text(fl_json_get(fl_json_value(i), "link"));

		if (link)
			fl_json_add(links, link_of(fl_json_key(i), link, table.data));
	}
	fl_json_set(metrics, "links", links);
}

static bool add_disks(fl_json *metrics, const struct fl_vm *vm, int wait_ms)
{
	fl_cleanup_json fl_json *request = fl_json_new_object();
	fl_cleanup_json fl_json *answer = NULL;
	fl_json *disks;

	fl_json_set(request, "do", fl_json_new_text("stats"));
	answer = fl_control_query(vm, request, wait_ms, NULL);
	disks = fl_json_get(answer, "disks");
	if (fl_json_is_array(disks))
		fl_json_set(metrics, "disks", fl_json_ref(disks));
	return fl_json_is_array(disks);
}

fl_json *fl_metrics_read(const struct fl_vm *vm, int wait_ms, struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, err);
	bool running = fl_vm_is_supervised(vm) && fl_json_at(record, "host.vmm.pid");
	fl_json *metrics;

	if (!record)
		return NULL;
	metrics = fl_json_new_object();
	fl_json_set(metrics, "namespace", fl_json_new_text(vm->name_space));
	fl_json_set(metrics, "name", fl_json_new_text(vm->name));
	fl_json_set(metrics, "uid", fl_json_new_text(vm->uid));
	if (fl_json_is_text(fl_json_at(record, "status.state")))
		fl_json_set(metrics, "state", fl_json_ref(fl_json_at(record, "status.state")));
	if (fl_json_at(record, "host.vmm.state"))
		fl_json_set(metrics, "vmm_state", fl_json_ref(fl_json_at(record, "host.vmm.state")));
	put_number(metrics, "restarts", (uint64_t)fl_json_int(fl_json_at(record, "host.vmm.restarts")));
	fl_json_set(metrics, "running", fl_json_new_bool(running));
	if (!running)
		return metrics;
	put_number(metrics, "vcpu", (uint64_t)fl_json_int(fl_json_at(record, "spec.vcpu")));
	put_number(metrics, "memory_limit_bytes",
		   (uint64_t)fl_json_int(fl_json_at(record, "spec.memory_in_mb")) << 20);
	add_process(metrics, vm, record);
	add_links(metrics, record);
	fl_json_set(metrics, "answered", fl_json_new_bool(add_disks(metrics, vm, wait_ms)));
	return metrics;
}

struct family {
	const char *name, *help;
	const char *list; /* NULL: of the microVM itself */
	const char *label, *key;
	bool is_gauge, is_us; /* is_us: microseconds, told in seconds */
	void (*rest)(struct fl_str *out, const struct fl_metrics_rest *one); /* ends such a line */
};

static void rest_running(struct fl_str *out, const struct fl_metrics_rest *one)
{
	(void)one;
	fl_str_add(out, "} 0\n");
}

static void rest_state(struct fl_str *out, const struct fl_metrics_rest *one)
{
	fl_str_add(out, ",state=\"");
	fl_str_add(out, one->state);
	fl_str_add(out, "\"} 1\n");
}

static void rest_restarts(struct fl_str *out, const struct fl_metrics_rest *one)
{
	fl_str_addf(out, "} %" PRIu64 "\n", one->restarts);
}

static const struct family families[] = {
	{ "running", "Whether a VMM runs.", NULL, NULL, "running", .is_gauge = true,
	  .rest = rest_running },
	{ "state", "1 for the state that flintlock's API tells.", NULL, "state", "state",
	  .is_gauge = true, .rest = rest_state },
	{ "restarts_total", "Starts of the VMM after the first.", NULL, NULL, "restarts",
	  .rest = rest_restarts },
	{ "answered", "Whether the VMM answered in time.", NULL, NULL, "answered", .is_gauge = true },
	{ "vcpus", "Virtual processors.", NULL, NULL, "vcpu", .is_gauge = true },
	{ "cpu_seconds_total", "Processor time of the VMM.", NULL, NULL, "cpu_us", .is_us = true },
	{ "memory_bytes", "Memory of the host in use.", NULL, NULL, "memory_bytes", .is_gauge = true },
	{ "memory_limit_bytes", "Memory that the guest has.", NULL, NULL, "memory_limit_bytes",
	  .is_gauge = true },
	{ "disk_read_bytes_total", "Bytes read.", "disks", "disk", "read_bytes" },
	{ "disk_written_bytes_total", "Bytes written.", "disks", "disk", "written_bytes" },
	{ "disk_reads_total", "Reads.", "disks", "disk", "reads" },
	{ "disk_writes_total", "Writes.", "disks", "disk", "writes" },
	{ "disk_flushes_total", "Flushes.", "disks", "disk", "flushes" },
	{ "network_receive_bytes_total", "Bytes to the guest.", "links", "interface",
	  "received_bytes" },
	{ "network_transmit_bytes_total", "Bytes from the guest.", "links", "interface",
	  "sent_bytes" },
	{ "network_receive_packets_total", "Packets to the guest.", "links", "interface",
	  "received_packets" },
	{ "network_transmit_packets_total", "Packets from the guest.", "links", "interface",
	  "sent_packets" },
	{ "network_receive_dropped_total", "Packets to the guest, dropped.", "links", "interface",
	  "received_dropped" },
	{ "network_transmit_dropped_total", "Packets from the guest, dropped.", "links",
	  "interface", "sent_dropped" },
};

void fl_metrics_head(struct fl_str *out, const char *name, const char *type, const char *help)
{
	fl_str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* In a label's value, a backslash, a quote and a newline are escaped. */
static void add_value(struct fl_str *out, const char *value)
{
	for (size_t plain; value && *value; value++) {
		plain = strcspn(value, "\\\"\n");
		fl_str_add_bytes(out, value, plain);
		value += plain;
		if (!*value)
			return;
		fl_str_add(out, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : "\\\\");
	}
}

void fl_metrics_label(struct fl_str *out, const char *name, const char *value)
{
	fl_str_add(out, name);
	fl_str_add(out, "=\"");
	add_value(out, value);
	fl_str_add(out, "\"");
}

char *fl_metrics_labels(const char *name_space, const char *name, const char *uid)
{
	struct fl_str labels = FL_STR_INIT;

	fl_metrics_label(&labels, "namespace", name_space);
	fl_metrics_label(&labels, ",name", name);
	fl_metrics_label(&labels, ",uid", uid);
	return fl_str_steal(&labels);
}

/* A line up to its "}". */
static void begin_sample(struct fl_str *out, const struct family *family, const char *labels)
{
	fl_str_add(out, "flintlock_microvm_");
	fl_str_add(out, family->name);
	fl_str_add(out, "{");
	fl_str_add(out, labels);
}

static void end_sample(struct fl_str *out, const struct family *family, const fl_json *value)
{
	if (fl_json_text(value))
		fl_str_add(out, "} 1\n");
	else if (family->is_us)
		fl_str_addf(out, "} %.6f\n", (double)fl_json_int(value) / 1e6);
	else
		fl_str_addf(out, "} %" PRId64 "\n",
			    fl_json_is_bool(value) ? fl_json_bool(value) : fl_json_int(value));
}

static void add_sample(struct fl_str *out, const struct family *family, const char *labels,
		       const fl_json *part)
{
	const fl_json *value = fl_json_get(part, family->key);

	if (!value)
		return;
	begin_sample(out, family, labels);
	if (family->label) {
		fl_str_add(out, ",");
		fl_metrics_label(out, family->label,
			  fl_json_text(family->list ? fl_json_get(part, "id") : value));
	}
	end_sample(out, family, value);
}

static void add_family(struct fl_str *out, const struct family *family, const fl_json *list,
		       char **labels)
{
	for (size_t i = 0; i < fl_json_count(list); i++) {
		const fl_json *vm = fl_json_item(list, i);
		const fl_json *parts = family->list ? fl_json_get(vm, family->list) : NULL;

		if (!family->list)
			add_sample(out, family, labels[i], vm);
		for (size_t k = 0; k < fl_json_count(parts); k++)
			add_sample(out, family, labels[i], fl_json_item(parts, k));
	}
}

static void add_resting(struct fl_str *out, const struct family *family,
			const struct fl_metrics_rest *resting, size_t count)
{
	for (size_t i = 0; family->rest && i < count; i++) {
		/* Most never were, and a line for each would be a third of it all. */
		if (family->rest == rest_restarts && !resting[i].restarts)
			continue;
		begin_sample(out, family, resting[i].labels);
		family->rest(out, &resting[i]);
	}
}

static char *labels_of(const fl_json *vm)
{
	return fl_metrics_labels(fl_json_text(fl_json_get(vm, "namespace")),
				 fl_json_text(fl_json_get(vm, "name")),
				 fl_json_text(fl_json_get(vm, "uid")));
}

void fl_metrics_print(const fl_json *list, const struct fl_metrics_rest *resting, size_t count,
		      struct fl_str *out)
{
	size_t told = fl_json_count(list);
	fl_cleanup_free char **labels = fl_alloc_zero(told + 1, sizeof(*labels));

	for (size_t i = 0; i < told; i++)
		labels[i] = labels_of(fl_json_item(list, i));
	fl_str_reserve(out, (told * FL_COUNT(families) + count * 4) * 128);
	for (size_t i = 0; i < FL_COUNT(families) && (count || told); i++) {
		fl_cleanup_free char *name = fl_asprintf("flintlock_microvm_%s", families[i].name);

		fl_metrics_head(out, name, families[i].is_gauge ? "gauge" : "counter",
				families[i].help);
		add_family(out, &families[i], list, labels);
		add_resting(out, &families[i], resting, count);
	}
	for (size_t i = 0; i < told; i++)
		free(labels[i]);
}
