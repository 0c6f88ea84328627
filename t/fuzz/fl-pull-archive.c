/* SPDX-License-Identifier: MPL-2.0 */
/* An OCI or docker archive: its tar, its index, where its blobs are. */
#include "cmd/fl-pull/layout.h"
#include "t/fuzz/input.h"

/* Nothing of a blob lies outside of the archive. */
static void look_at_blob(const struct fl_layout *layout, const char *name, size_t archive)
{
	struct fl_span span = { .fd = -1 };

	if (!fl_str_starts(name, "blobs/sha256/") || strlen(name) != 13 + 64)
		return;
	if (fl_layout_open_blob(layout, name + 6, &span, NULL) < 0)
		return;
	MUST(span.offset <= archive && span.size <= archive - span.offset);
	close(span.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *tar = fuzz_tar(data, size);
	struct fuzz_file file = fuzz_file(tar, size);

	for (int is_docker = 0; is_docker <= 1; is_docker++) {
		fl_cleanup_layout struct fl_layout layout = FL_LAYOUT_INIT;
		fl_cleanup_str struct fl_str text = FL_STR_INIT;

		if (fl_layout_open_archive(&layout, file.path, is_docker, NULL, NULL) < 0)
			continue;
		fl_layout_read(&layout, "index.json", &text, NULL);
		for (size_t i = 0; i < layout.tar.members.count; i++)
			look_at_blob(&layout, layout.tar.members.items[i].name, size);
	}
	close(file.fd);
	free(tar);
	return 0;
}
