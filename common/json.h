/* SPDX-License-Identifier: MPL-2.0 */
/*
 * JSON documents: jansson behind words of ours. The one owner of jansson.
 *
 *     fl_cleanup_json fl_json *doc = fl_json_parse(text, len, "spec.json", err);
 *     const char *id = fl_json_text(fl_json_at(doc, "spec.id"));   // NULL when absent
 *     fl_json_put(doc, "status.state", fl_json_new_text("CREATED"));
 *
 * A path is keys joined by dots. Readers take NULL as document and give NULL or 0 back,
 * so that a chain of look-ups needs no checks. Values are reference counted: "takes" says
 * that a function takes the caller's reference over, "borrowed" that the caller gets none.
 */
#pragma once

#include "common/cleanup.h"
#include "common/err.h"
#include "common/str.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct json_t fl_json;

void fl_json_unref(fl_json *value); /* NULL is fine */
fl_json *fl_json_ref(fl_json *value);
void fl_json_cleanup(fl_json **value);
#define fl_cleanup_json FL_CLEANUP(fl_json_cleanup)

/* One document; trailing bytes, duplicate keys and NULs in strings are refused.
 * name is what the error calls the text. */
fl_json *fl_json_parse(const char *text, size_t size, const char *name, struct fl_err *err);

/* Empties, in a document that is yet to be parsed, strings of more than longest bytes, but for
 * names, and what has the name of list and is a list: for who looks at many documents, and does not
 * need what is long in them. */
void fl_json_skim(struct fl_str *text, size_t longest, const char *list);

/* The next of several documents in text (JSON Lines, or simply one behind the other).
 * Moves *at; NULL with *at == size at the end, NULL with err set on a fault. */
fl_json *fl_json_parse_next(const char *text, size_t size, size_t *at, const char *name,
			    struct fl_err *err);

/* Adds the document on one line (no newline), or indented by two. Keys keep their order. */
void fl_json_print(const fl_json *value, bool indented, struct fl_str *out);

/* The same with keys sorted: equal values give equal text. */
void fl_json_print_sorted(const fl_json *value, struct fl_str *out);

fl_json *fl_json_new_object(void);
fl_json *fl_json_new_array(void);
fl_json *fl_json_new_text(const char *text); /* bytes that are not UTF-8 become "?" */
fl_json *fl_json_new_text_bytes(const char *text, size_t size);
fl_json *fl_json_new_int(int64_t value);
fl_json *fl_json_new_real(double value);
fl_json *fl_json_new_bool(bool value);
fl_json *fl_json_new_null(void);
fl_json *fl_json_copy(const fl_json *value); /* deep */

bool fl_json_is_object(const fl_json *value);
bool fl_json_is_array(const fl_json *value);
bool fl_json_is_text(const fl_json *value);
bool fl_json_is_int(const fl_json *value);
bool fl_json_is_bool(const fl_json *value);
bool fl_json_is_null(const fl_json *value);
const char *fl_json_type_name(const fl_json *value); /* "an object", "text" … */
bool fl_json_equal(const fl_json *a, const fl_json *b);

/* What lies at the path, borrowed; NULL when absent. */
fl_json *fl_json_at(const fl_json *value, const char *path);
fl_json *fl_json_get(const fl_json *object, const char *key); /* key may hold dots */

const char *fl_json_text(const fl_json *value); /* borrowed; NULL when not text */
int64_t fl_json_int(const fl_json *value);      /* 0 when not a number */
double fl_json_real(const fl_json *value);      /* likewise */
bool fl_json_bool(const fl_json *value);        /* false when not true */

size_t fl_json_count(const fl_json *value); /* of an array or object */
fl_json *fl_json_item(const fl_json *array, size_t index);

/* Puts value at the path, making objects on the way; takes value. NULL removes. */
void fl_json_put(fl_json *object, const char *path, fl_json *value);
void fl_json_set(fl_json *object, const char *key, fl_json *value);
void fl_json_add(fl_json *array, fl_json *value); /* takes value */

/* The members of an object in their order:
 *     for (void *i = fl_json_first(o); i; i = fl_json_next(o, i)) fl_json_key(i) … */
void *fl_json_first(const fl_json *object);
void *fl_json_next(const fl_json *object, void *member);
const char *fl_json_key(void *member);
fl_json *fl_json_value(void *member);
