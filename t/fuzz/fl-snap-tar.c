/* SPDX-License-Identifier: MPL-2.0 */
/* Two layers, one after the other in the input, applied, and a file looked for in the tree. */
#include "cmd/fl-snap/extract.h"
#include "t/fuzz/input.h"

/* The first layer ends where two blocks of zeros do; without them it has half of the blocks. */
static size_t end_of_first(const uint8_t *data, size_t size)
{
	static const uint8_t zeros[1024];

	for (size_t at = 0; at + 1024 <= size; at += 512)
		if (memcmp(data + at, zeros, 1024) == 0)
			return at + 1024;
	return size / 1024 * 512;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t first = end_of_first(data, size);
	uint8_t *low = fuzz_tar(data, first), *high = fuzz_tar(data + first, size - first);
	struct fuzz_file files[] = { fuzz_file(low, first), fuzz_file(high, size - first) };
	struct fl_base_layer layers[] = { { files[0].path, NULL }, { files[1].path, NULL } };
	struct fl_base_options options = { .max_bytes = 64 << 20, .max_entries = 10000 };
	int out = memfd_create("out", MFD_CLOEXEC);

	fl_extract_file(layers, 2, "a/b", out, &options, NULL);
	close(out);
	close(files[0].fd);
	close(files[1].fd);
	free(low);
	free(high);
	return 0;
}
