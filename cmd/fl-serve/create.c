/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/create.h"

#include "cmd/fl-serve/details.h"
#include "cmd/fl-serve/rpc/call.h"
#include "cmd/fl-serve/vms/outcome.h"
#include "common/alloc.h"
#include "common/base64.h"
#include "common/path.h"
#include "common/provider.h"
#include "common/reference.h"
#include "common/yaml.h"

#include <inttypes.h>
#include <string.h>

static fl_json *refuse(struct fl_refusal *refusal, const struct fl_err *err)
{
	refusal->code = fl_err_grpc_status(err->kind);
	refusal->err = *err;
	return NULL;
}

/* Blanks around an image's name, and control characters in it, come from templates. */
static void clean_image(fl_json *holder, const char *key)
{
	const char *text = fl_json_text(fl_json_get(holder, key));
	fl_cleanup_str struct fl_str clean = FL_STR_INIT;

	if (!text)
		return;
	for (; *text; text++)
		if ((unsigned char)*text > 0x20 && *text != 0x7f)
			fl_str_add_bytes(&clean, text, 1);
	fl_json_set(holder, key, fl_json_new_text(clean.data ? clean.data : ""));
}

static void clean_images(fl_json *spec)
{
	const fl_json *volumes = fl_json_get(spec, "additional_volumes");

	clean_image(fl_json_get(spec, "kernel"), "image");
	clean_image(fl_json_get(spec, "initrd"), "image");
	clean_image(fl_json_at(spec, "root_volume.source"), "container_source");
	for (size_t i = 0; i < fl_json_count(volumes); i++)
		clean_image(fl_json_get(fl_json_item(volumes, i), "source"), "container_source");
}

/* What only the server sets is not taken from a client. */
static void drop_ours(fl_json *spec)
{
	static const char *const ours[] = { "uid", "created_at", "updated_at", "deleted_at" };

	for (size_t i = 0; i < FL_COUNT(ours); i++)
		fl_json_put(spec, ours[i], NULL);
}

static void violate(fl_json *violations, const char *path, const char *text)
{
	fl_json *one = fl_json_new_object();

	fl_json_set(one, "path", fl_json_new_text(path));
	fl_json_set(one, "text", fl_json_new_text(text));
	fl_json_add(violations, one);
}

/* NULL: nothing is wrong there. */
static fl_json *violation_of(const fl_json *violations, const char *path)
{
	for (size_t i = 0; i < fl_json_count(violations); i++)
		if (fl_str_equal(fl_json_text(fl_json_get(fl_json_item(violations, i), "path")), path))
			return fl_json_item(violations, i);
	return NULL;
}

/* A bound of flintlock's API that is narrower than the toolkit's, which is not told as well. */
static void check_api(const fl_json *spec, fl_json *violations)
{
	int64_t memory = fl_json_int(fl_json_get(spec, "memory_in_mb"));
	fl_cleanup_free char *text = fl_asprintf("%" PRId64 " is not between 1024 and 32768", memory);
	fl_json *other = violation_of(violations, "memory_in_mb");

	if (memory >= 1024 && memory <= 32768)
		return;
	if (other)
		fl_json_set(other, "text", fl_json_new_text(text));
	else
		violate(violations, "memory_in_mb", text);
}

/* A layout or an archive would tell what there is on the host. */
static void check_image(const struct fl_server *server, const char *path, const char *image,
			fl_json *violations)
{
	fl_cleanup_reference struct fl_reference reference = { 0 };
	const char *file;

	if (!image || fl_reference_parse(image, &reference, NULL) < 0)
		return;
	file = reference.folder ? reference.folder : reference.archive;
	if (file && !fl_path_is_under(file, server->config->image_roots))
		violate(violations, path, "images in files of this host are not for clients; use one of a "
			"registry, or start the server with --image-roots");
}

/* Who calls from elsewhere has no files here. */
static void check_files(const struct fl_server *server, const struct fl_spec *view, fl_json *violations)
{
	check_image(server, "kernel.image", view->kernel_image, violations);
	check_image(server, "initrd.image", view->initrd_image, violations);
	for (size_t i = 0; i < view->volume_count; i++) {
		fl_cleanup_free char *volume = fl_spec_volume_path(view, i);
		fl_cleanup_free char *path = fl_asprintf("%s.source", volume);

		check_image(server, path, view->volumes[i].image, violations);
		if (view->volumes[i].file)
			violate(violations, path, "files of the host are not for clients; use an image");
	}
}

/* What this host was not given. */
static void check_host(const struct fl_server *server, const fl_json *spec, fl_json *violations)
{
	fl_cleanup_spec struct fl_spec view = fl_spec_view(spec);

	check_files(server, &view, violations);
	for (size_t i = 0; i < view.interface_count && !server->config->parent; i++) {
		fl_cleanup_free char *path = fl_asprintf("interfaces[%zu]", i);

		if (view.interfaces[i].type != FL_INTERFACE_MACVTAP)
			continue;
		violate(violations, path, "macvtap network interfaces not supported by this host: "
			"it has no link for them; start the server with --parent-iface LINK, or set "
			"the interface's type to TAP");
		fl_json_set(fl_json_item(violations, fl_json_count(violations) - 1), "capability",
			    fl_json_new_bool(true));
	}
}

static bool are_capabilities(const fl_json *violations)
{
	for (size_t i = 0; i < fl_json_count(violations); i++)
		if (!fl_json_get(fl_json_item(violations, i), "capability"))
			return false;
	return true;
}

static void add_all(const fl_json *violations, struct fl_str *text)
{
	for (size_t i = 0; i < fl_json_count(violations); i++) {
		const fl_json *one = fl_json_item(violations, i);

		fl_str_addf(text, "%s%s: %s", i ? "; " : "", fl_json_text(fl_json_get(one, "path")),
			    fl_json_text(fl_json_get(one, "text")));
	}
}

/* What no provider here can do is no mistake of the spec: another host may. */
static int check(const struct fl_server *server, const fl_json *spec,
		 struct fl_refusal *refusal)
{
	fl_cleanup_json fl_json *violations = fl_spec_violations(spec);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	check_api(spec, violations);
	if (fl_json_count(violations) == 0)
		check_host(server, spec, violations);
	if (fl_json_count(violations) == 0)
		return 0;
	if (are_capabilities(violations)) {
		fl_str_add(&text, "creating microvm: ");
		add_all(violations, &text);
		fl_err_set(&refusal->err, FL_ERR_UNSUPPORTED, "%s", text.data);
		refusal->code = fl_err_grpc_status(FL_ERR_UNSUPPORTED);
		fl_details_reason(refusal->code, refusal->err.text, "CAPABILITY", &refusal->details);
		return -1;
	}
	fl_str_add(&text, "creating microvm: an error occurred when attempting to validate microvm "
			  "spec: validation failures found: ");
	add_all(violations, &text);
	fl_err_set(&refusal->err, FL_ERR_INVALID, "%s", text.data);
	refusal->code = FL_RPC_INVALID_ARGUMENT;
	fl_details_bad_request(refusal->code, refusal->err.text, violations, &refusal->details);
	return -1;
}

/* Clients find themselves by meta-data's instance_id; one that they gave is kept. */
static int add_instance_id(fl_json *spec, struct fl_err *err)
{
	const char *uid = fl_json_text(fl_json_get(spec, "uid"));
	const char *sent = fl_json_text(fl_json_at(spec, "metadata.meta-data"));
	const struct fl_yaml_addition addition = { { "instance_id", "instance_id" }, "instance_id", uid };
	fl_cleanup_str struct fl_str text = FL_STR_INIT, whole = FL_STR_INIT, encoded = FL_STR_INIT;

	if (sent)
		fl_base64_decode(sent, &text);
	if (fl_yaml_complete(text.data ? text.data : "", text.len, "metadata.meta-data", &addition, 1,
			     &whole, err) < 0)
		return fl_err_prefix(err, "creating microvm: adding instance data");
	fl_base64_encode(whole.data, whole.len, &encoded);
	if (!fl_json_get(spec, "metadata"))
		fl_json_set(spec, "metadata", fl_json_new_object());
	fl_json_set(fl_json_get(spec, "metadata"), "meta-data", fl_json_new_text(encoded.data));
	return 0;
}

/* What the record says beside the spec: that this server brings it up, and how. */
static fl_json *host_of(const struct fl_server *server, const fl_json *spec, const char *request)
{
	const struct fl_config *config = server->config;
	fl_cleanup_spec struct fl_spec view = fl_spec_view(spec);
	const struct fl_provider *provider = fl_provider_choose(&view, config->provider);
	fl_json *host = fl_json_new_object();

	fl_json_set(host, "serve", fl_outcome_mark());
	fl_json_set(host, "request", fl_json_new_text(request));
	fl_json_set(host, "restart", fl_json_new_text("always"));
	if (config->bridge)
		fl_json_set(host, "bridge", fl_json_new_text(config->bridge));
	if (config->parent)
		fl_json_set(host, "parent", fl_json_new_text(config->parent));
	if (provider)
		fl_json_set(host, "provider", fl_json_new_text(provider->name));
	return host;
}

static fl_json *save(struct fl_server *server, fl_json *spec, const char *request,
		     struct fl_refusal *refusal)
{
	fl_cleanup_json fl_json *host = host_of(server, spec, request);
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	char uid[FL_ULID_TEXT];
	struct fl_err err = { 0 };
	fl_json *record;

	fl_ulid_new(uid);
	fl_json_set(spec, "uid", fl_json_new_text(uid));
	if (add_instance_id(spec, &err) < 0)
		return refuse(refusal, &err);
	if (fl_vm_create(&server->state, spec, host, &vm, &err) < 0) {
		fl_err_prefix(&err, "creating microvm");
		return refuse(refusal, &err);
	}
	record = fl_vm_load(&vm, &err);
	return record ? record : refuse(refusal, &err);
}

fl_json *fl_create(struct fl_server *server, const fl_json *sent, const char *request,
		   struct fl_refusal *refusal)
{
	fl_cleanup_json fl_json *spec = NULL;
	struct fl_err err = { 0 };

	*refusal = (struct fl_refusal){ 0 };
	if (!sent) {
		fl_err_set(&err, FL_ERR_INVALID, "invalid create microvm request: MicroVMSpec required");
		return refuse(refusal, &err);
	}
	spec = fl_spec_read(sent, &err);
	if (!spec) {
		fl_err_prefix(&err, "creating microvm");
		return refuse(refusal, &err);
	}
	drop_ours(spec);
	clean_images(spec);
	return check(server, spec, refusal) < 0 ? NULL : save(server, spec, request, refusal);
}
