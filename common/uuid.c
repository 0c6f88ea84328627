/* SPDX-License-Identifier: MPL-2.0 */
#include "common/uuid.h"

#include "common/sha256.h"
#include "common/str.h"

#include <stdio.h>
#include <string.h>

/* Drawn once; every UUID of ours depends on it. */
static const char name_space[16] = "\x5f\x1d\x60\x2e\x8a\x3b\x4c\x77\x9d\x10\x66\x6c\x69\x6e\x74\x6c";

void fl_uuid_of(const char *first, const char *second, struct fl_uuid *uuid)
{
	fl_cleanup_str struct fl_str name = FL_STR_INIT;
	unsigned char sum[FL_SHA1_SIZE];

	fl_str_add_bytes(&name, name_space, sizeof(name_space));
	fl_str_addf(&name, "%s/%s", first, second);
	fl_sha1_sum(name.data, name.len, sum);
	memcpy(uuid->byte, sum, sizeof(uuid->byte));
	uuid->byte[6] = (uuid->byte[6] & 0x0f) | 0x50;
	uuid->byte[8] = (uuid->byte[8] & 0x3f) | 0x80;
}

void fl_uuid_print(const struct fl_uuid *uuid, char text[static FL_UUID_TEXT])
{
	char *at = text;

	for (int i = 0; i < 16; i++)
		at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			      uuid->byte[i]);
}
