/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/vms/jobs.h"

#include "cmd/fl-serve/vms/outcome.h"
#include "cmd/fl-serve/vms/program.h"
#include "common/alloc.h"
#include "common/log.h"
#include "common/path.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define RESUME_AT_ONCE 64 /* records looked at before others have their turn */
#define UNKNOWN_SECONDS 2

enum kind { UP, DOWN, KINDS };
enum phase { QUEUED, RUNNING, RESTING };

struct job {
	struct fl_jobs *jobs;
	struct job *next; /* of its queue */
	char uid[FL_ULID_TEXT];
	char *path;    /* of the microVM's folder */
	char *request; /* of the call that asked for it; NULL: none is known */
	enum kind kind;
	enum phase phase;
	bool again; /* asked for once more while it runs */
	bool is_unknown; /* what is wanted could not be read: to be looked at after its rest */
	struct fl_program_run *run;
	struct event *rested;
};

/* What was there at the start, by uid: places in the index move while microVMs leave. */
struct resuming {
	FL_VEC(struct fl_resumed { char uid[FL_ULID_TEXT]; }) all;
	size_t at;
	struct event *next;
};

struct fl_jobs {
	struct fl_jobs_options options;
	struct job *first[KINDS], *last[KINDS];
	size_t running[KINDS], queued;
	struct fl_jobs_ended ended;
	char *program; /* fl */
	struct resuming resuming;
	struct event *starter;
};

static void start_some(struct fl_jobs *jobs);

const struct fl_jobs_ended *fl_jobs_ended(const struct fl_jobs *jobs)
{
	return &jobs->ended;
}

size_t fl_jobs_running(const struct fl_jobs *jobs)
{
	return jobs->running[UP] + jobs->running[DOWN];
}

size_t fl_jobs_queued(const struct fl_jobs *jobs)
{
	return jobs->queued;
}

static void drop_event(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static void job_free(struct job *job)
{
	fl_program_forget(job->run);
	drop_event(&job->rested);
	free(job->path);
	free(job->request);
	free(job);
}

static void enqueue(struct job *job)
{
	struct fl_jobs *jobs = job->jobs;

	job->phase = QUEUED;
	job->next = NULL;
	if (jobs->last[job->kind])
		jobs->last[job->kind]->next = job;
	else
		jobs->first[job->kind] = job;
	jobs->last[job->kind] = job;
	jobs->queued++;
}

static void unqueue(struct job *job)
{
	struct fl_jobs *jobs = job->jobs;
	struct job **at = &jobs->first[job->kind], *before = NULL;

	while (*at && *at != job) {
		before = *at;
		at = &(*at)->next;
	}
	if (!*at)
		return;
	*at = job->next;
	if (jobs->last[job->kind] == job)
		jobs->last[job->kind] = before;
	jobs->queued--;
}

static void look_again(struct job *job);

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;

	(void)fd;
	(void)what;
	drop_event(&job->rested);
	if (job->is_unknown) {
		look_again(job);
		return;
	}
	enqueue(job);
	start_some(job->jobs);
}

static void rest(struct job *job, int seconds)
{
	struct timeval time = { seconds, 0 };

	job->phase = RESTING;
	job->rested = evtimer_new(job->jobs->options.base, on_rested, job);
	if (!job->rested)
		abort();
	evtimer_add(job->rested, &time);
}

static void finish(struct job *job, struct fl_index_entry *entry)
{
	if (entry)
		entry->job = NULL;
	job_free(job);
}

static void count(struct fl_jobs *jobs, enum kind kind, const struct fl_outcome *outcome)
{
	struct fl_jobs_ended *ended = &jobs->ended;

	if (kind == DOWN) {
		*(outcome->has_failed ? &ended->down_failed : &ended->down) += 1;
		return;
	}
	*(outcome->has_failed ? &ended->up_failed : &ended->up) += 1;
	if (outcome->is_judged)
		*(outcome->has_pulled ? &ended->pulled : &ended->pull_failed) += 1;
}

/* What comes after a program's end is read from the record that it left. */
static void go_on(struct job *job, int status)
{
	struct fl_jobs *jobs = job->jobs;
	struct fl_index_entry *entry;
	struct fl_outcome outcome;

	fl_index_refresh(jobs->options.index);
	entry = fl_index_find(jobs->options.index, job->uid);
	/* A microVM that left took its job along (fl_jobs_forget). */
	if (!entry || entry->job != job) {
		outcome = (struct fl_outcome){ .has_failed = status != 0 };
		count(jobs, job->kind, &outcome);
		finish(job, NULL);
		return;
	}
	fl_outcome_take(jobs->options.state, entry, status, jobs->options.most_retries, &outcome);
	count(jobs, job->kind, &outcome);
	if (outcome.what == FL_OUTCOME_DONE && !job->again) {
		finish(job, entry);
		return;
	}
	job->again = false;
	job->kind = outcome.what == FL_OUTCOME_DOWN ? DOWN : UP;
	if (outcome.what == FL_OUTCOME_DONE)
		finish(job, entry);
	else if (outcome.rest_seconds)
		rest(job, outcome.rest_seconds);
	else
		enqueue(job);
}

static void on_ended(void *arg, const struct fl_program_end *end)
{
	struct job *job = arg;
	struct fl_jobs *jobs = job->jobs;

	job->run = NULL;
	jobs->running[job->kind]--;
	go_on(job, end->status);
	start_some(jobs);
}

static void add_options(const struct fl_jobs *jobs, const struct job *job, const char **argv,
			size_t *count)
{
	argv[(*count)++] = jobs->program;
	argv[(*count)++] = job->kind == UP ? "up" : "down";
	argv[(*count)++] = "--state-dir";
	argv[(*count)++] = jobs->options.state->dir;
	argv[(*count)++] = "--quiet";
	if (job->kind == DOWN)
		return;
	if (jobs->options.accel) {
		argv[(*count)++] = "--accel";
		argv[(*count)++] = jobs->options.accel;
	}
	if (jobs->options.qemu) {
		argv[(*count)++] = "--qemu";
		argv[(*count)++] = jobs->options.qemu;
	}
}

static void start(struct job *job)
{
	struct fl_jobs *jobs = job->jobs;
	fl_cleanup_free char *record = fl_asprintf("%s/record.json", job->path);
	/* "NAMESPACE/NAME/UID", the end of its folder's path: found without looking at others. */
	const char *whole = job->path + strlen(jobs->options.state->dir) + strlen("/vm/");
	const char *argv[16];
	struct fl_err err = { 0 };
	size_t count = 0;

	add_options(jobs, job, argv, &count);
	argv[count++] = job->kind == UP ? record : whole;
	argv[count] = NULL;
	job->run = fl_program_start(jobs->options.base,
				    &(struct fl_program_spec){ .argv = argv, .uid = job->uid,
							       .request = job->request },
				    on_ended, job, &err);
	if (!job->run) {
		fl_log(FL_LOG_ERROR, "%s: %s", job->uid, err.text);
		rest(job, 5);
		return;
	}
	job->phase = RUNNING;
	jobs->running[job->kind]++;
}

static void start_some(struct fl_jobs *jobs)
{
	for (enum kind kind = KINDS; kind-- > 0;)
		while (jobs->first[kind] && jobs->running[kind] < jobs->options.most) {
			struct job *job = jobs->first[kind];

			unqueue(job);
			start(job);
		}
}

static struct job *make(struct fl_jobs *jobs, struct fl_index_entry *entry)
{
	struct job *job = fl_alloc_zero(1, sizeof(*job));

	job->jobs = jobs;
	memcpy(job->uid, entry->uid, sizeof(job->uid));
	job->path = fl_asprintf("%s/vm/%s/%s/%s", jobs->options.state->dir, entry->name_space,
				entry->name, entry->uid);
	entry->job = job;
	return job;
}

void fl_jobs_want(struct fl_jobs *jobs, struct fl_index_entry *entry)
{
	/* Starting a program takes its time: whoever asked is answered first. */
	struct timeval soon = { 0, 0 };
	fl_cleanup_free char *request = NULL;
	enum fl_outcome_what what = fl_outcome_wanted(jobs->options.index, entry, &request);
	struct job *job = entry->job;

	if (what == FL_OUTCOME_DONE)
		return;
	if (job && job->phase == RUNNING) {
		/* "up" sees by itself that the microVM is not wanted any more. */
		job->again = true;
		return;
	}
	if (job && job->phase == QUEUED)
		unqueue(job);
	job = job ? job : make(jobs, entry);
	drop_event(&job->rested);
	job->is_unknown = what == FL_OUTCOME_UNKNOWN;
	if (job->is_unknown) {
		rest(job, UNKNOWN_SECONDS);
		return;
	}
	job->kind = what == FL_OUTCOME_DOWN ? DOWN : UP;
	free(job->request);
	job->request = fl_steal(&request);
	enqueue(job);
	evtimer_add(jobs->starter, &soon);
}

static void look_again(struct job *job)
{
	struct fl_jobs *jobs = job->jobs;
	struct fl_index_entry *entry = fl_index_find(jobs->options.index, job->uid);

	if (entry && entry->job == job) {
		entry->job = NULL;
		fl_jobs_want(jobs, entry);
	}
	job_free(job);
}

void fl_jobs_forget(struct fl_jobs *jobs, struct fl_index_entry *entry)
{
	struct job *job = entry->job;

	(void)jobs;
	entry->job = NULL;
	if (!job || job->phase == RUNNING)
		return; /* its end frees it */
	if (job->phase == QUEUED)
		unqueue(job);
	job_free(job);
}

static void resume(struct fl_jobs *jobs, const char *uid)
{
	struct fl_index_entry *entry = fl_index_find(jobs->options.index, uid);

	if (!entry)
		return;
	fl_outcome_restore(jobs->options.state, entry);
	fl_jobs_want(jobs, entry);
}

static void end_resuming(struct fl_jobs *jobs)
{
	drop_event(&jobs->resuming.next);
	free(jobs->resuming.all.items);
	jobs->resuming = (struct resuming){ 0 };
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct fl_jobs *jobs = arg;
	struct resuming *resuming = &jobs->resuming;
	struct timeval soon = { 0, 0 };

	(void)fd;
	(void)what;
	for (int i = 0; i < RESUME_AT_ONCE; i++, resuming->at++) {
		if (resuming->at >= resuming->all.count) {
			end_resuming(jobs);
			fl_state_sweep(jobs->options.state);
			return;
		}
		resume(jobs, resuming->all.items[resuming->at].uid);
	}
	evtimer_add(resuming->next, &soon);
}

void fl_jobs_resume(struct fl_jobs *jobs)
{
	struct timeval soon = { 0, 0 };

	for (size_t i = 0; i < fl_index_count(jobs->options.index); i++) {
		struct fl_resumed one;

		memcpy(one.uid, fl_index_at(jobs->options.index, i)->uid, sizeof(one.uid));
		FL_VEC_ADD(&jobs->resuming.all, one);
	}
	jobs->resuming.next = evtimer_new(jobs->options.base, on_resume, jobs);
	if (!jobs->resuming.next)
		abort();
	evtimer_add(jobs->resuming.next, &soon);
}

static void on_start(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	start_some(arg);
}

struct fl_jobs *fl_jobs_create(const struct fl_jobs_options *options)
{
	struct fl_jobs *jobs = fl_alloc_zero(1, sizeof(*jobs));

	jobs->options = *options;
	jobs->program = fl_path_beside_program("", "fl");
	jobs->starter = evtimer_new(options->base, on_start, jobs);
	if (!jobs->starter)
		abort();
	return jobs;
}

void fl_jobs_destroy(struct fl_jobs *jobs)
{
	if (!jobs)
		return;
	for (size_t i = 0; i < fl_index_count(jobs->options.index); i++) {
		struct fl_index_entry *entry = fl_index_at(jobs->options.index, i);

		if (entry->job)
			job_free(entry->job);
		entry->job = NULL;
	}
	end_resuming(jobs);
	event_free(jobs->starter);
	free(jobs->program);
	free(jobs);
}
