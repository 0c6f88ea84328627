/* SPDX-License-Identifier: MPL-2.0 */
/* Runs a fuzz target once over each file named, in place of a fuzzer. */
#include "t/fuzz/fuzz.h"

#include <stdio.h>

static int replay(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		fprintf(stderr, "%s: cannot be opened\n", path);
		return 1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	return failed || argc < 2;
}
