/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/http/metrics.h"

#include "cmd/fl-serve/server.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const code_names[FL_RPC_CODES] = {
	"OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound",
	"AlreadyExists", "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted",
	"OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated",
};

static void add_gauge(struct fl_str *out, const char *name, const char *help, double value)
{
	fl_metrics_head(out, name, "gauge", help);
	fl_str_addf(out, "%s %.15g\n", name, value);
}

static void add_method(struct fl_str *out, const char *name, const struct fl_rpc_count *count)
{
	fl_str_addf(out, "%s{grpc_type=\"%s\",grpc_service=\"%.*s\",grpc_method=\"%.*s\"", name,
		    count->streams ? "server_stream" : "unary", (int)count->service_size,
		    count->service, (int)count->method_size, count->method);
}

static void add_handled(struct fl_str *out, const struct fl_rpc_count *count)
{
	for (size_t i = 0; i < FL_RPC_CODES; i++) {
		add_method(out, "grpc_server_handled_total", count);
		fl_str_addf(out, ",grpc_code=\"%s\"} %" PRIu64 "\n", code_names[i],
			    count->handled[i]);
	}
}

static void add_times(struct fl_str *out, const struct fl_rpc_count *count)
{
	uint64_t within = 0, all = 0;

	for (size_t i = 0; i < FL_RPC_CODES; i++)
		all += count->handled[i];
	for (size_t i = 0; i < FL_RPC_BUCKETS; i++) {
		within += count->within[i];
		add_method(out, "grpc_server_handling_seconds_bucket", count);
		fl_str_addf(out, ",le=\"%g\"} %" PRIu64 "\n", fl_rpc_buckets[i], within);
	}
	add_method(out, "grpc_server_handling_seconds_bucket", count);
	fl_str_addf(out, ",le=\"+Inf\"} %" PRIu64 "\n", all);
	add_method(out, "grpc_server_handling_seconds_sum", count);
	fl_str_addf(out, "} %.9g\n", count->seconds);
	add_method(out, "grpc_server_handling_seconds_count", count);
	fl_str_addf(out, "} %" PRIu64 "\n", all);
}

static void add_started(struct fl_str *out, const struct fl_rpc_count *count)
{
	add_method(out, "grpc_server_started_total", count);
	fl_str_addf(out, "} %" PRIu64 "\n", count->started);
}

static void add_received(struct fl_str *out, const struct fl_rpc_count *count)
{
	add_method(out, "grpc_server_msg_received_total", count);
	fl_str_addf(out, "} %" PRIu64 "\n", count->received);
}

static void add_sent(struct fl_str *out, const struct fl_rpc_count *count)
{
	add_method(out, "grpc_server_msg_sent_total", count);
	fl_str_addf(out, "} %" PRIu64 "\n", count->sent);
}

static const struct family {
	const char *name, *type, *help;
	void (*add)(struct fl_str *out, const struct fl_rpc_count *count);
} families[] = {
	{ "grpc_server_started_total", "counter", "Calls begun.", add_started },
	{ "grpc_server_handled_total", "counter", "Calls ended, by code.", add_handled },
	{ "grpc_server_msg_received_total", "counter", "Messages received.", add_received },
	{ "grpc_server_msg_sent_total", "counter", "Messages sent.", add_sent },
	{ "grpc_server_handling_seconds", "histogram", "How long calls took.", add_times },
};

static void add_calls(struct fl_str *out, const struct fl_rpc *rpc)
{
	const struct fl_rpc_count *counts;
	size_t count = fl_rpc_counts(rpc, &counts);

	for (size_t i = 0; i < FL_COUNT(families); i++) {
		fl_metrics_head(out, families[i].name, families[i].type, families[i].help);
		for (size_t k = 0; k < count; k++)
			families[i].add(out, &counts[k]);
	}
}

static size_t entries_of(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	size_t count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void add_process(struct fl_str *out)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	unsigned long virtual = 0, resident = 0;
	struct rusage used = { 0 };
	struct rlimit files = { 0 };

	getrusage(RUSAGE_SELF, &used);
	getrlimit(RLIMIT_NOFILE, &files);
	if (fl_io_read_file(AT_FDCWD, "/proc/self/statm", 256, &text, NULL) == 0)
		sscanf(text.data, "%lu %lu", &virtual, &resident);
	fl_metrics_head(out, "process_cpu_seconds_total", "counter", "Processor time.");
	fl_str_addf(out, "process_cpu_seconds_total %.6f\n",
		    (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
			    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	add_gauge(out, "process_virtual_memory_bytes", "Virtual memory.",
		  (double)virtual * (double)getpagesize());
	add_gauge(out, "process_resident_memory_bytes", "Resident memory.",
		  (double)resident * (double)getpagesize());
	add_gauge(out, "process_open_fds", "Open file descriptors.",
		  (double)entries_of(AT_FDCWD, "/proc/self/fd"));
	add_gauge(out, "process_max_fds", "Most file descriptors.", (double)files.rlim_cur);
}

static void add_states(struct fl_str *out, struct fl_server *server)
{
	size_t counts[FL_INDEX_DELETING + 1] = { 0 }, live = 0, damaged = 0;

	for (size_t i = 0; i < fl_index_count(server->index); i++) {
		struct fl_index_entry *entry = fl_index_at(server->index, i);

		fl_index_load(server->index, entry, NULL);
		counts[entry->state]++;
		live += entry->live;
		damaged += entry->damaged;
	}
	fl_metrics_head(out, "flintlock_microvms", "gauge", "MicroVMs by the state that flintlock's API has.");
	for (size_t i = 0; i < FL_COUNT(counts); i++)
		fl_str_addf(out, "flintlock_microvms{state=\"%s\"} %zu\n",
			    fl_index_state_name((uint8_t)i), counts[i]);
	add_gauge(out, "flintlock_microvms_live", "MicroVMs that have a VMM.", (double)live);
	add_gauge(out, "flintlock_records_damaged", "Records that cannot be read.", (double)damaged);
}

static void add_pair(struct fl_str *out, const char *name, const char *help, uint64_t done,
		     uint64_t failed)
{
	fl_metrics_head(out, name, "counter", help);
	fl_str_addf(out, "%s{outcome=\"done\"} %" PRIu64 "\n%s{outcome=\"failed\"} %" PRIu64 "\n", name,
		    done, name, failed);
}

static void add_ended(struct fl_str *out, const struct fl_jobs_ended *ended)
{
	add_pair(out, "flintlock_ups_total", "Tries to bring a microVM up.", ended->up,
		 ended->up_failed);
	add_pair(out, "flintlock_downs_total", "Tries to take a microVM away.", ended->down,
		 ended->down_failed);
	add_pair(out, "flintlock_pulls_total", "Tries to bring a microVM up, by whether its images came.",
		 ended->pulled, ended->pull_failed);
}

void fl_server_metrics(struct fl_server *server, const struct fl_rpc *rpc, struct fl_str *out)
{
	fl_metrics_head(out, "flintlock_build_info", "gauge", "The version that runs.");
	fl_str_addf(out, "flintlock_build_info{version=\"%s\"} 1\n", FL_VERSION);
	add_states(out, server);
	add_gauge(out, "flintlock_jobs_running", "Programs at work for microVMs.",
		  (double)fl_jobs_running(server->jobs));
	add_gauge(out, "flintlock_jobs_queued", "Work that waits for its turn.",
		  (double)fl_jobs_queued(server->jobs));
	add_ended(out, fl_jobs_ended(server->jobs));
	add_gauge(out, "flintlock_calls_running", "Calls that run now.", (double)fl_rpc_running(rpc));
	add_gauge(out, "flintlock_bases", "File systems of images, ready to be copied.",
		  (double)entries_of(server->state.dirfd, "bases"));
	add_gauge(out, "flintlock_blobs", "Manifests, configurations and layers in the store.",
		  (double)entries_of(server->state.dirfd, "images/blobs/sha256"));
	add_calls(out, rpc);
	add_process(out);
}
