/* SPDX-License-Identifier: MPL-2.0 */
/* The file system of a layer: whatever is in it, what was written can be opened again. */
#include "cmd/fl-snap/base.h"
#include "cmd/fl-snap/uuid.h"
#include "t/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t uuid[16] = { 1 };
	uint8_t *tar = fuzz_tar(data, size);
	struct fuzz_file file = fuzz_file(tar, size);
	struct fl_base_layer layer = { file.path, NULL };
	struct fl_base_options options = { .size = 8 << 20, .threads = 1, .max_bytes = 64 << 20,
					   .max_entries = 10000 };
	struct fl_base_result result;
	int out = memfd_create("out", MFD_CLOEXEC);

	if (fl_base_build(out, "out", &layer, 1, &options, &result, NULL) == 0)
		MUST(fl_ext4_set_uuid(out, "out", uuid, NULL) == 0);
	close(out);
	close(file.fd);
	free(tar);
	return 0;
}
