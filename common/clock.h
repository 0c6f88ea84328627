/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Times: RFC 3339 in UTC as protobuf's Timestamp has it, and a clock for deadlines.
 *
 *     char now[FL_CLOCK_TEXT];
 *     fl_clock_print_now(now);                       // 2026-01-02T03:04:05.678901Z
 *     int64_t end = fl_clock_ms() + timeout_ms;
 */
#pragma once

#include <stdint.h>

#define FL_CLOCK_TEXT 32

void fl_clock_print_now(char text[static FL_CLOCK_TEXT]);

/* Microseconds and milliseconds that only grow (CLOCK_MONOTONIC). */
int64_t fl_clock_us(void);
int64_t fl_clock_ms(void);

/* Seconds since 1970 of such a text; 0 when it is none. */
int64_t fl_clock_parse(const char *text);
