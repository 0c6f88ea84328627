/* SPDX-License-Identifier: MPL-2.0 */
#include "common/places.h"

#include <string.h>

bool fl_place_is_known(const char *word)
{
	static const char *const words[] = { "auto", "thin", "qcow2", "file", NULL };
	const char *const *one = words;

	while (*one && strcmp(*one, word) != 0)
		one++;
	return *one;
}
