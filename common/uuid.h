/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Name-based UUIDs, version 5 (RFC 9562, section 5.5): the same names give the same UUID.
 *
 *     struct fl_uuid uuid;
 *     char text[FL_UUID_TEXT];
 *     fl_uuid_of(uid, "root", &uuid);
 *     fl_uuid_print(&uuid, text);
 */
#pragma once

#include <stdint.h>

#define FL_UUID_TEXT 37

struct fl_uuid {
	uint8_t byte[16];
};

/* Of the pair (first, second), in a name space of this toolkit. */
void fl_uuid_of(const char *first, const char *second, struct fl_uuid *uuid);

void fl_uuid_print(const struct fl_uuid *uuid, char text[static FL_UUID_TEXT]);
