/* SPDX-License-Identifier: MPL-2.0 */
/* A manifest and a config, with a zero byte between them, in a store. */
#include "common/image.h"
#include "common/path.h"
#include "t/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static struct fl_store store = { .dirfd = -1, .blobs = -1 };
static char folder[] = "/dev/shm/fl-fuzz-XXXXXX";

static void clean(void)
{
	fl_store_close(&store);
	fl_path_remove_tree(AT_FDCWD, folder, NULL);
}

static void open_store(void)
{
	if (store.dirfd >= 0)
		return;
	MUST(mkdtemp(folder) && fl_store_open(&store, folder, true, NULL) == 0);
	atexit(clean);
}

/* The manifest names the config that comes with it. */
static void put(const uint8_t *data, size_t size, const uint8_t *config, size_t config_size,
		char digest[static FL_DIGEST_TEXT], char config_digest[static FL_DIGEST_TEXT])
{
	fl_cleanup_json fl_json *manifest = fl_json_parse((const char *)data, size, "input", NULL);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	MUST(fl_store_put(&store, config, config_size, config_digest, NULL) == 0);
	if (fl_json_is_object(fl_json_get(manifest, "config"))) {
		fl_json_put(manifest, "config.digest", fl_json_new_text(config_digest));
		fl_json_print(manifest, false, &text);
	} else {
		fl_str_add_bytes(&text, data, size);
	}
	MUST(fl_store_put(&store, text.data ? text.data : "", text.len, digest, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
	size_t first = zero ? (size_t)(zero - data) : size;
	char digest[FL_DIGEST_TEXT], config[FL_DIGEST_TEXT];
	struct fl_image image;

	open_store();
	put(data, first, zero ? zero + 1 : data, zero ? size - first - 1 : 0, digest, config);
	if (fl_image_load(&store, digest, &image, NULL) == 0) {
		fl_cleanup_json fl_json *platform = fl_image_platform(&image);

		for (size_t i = 0; i < image.layer_count; i++)
			MUST(fl_digest_is_valid(image.layers[i].digest) &&
			     fl_digest_is_valid(image.layers[i].diff_id));
		MUST(platform && fl_digest_is_valid(image.chain_id));
		fl_image_finish(&image);
	}
	unlinkat(store.blobs, fl_digest_hex(digest), 0);
	unlinkat(store.blobs, fl_digest_hex(config), 0);
	return 0;
}
