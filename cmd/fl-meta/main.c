/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-meta/fat.h"
#include "cmd/fl-meta/parts.h"
#include "common/atomic.h"
#include "common/base64.h"
#include "common/io.h"
#include "common/path.h"
#include "common/step.h"

#include <fcntl.h>
#include <string.h>

#define SEED "cloud-init.img"
#define LABEL "CIDATA"

enum { META, USER, VENDOR, NETWORK, FILES };

static const char *const names[FILES] = { "meta-data", "user-data", "vendor-data",
					  "network-config" };

struct seed {
	struct fl_str text[FILES];
};

static void seed_finish(struct seed *seed)
{
	for (int i = 0; i < FILES; i++)
		fl_str_finish(&seed->text[i]);
}

/* The bytes of a metadata value; validation has seen that it is base 64. */
static void decode(const struct fl_spec *spec, const char *key, struct fl_str *out)
{
	const char *text = fl_json_text(fl_json_get(spec->metadata, key));

	fl_str_add(out, "");
	if (text)
		fl_base64_decode(text, out);
}

static int compose(const fl_json *record, const struct fl_spec *spec, struct seed *seed,
		   struct fl_err *err)
{
	fl_cleanup_str struct fl_str meta = FL_STR_INIT, vendor = FL_STR_INIT;
	const fl_json *wanted = fl_json_at(record, "spec.kernel.add_network_config");

	decode(spec, names[META], &meta);
	decode(spec, names[VENDOR], &vendor);
	decode(spec, names[USER], &seed->text[USER]);
	decode(spec, names[NETWORK], &seed->text[NETWORK]);
	if (!fl_json_get(spec->metadata, names[NETWORK]) && (!wanted || fl_json_bool(wanted)))
		fl_parts_network(record, spec, &seed->text[NETWORK]);
	fl_parts_vendor(record, spec, &vendor, &seed->text[VENDOR]);
	return fl_parts_meta_data(spec, &meta, &seed->text[META], err);
}

/* Into a file that is open for writing aside; publishes it. */
static int write_seed(struct fl_atomic *file, const struct seed *seed, struct fl_err *err)
{
	struct fl_fat_file files[FILES];
	size_t count = 0;

	for (int i = 0; i < FILES; i++)
		if (seed->text[i].len || i == META || i == USER)
			files[count++] = (struct fl_fat_file){ names[i], seed->text[i].data,
							       seed->text[i].len };
	if (fl_fat_write(file->fd, file->name, LABEL, files, count, err) < 0)
		return -1;
	return fl_atomic_publish(file, false, err);
}

static int step_up(struct fl_step_call *call, struct fl_err *err)
{
	struct seed seed = { 0 };
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	fl_cleanup_free char *path = fl_asprintf("%s/" SEED, call->vm->path);
	int rc;

	/* A running guest has the seed open as it was. */
	if (fl_vm_is_supervised(call->vm))
		return 0;
	rc = compose(call->record, &call->spec, &seed, err);
	if (rc == 0)
		rc = fl_atomic_open(&file, call->vm->dirfd, SEED, 0600, err);
	if (rc == 0)
		rc = write_seed(&file, &seed, err);
	seed_finish(&seed);
	return rc < 0 ? -1 : fl_vm_put(call->vm, "host.seed.path", fl_json_new_text(path), err);
}

static int step_down(struct fl_step_call *call, struct fl_err *err)
{
	if (unlinkat(call->vm->dirfd, SEED, 0) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s/" SEED ": cannot be removed", call->vm->path);
	return 0;
}

static int step_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err)
{
	struct seed seed = { 0 };
	int rc = compose(call->record, &call->spec, &seed, err);

	fl_str_addf(out, "# %s/" SEED ", label " LABEL ", holds:\n", call->vm->path);
	for (int i = 0; rc == 0 && i < FILES; i++)
		/* user-data may hold secrets: its size tells enough here. */
		if (i == USER || (i == VENDOR && seed.text[i].len > 4096))
			fl_str_addf(out, "# %s: %zu bytes\n", names[i], seed.text[i].len);
		else
			fl_str_addf(out, "# %s:\n%s", names[i],
				    seed.text[i].data ? seed.text[i].data : "");
	seed_finish(&seed);
	return rc;
}

static const struct fl_step step = {
	.name = "meta", .up = step_up, .down = step_down, .plan = step_plan, .claims = true
};

static int run_up(struct fl_args *args, struct fl_err *err)
{
	return fl_step_up(&step, args, err);
}

static int run_down(struct fl_args *args, struct fl_err *err)
{
	return fl_step_down(&step, args, err);
}

static int run_seed(struct fl_args *args, struct fl_err *err)
{
	struct seed seed = { 0 };
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	int rc = 0;

	for (int i = 0; rc == 0 && i < FILES; i++) {
		const char *from = fl_args_text(args, names[i], NULL);

		fl_str_add(&seed.text[i], "");
		if (from)
			rc = fl_io_read_file(AT_FDCWD, from, FL_FAT_MOST, &seed.text[i], err);
	}
	if (rc == 0)
		rc = fl_atomic_open_path(&file, args->operands.items[0], 0644, err);
	if (rc == 0)
		rc = write_seed(&file, &seed, err);
	seed_finish(&seed);
	return rc;
}

static const struct fl_option up_options[] = { FL_STEP_UP_OPTIONS, { 0 } };
static const struct fl_option down_options[] = { FL_STEP_DOWN_OPTIONS, { 0 } };
static const struct fl_option seed_options[] = {
	{ "user-data", 0, "FILE", "cloud-init's user-data" },
	{ "meta-data", 0, "FILE", "cloud-init's meta-data" },
	{ "vendor-data", 0, "FILE", "cloud-init's vendor-data" },
	{ "network-config", 0, "FILE", "cloud-init's network configuration" },
	{ 0 },
};

static const struct fl_command commands[] = {
	{ "up", "[FILE…]", "make the seed disks of specs or records", up_options, 0, -1, run_up },
	{ "down", "[NAMESPACE/NAME|UID…]", "remove them", down_options, 0, -1, run_down },
	{ "seed", "IMAGE", "write a seed disk from files", seed_options, 1, 1, run_seed },
	{ 0 },
};

static const struct fl_program program = { "fl-meta", "cloud-init data on a seed disk", commands,
					   NULL };

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
