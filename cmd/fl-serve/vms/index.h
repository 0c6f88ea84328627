/* SPDX-License-Identifier: MPL-2.0 */
/*
 * All microVMs of the state folder, found by uid and listed in order, without reading a file
 * that has not changed. The journal tells what changed; whatever another program did is
 * seen by the next look. Small records are kept as they go over the wire, large ones stay
 * on disk.
 *
 *     struct fl_index *index = fl_index_open(&state, microvm_type, err);
 *     fl_index_refresh(index);
 *     struct fl_index_entry *entry = fl_index_find(index, uid);
 *     if (fl_index_message(index, entry, &bytes, err) < 0) …
 */
#pragma once

#include "cmd/fl-serve/wire/types.h"
#include "common/state.h"

struct fl_index;

enum fl_index_state { FL_INDEX_PENDING, FL_INDEX_CREATED, FL_INDEX_FAILED, FL_INDEX_DELETING };

/* As flintlock's API names it. */
const char *fl_index_state_name(uint8_t state);

struct fl_index_entry {
	char uid[FL_ULID_TEXT];
	char *name_space, *name;
	bool loaded;        /* the members below are known */
	bool damaged;       /* the record cannot be read */
	bool live;          /* it has a VMM, as far as the record says */
	bool seen;          /* while all are looked at */
	bool unsure;        /* the host was out of descriptors: it is looked at again */
	uint8_t state;      /* enum fl_index_state */
	uint32_t size;      /* of the message */
	uint32_t vcpu, memory_mb, restarts;
	uint8_t *message;   /* NULL: large, or not loaded; read it from disk */
	void *job;          /* whoever works on it */
};

struct fl_index *fl_index_open(const struct fl_state *state, const struct fl_message_type *type,
			       struct fl_err *err);
void fl_index_close(struct fl_index *index); /* NULL is fine */

/* A descriptor that becomes readable when the journal grows. */
int fl_index_fd(const struct fl_index *index);

/* Takes in what the journal says; cheap when it says nothing. */
void fl_index_refresh(struct fl_index *index);

/* Told of every entry that is new, has changed, or goes (its record is gone then). */
typedef void fl_index_watcher(void *arg, struct fl_index_entry *entry, bool gone);
void fl_index_watch(struct fl_index *index, fl_index_watcher *watcher, void *arg);

/* Told once of any number of lines that the journal has got, also of those without an entry. */
void fl_index_on_news(struct fl_index *index, void (*news)(void *arg), void *arg);

struct fl_index_entry *fl_index_find(const struct fl_index *index, const char *uid);

/* Sorted by namespace, name and uid. */
size_t fl_index_count(const struct fl_index *index);
struct fl_index_entry *fl_index_at(const struct fl_index *index, size_t place);

/* The range of a namespace (all when empty) and a name (all when empty): from, to. */
void fl_index_range(const struct fl_index *index, const char *name_space, const char *name,
		    size_t *from, size_t *to);

/* The first place from "from" on that lies behind the microVM of that identity. */
size_t fl_index_after(const struct fl_index *index, const char *name_space, const char *name,
		      const char *uid, size_t from);

/* Loads it when needed; afterwards size, state and, of small ones, message are set. Fails with
 * FL_ERR_EXHAUSTED alone, when the host has nothing left to read it with: what was known stays. */
int fl_index_load(struct fl_index *index, struct fl_index_entry *entry, struct fl_err *err);

/* Adds its MicroVM message. A damaged record is shown as FAILED, with its identity. Fails as
 * fl_index_load() does. */
int fl_index_message(struct fl_index *index, struct fl_index_entry *entry, struct fl_str *out,
		     struct fl_err *err);

/* The record itself; NULL with err. Caller owns it. */
fl_json *fl_index_record(const struct fl_index *index, const struct fl_index_entry *entry,
			 struct fl_err *err);
