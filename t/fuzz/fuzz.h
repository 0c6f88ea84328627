/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A fuzz target: one function that takes any bytes and must survive them. Linked with
 * libFuzzer ("make check-fuzz"), or with replay.c, which runs the kept corpus once.
 *
 *     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { …; return 0; }
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Something that must be true of every input. */
#define MUST(what)           \
	do {                 \
		if (!(what)) \
			abort(); \
	} while (0)
