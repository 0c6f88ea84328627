/* SPDX-License-Identifier: MPL-2.0 */
/* The distance is that of Damerau and Levenshtein, in its form for strings' alignment. */
#include "common/alike.h"

#include <string.h>

#define LONGEST 40
#define BEGINNING 4 /* letters */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned cost[LONGEST + 1][LONGEST + 1];

	for (size_t i = 0; i <= a_len; i++) {
		for (size_t k = 0; k <= b_len; k++) {
			bool turned = i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1];

			if (!i || !k) {
				cost[i][k] = (unsigned)(i + k);
				continue;
			}
			cost[i][k] = least(least(cost[i - 1][k], cost[i][k - 1]) + 1,
					  cost[i - 1][k - 1] + (a[i - 1] != b[k - 1]));
			if (turned)
				cost[i][k] = least(cost[i][k], cost[i - 2][k - 2] + 1);
		}
	}
	return cost[a_len][b_len];
}

void fl_alike_try(struct fl_alike *alike, const char *name)
{
	size_t a = strlen(alike->written), b = strlen(name);
	bool is_short = a < BEGINNING || b < BEGINNING;
	bool begins = !is_short && strncmp(alike->written, name, BEGINNING) == 0;
	unsigned far;

	if (!a || a > LONGEST || !b || b > LONGEST)
		return;
	far = distance(alike->written, a, name, b);
	if ((!begins && far > (is_short ? 1 : 2)) || (alike->nearest && far >= alike->distance))
		return;
	alike->nearest = name;
	alike->distance = far;
}
