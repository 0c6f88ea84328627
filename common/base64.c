/* SPDX-License-Identifier: MPL-2.0 */
#include "common/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* Four characters to up to three bytes; how many, or -1. Padding is told by the caller. */
static int decode_four(const char *text, int padding, unsigned char out[3])
{
	uint32_t bits = 0;

	for (int i = 0; i < 4; i++) {
		int value = i < 4 - padding ? value_of(text[i]) : 0;
		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
	}
	out[0] = bits >> 16;
	out[1] = bits >> 8;
	out[2] = bits;
	for (int i = 3 - padding; i < 3; i++)
		if (out[i])
			return -1;
	return 3 - padding;
}

bool fl_base64_decode(const char *text, struct fl_str *bytes)
{
	size_t len = strlen(text), before = bytes->len;

	if (len % 4)
		return false;
	fl_str_reserve(bytes, len / 4 * 3);
	for (size_t i = 0; i < len; i += 4) {
		unsigned char out[3];
		int padding = 0, size;

		if (i + 4 == len)
			padding = (text[len - 1] == '=') + (text[len - 2] == '=');
		size = padding == 1 && text[len - 1] != '=' ? -1
							    : decode_four(text + i, padding, out);
		if (size < 0) {
			bytes->len = before;
			return false;
		}
		fl_str_add_bytes(bytes, out, (size_t)size);
	}
	return true;
}

void fl_base64_encode(const void *data, size_t size, struct fl_str *text)
{
	const unsigned char *in = data;

	fl_str_reserve(text, (size + 2) / 3 * 4);
	for (size_t i = 0; i < size; i += 3) {
		size_t have = size - i < 3 ? size - i : 3;
		uint32_t bits = (uint32_t)in[i] << 16;
		char four[4];

		bits |= have > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		bits |= have > 2 ? in[i + 2] : 0;
		for (int k = 0; k < 4; k++)
			four[k] = k <= (int)have ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
		fl_str_add_bytes(text, four, 4);
	}
}
