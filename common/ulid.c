/* SPDX-License-Identifier: MPL-2.0 */
#include "common/ulid.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void fl_ulid_new(char text[static FL_ULID_TEXT])
{
	uint8_t random[16];
	struct timespec now;
	uint64_t ms;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		abort();
	clock_gettime(CLOCK_REALTIME, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	for (int i = 9; i >= 0; i--, ms >>= 5)
		text[i] = alphabet[ms & 31];
	for (int i = 0; i < 16; i++)
		text[10 + i] = alphabet[random[i] & 31];
	text[26] = 0;
}

void fl_ulid_imagine(const unsigned char bytes[static 16], char text[static FL_ULID_TEXT])
{
	memset(text, alphabet[0], 10);
	for (int i = 0; i < 16; i++)
		text[10 + i] = alphabet[bytes[i] & 31];
	text[26] = 0;
}

bool fl_ulid_is_valid(const char *text)
{
	return strlen(text) == 26 && strspn(text, alphabet) == 26 && text[0] <= '7';
}
