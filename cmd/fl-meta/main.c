/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-meta/config.h"
#include "cmd/fl-meta/disk.h"
#include "cmd/fl-meta/ignition.h"
#include "cmd/fl-meta/parts.h"
#include "cmd/fl-meta/seed.h"
#include "cmd/fl-meta/service.h"
#include "common/io.h"
#include "common/path.h"
#include "common/step.h"

#include <fcntl.h>

#define SEED "cloud-init.img"
#define IGNITION "ignition.json"
#define CONFIG_DRIVE "ignition.img"
#define SERVICE "metadata.json"

/* All that a microVM is told, and where on the host that stands. */
struct told {
	struct fl_seed seed;
	struct fl_str ignition, service;
	bool has_fw_cfg;
	enum fl_disk_format format; /* of the disks */
};

static void told_finish(struct told *told)
{
	fl_seed_finish(&told->seed);
	fl_str_finish(&told->ignition);
	fl_str_finish(&told->service);
}
#define cleanup_told FL_CLEANUP(told_finish)

/* Said now, or by whoever made the record. */
static int find_format(const struct fl_args *args, const fl_json *record, enum fl_disk_format *format,
		       struct fl_err *err)
{
	const char *text = fl_args_text(args, "seed-format",
					fl_json_text(fl_json_at(record, "host.seed.format")));

	*format = FL_DISK_VFAT;
	return text ? fl_disk_format_of(text, format, err) : 0;
}

static int compose(const struct fl_step_call *call, struct told *told, struct fl_err *err)
{
	const struct fl_provider *provider = fl_step_provider(call);

	told->has_fw_cfg = provider && provider->fw_cfg;
	if (find_format(call->args, call->record, &told->format, err) < 0 ||
	    fl_seed_compose(call->record, &call->spec, &told->seed, err) < 0 ||
	    fl_ignition_read(&call->spec, &told->ignition, err) < 0)
		return -1;
	if (!call->spec.asked.metadata_service)
		return 0;
	return fl_service_document(&call->spec, &told->seed, &told->ignition, &told->service, err);
}

static int write_seed(const struct fl_vm *vm, const struct told *told, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;

	if (fl_atomic_open(&file, vm->dirfd, SEED, 0600, err) < 0)
		return -1;
	return fl_seed_write(&file, &told->seed, told->format, err);
}

static int write_ignition(const struct fl_vm *vm, const struct told *told, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;

	if (told->has_fw_cfg)
		return fl_atomic_write(vm->dirfd, IGNITION, 0600, told->ignition.data,
				       told->ignition.len, false, err);
	if (fl_atomic_open(&file, vm->dirfd, CONFIG_DRIVE, 0600, err) < 0)
		return -1;
	return fl_ignition_write_drive(&file, &told->ignition, told->format, err);
}

static void put_path(fl_json *made, const char *key, const struct fl_vm *vm, const char *name)
{
	fl_cleanup_free char *path = fl_asprintf("%s/%s", vm->path, name);

	fl_json_set(made, key, fl_json_new_text(path));
}

static int write_all(const struct fl_vm *vm, const struct told *told, fl_json *made,
		     struct fl_err *err)
{
	if (write_seed(vm, told, err) < 0)
		return -1;
	put_path(made, "path", vm, SEED);
	fl_json_set(made, "format", fl_json_new_text(fl_disk_format_name(told->format)));
	if (told->ignition.len && write_ignition(vm, told, err) < 0)
		return -1;
	if (told->ignition.len)
		put_path(made, "ignition", vm, told->has_fw_cfg ? IGNITION : CONFIG_DRIVE);
	if (told->service.len && fl_atomic_write(vm->dirfd, SERVICE, 0600, told->service.data,
						 told->service.len, false, err) < 0)
		return -1;
	if (told->service.len)
		put_path(made, "service", vm, SERVICE);
	return 0;
}

static int step_up(struct fl_step_call *call, struct fl_err *err)
{
	cleanup_told struct told told = { 0 };
	fl_json *made;

	/* A running guest has the seed open as it was. */
	if (fl_vm_is_supervised(call->vm))
		return 0;
	if (compose(call, &told, err) < 0)
		return -1;
	made = fl_json_new_object();
	if (write_all(call->vm, &told, made, err) < 0) {
		fl_json_unref(made);
		return -1;
	}
	return fl_vm_put(call->vm, "host.seed", made, err);
}

static int step_down(struct fl_step_call *call, struct fl_err *err)
{
	static const char *const names[] = { SEED, IGNITION, CONFIG_DRIVE, SERVICE };

	for (size_t i = 0; i < FL_COUNT(names); i++)
		if (unlinkat(call->vm->dirfd, names[i], 0) < 0 && errno != ENOENT)
			return fl_err_errno(err, errno, "%s/%s: cannot be removed", call->vm->path,
					    names[i]);
	return 0;
}

/* Metadata may be secret, and vendor-data is parts for machines: whole only when it is asked for. */
static void plan_file(const struct fl_step_call *call, const char *name, const struct fl_str *text,
		      bool is_shown, struct fl_str *out)
{
	const char *content = text->data ? text->data : "";

	if (is_shown || fl_args_flag(call->args, "with-metadata"))
		fl_str_addf(out, "# %s:\n%s%s", name, content, fl_str_ends(content, "\n") ? "" : "\n");
	else
		fl_str_addf(out, "# %s: %zu bytes (--with-metadata shows them)\n", name, text->len);
}

static int step_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err)
{
	cleanup_told struct told told = { 0 };

	if (compose(call, &told, err) < 0)
		return -1;
	fl_str_addf(out, "# %s/" SEED ", %s, label " FL_SEED_LABEL ", holds:\n", call->vm->path,
		    fl_disk_format_name(told.format));
	if (call->spec.interface_count && !fl_json_at(call->record, "host.network"))
		fl_str_add(out, "# (of addresses that fl-net hands out nothing is known yet: DHCP stands for them)\n");
	for (int i = 0; i < FL_SEED_FILES; i++)
		if (told.seed.text[i].len)
			plan_file(call, fl_seed_names[i], &told.seed.text[i],
				  i != FL_SEED_USER && i != FL_SEED_VENDOR, out);
	if (told.ignition.len)
		plan_file(call, told.has_fw_cfg ? IGNITION : CONFIG_DRIVE, &told.ignition, false, out);
	if (told.service.len)
		plan_file(call, SERVICE, &told.service, false, out);
	return 0;
}

static const struct fl_step step = {
	.name = "meta", .up = step_up, .down = step_down, .plan = step_plan, .claims = true
};

static int run_up(struct fl_args *args, struct fl_err *err)
{
	enum fl_disk_format format;

	if (find_format(args, NULL, &format, err) < 0)
		return -1;
	return fl_step_up(&step, args, err);
}

static int run_down(struct fl_args *args, struct fl_err *err)
{
	return fl_step_down(&step, args, err);
}

static int read_files(struct fl_args *args, struct fl_seed *seed, struct fl_err *err)
{
	for (int i = 0; i < FL_SEED_FILES; i++) {
		const char *from = fl_args_text(args, fl_seed_names[i], NULL);

		fl_str_add(&seed->text[i], "");
		if (from && fl_io_read_file(AT_FDCWD, from, FL_DISK_MOST, &seed->text[i], err) < 0)
			return -1;
	}
	return 0;
}

static int run_seed(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_seed struct fl_seed seed = { 0 };
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;
	enum fl_disk_format format;

	if (find_format(args, NULL, &format, err) < 0 || read_files(args, &seed, err) < 0 ||
	    fl_atomic_open_path(&file, args->operands.items[0], 0644, err) < 0)
		return -1;
	return fl_seed_write(&file, &seed, format, err);
}

static int run_mmds(struct fl_args *args, struct fl_err *err)
{
	static const struct fl_str none = FL_STR_INIT;
	fl_cleanup_seed struct fl_seed seed = { 0 };
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	if (read_files(args, &seed, err) < 0 ||
	    fl_service_document(&(struct fl_spec){ 0 }, &seed, &none, &out, err) < 0)
		return -1;
	return fl_cli_print(out.data, out.len, err);
}

static int run_user_data(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_str struct fl_str out = FL_STR_INIT, config = FL_STR_INIT;
	int any = fl_config_write(args, &config, err);

	if (any < 0)
		return -1;
	if (!any && !args->operands.count)
		return fl_err_set(err, FL_ERR_USAGE, "name files, or say by options what the guest is to be");
	if (!args->operands.count)
		return fl_cli_print(config.data, config.len, err);
	fl_parts_begin(&out);
	if (any)
		fl_parts_add(&out, "options", &config);
	for (size_t i = 0; i < args->operands.count; i++) {
		const char *path = args->operands.items[i];
		fl_cleanup_str struct fl_str text = FL_STR_INIT;

		if (fl_io_read_file(AT_FDCWD, path, FL_DISK_MOST, &text, err) < 0)
			return -1;
		fl_parts_add(&out, fl_path_last(path), &text);
	}
	fl_parts_end(&out);
	return fl_cli_print(out.data, out.len, err);
}

#define SEED_FORMAT { "seed-format", 0, "vfat|iso9660", "the seed disk's (vfat)" }

static const struct fl_option up_options[] = { FL_STEP_UP_OPTIONS, SEED_FORMAT, { 0 } };
static const struct fl_option down_options[] = { FL_STEP_DOWN_OPTIONS, { 0 } };
#define FILES \
	{ "user-data", 0, "FILE", "cloud-init's user-data" }, \
	{ "meta-data", 0, "FILE", "cloud-init's meta-data" }, \
	{ "vendor-data", 0, "FILE", "cloud-init's vendor-data" }, \
	{ "network-config", 0, "FILE", "cloud-init's network configuration" }

static const struct fl_option seed_options[] = { FILES, SEED_FORMAT, { 0 } };
static const struct fl_option config_options[] = { FL_CONFIG_OPTIONS, { 0 } };
static const struct fl_option mmds_options[] = { FILES, { 0 } };

static const struct fl_command commands[] = {
	{ "up", "[FILE…]", "make the seed disks of specs or records", up_options, 0, -1, run_up },
	{ "down", "[NAMESPACE/NAME|UID…]", "remove them", down_options, 0, -1, run_down },
	{ "seed", "IMAGE", "write a seed disk from files", seed_options, 1, 1, run_seed },
	{ "mmds", "", "print the files as Firecracker's metadata service has them", mmds_options, 0,
	  0, run_mmds },
	{ "user-data", "[FILE…]", "write user-data out of options, join files into one, or both",
	  config_options, 0, -1, run_user_data },
	{ 0 },
};

static const struct fl_program program = { "fl-meta", "cloud-init and Ignition data of microVMs", commands,
					   NULL };

int main(int argc, char **argv)
{
	return fl_cli_main(&program, argc, argv);
}
