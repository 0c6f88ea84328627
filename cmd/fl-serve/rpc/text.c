/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/rpc/text.h"

#include "common/base64.h"

#include <string.h>

#define LONGEST_MESSAGE 4096

void fl_grpc_add_percent(const char *text, struct fl_str *out)
{
	size_t count = 0;

	for (; *text && count < LONGEST_MESSAGE; text++, count++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20 || byte > 0x7e || byte == '%')
			fl_str_addf(out, "%%%02X", byte);
		else
			fl_str_add_bytes(out, text, 1);
	}
}

bool fl_grpc_parse_timeout(const char *text, int64_t *milliseconds)
{
	static const char units[] = "HMSmun";
	static const int64_t nanoseconds[] = { 3600000000000, 60000000000, 1000000000, 1000000,
					       1000, 1 };
	int64_t value = 0;
	const char *unit;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 8 || !text[digits] || text[digits + 1])
		return false;
	unit = strchr(units, text[digits]);
	if (!unit)
		return false;
	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (text[i] - '0');
	/* At most 10^8 hours, which fits in milliseconds and not in nanoseconds. */
	if (nanoseconds[unit - units] >= 1000000)
		*milliseconds = value * (nanoseconds[unit - units] / 1000000);
	else
		*milliseconds = (value * nanoseconds[unit - units] + 999999) / 1000000;
	return true;
}

void fl_grpc_add_binary(const struct fl_str *bytes, struct fl_str *out)
{
	fl_base64_encode(bytes->data, bytes->len, out);
	while (out->len && out->data[out->len - 1] == '=')
		out->data[--out->len] = 0;
}
