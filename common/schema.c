/* SPDX-License-Identifier: MPL-2.0 */
#include "common/schema.h"

#include "common/alike.h"
#include "common/alloc.h"
#include "common/num.h"

#include <ctype.h>
#include <string.h>

enum type { TEXT, INT32, BOOL, TIME, ENUM, MESSAGE, LIST, MAP, TEXT_LIST, TEXT_MAP, RAW };

struct message;

struct field {
	const char *name; /* proto name; the JSON name is made from it */
	enum type type;
	const struct message *message; /* of MESSAGE, LIST, MAP */
	const char *const *names;      /* of ENUM, by number, NULL at the end */
};

struct message {
	const struct field *fields; /* a NULL name at the end */
};

static const char *const interface_types[] = { "MACVTAP", "TAP", NULL };
static const char *const states[] = { "PENDING", "CREATED", "FAILED", "DELETING", NULL };
static const char *const mount_types[] = { "DEV", "HOSTPATH", NULL };

#define M(...) (&(const struct message){ (const struct field[]){ __VA_ARGS__, { 0 } } })

static const struct field volume_fields[] = {
	{ "id", TEXT, NULL, NULL },
	{ "is_read_only", BOOL, NULL, NULL },
	{ "mount_point", TEXT, NULL, NULL },
	{ "source", MESSAGE,
	  M({ "container_source", TEXT, NULL, NULL }, { "virtiofs_source", TEXT, NULL, NULL }), NULL },
	{ "partition_id", TEXT, NULL, NULL },
	{ "size_in_mb", INT32, NULL, NULL },
	{ 0 },
};
static const struct message volume = { volume_fields };

static const struct field kernel_fields[] = {
	{ "image", TEXT, NULL, NULL },
	{ "cmdline", TEXT_MAP, NULL, NULL },
	{ "filename", TEXT, NULL, NULL },
	{ "add_network_config", BOOL, NULL, NULL },
	{ 0 },
};
static const struct message kernel = { kernel_fields };

static const struct field initrd_fields[] = {
	{ "image", TEXT, NULL, NULL },
	{ "filename", TEXT, NULL, NULL },
	{ 0 },
};
static const struct message initrd = { initrd_fields };

static const struct field interface_fields[] = {
	{ "device_id", TEXT, NULL, NULL },
	{ "type", ENUM, NULL, interface_types },
	{ "guest_mac", TEXT, NULL, NULL },
	{ "address", MESSAGE,
	  M({ "address", TEXT, NULL, NULL }, { "gateway", TEXT, NULL, NULL },
	    { "nameservers", TEXT_LIST, NULL, NULL }), NULL },
	{ "overrides", MESSAGE, M({ "bridge_name", TEXT, NULL, NULL }), NULL },
	{ 0 },
};
static const struct message interface = { interface_fields };

static const struct field spec_fields[] = {
	{ "id", TEXT, NULL, NULL },
	{ "namespace", TEXT, NULL, NULL },
	{ "labels", TEXT_MAP, NULL, NULL },
	{ "vcpu", INT32, NULL, NULL },
	{ "memory_in_mb", INT32, NULL, NULL },
	{ "kernel", MESSAGE, &kernel, NULL },
	{ "initrd", MESSAGE, &initrd, NULL },
	{ "root_volume", MESSAGE, &volume, NULL },
	{ "additional_volumes", LIST, &volume, NULL },
	{ "interfaces", LIST, &interface, NULL },
	{ "metadata", TEXT_MAP, NULL, NULL },
	{ "created_at", TIME, NULL, NULL },
	{ "updated_at", TIME, NULL, NULL },
	{ "deleted_at", TIME, NULL, NULL },
	{ "uid", TEXT, NULL, NULL },
	{ "provider", TEXT, NULL, NULL },
	{ "allow_guest_agent", BOOL, NULL, NULL },
	{ 0 },
};
static const struct message spec = { spec_fields };

static const struct field mount_fields[] = {
	{ "type", ENUM, NULL, mount_types },
	{ "source", TEXT, NULL, NULL },
	{ 0 },
};
static const struct message mount = { mount_fields };

static const struct field status_fields[] = {
	{ "state", ENUM, NULL, states },
	{ "volumes", MAP, M({ "mount", MESSAGE, &mount, NULL }), NULL },
	{ "kernel_mount", MESSAGE, &mount, NULL },
	{ "initrd_mount", MESSAGE, &mount, NULL },
	{ "network_interfaces", MAP,
	  M({ "host_device_name", TEXT, NULL, NULL }, { "index", INT32, NULL, NULL },
	    { "mac_address", TEXT, NULL, NULL }), NULL },
	{ "retry", INT32, NULL, NULL },
	{ "vsock_path", TEXT, NULL, NULL },
	{ 0 },
};
static const struct message status = { status_fields };

static const struct field microvm_fields[] = {
	{ "version", INT32, NULL, NULL },
	{ "spec", MESSAGE, &spec, NULL },
	{ "status", MESSAGE, &status, NULL },
	{ "host", RAW, NULL, NULL },
	{ 0 },
};
static const struct message microvm = { microvm_fields };

/* Whether key is the field's proto name or its lowerCamelCase. */
static bool is_named(const struct field *field, const char *key)
{
	const char *name = field->name;

	if (strcmp(name, key) == 0)
		return true;
	for (; *name && *key; key++) {
		bool upper = *name == '_';

		name += upper;
		if (*key != (upper ? toupper((unsigned char)*name) : *name))
			return false;
		name++;
	}
	return !*name && !*key;
}

static int wrong(struct fl_err *err, const char *path, const char *want, const fl_json *got)
{
	return fl_err_set(err, FL_ERR_INVALID, "%s: must be %s, not %s", path, want,
			  fl_json_type_name(got));
}

static fl_json *take_number(const fl_json *in, const char *path, struct fl_err *err)
{
	int64_t value = fl_json_int(in);

	if (fl_json_is_text(in)) {
		if (fl_num_i64(fl_json_text(in), INT32_MIN, INT32_MAX, &value, err) == 0)
			return fl_json_new_int(value);
		fl_err_prefix(err, "%s", path);
		return NULL;
	}
	if (!fl_json_is_int(in)) {
		wrong(err, path, "a whole number", in);
		return NULL;
	}
	if (value >= INT32_MIN && value <= INT32_MAX)
		return fl_json_new_int(value);
	fl_err_set(err, FL_ERR_INVALID, "%s: %lld is out of range", path, (long long)value);
	return NULL;
}

static fl_json *take_enum(const struct field *field, const fl_json *in, const char *path,
			  struct fl_err *err)
{
	const char *name = fl_json_text(in);
	fl_cleanup_str struct fl_str known = FL_STR_INIT;

	for (int i = 0; field->names[i]; i++) {
		if (name ? strcmp(name, field->names[i]) == 0
			 : fl_json_is_int(in) && fl_json_int(in) == i)
			return fl_json_new_text(field->names[i]);
		fl_str_addf(&known, "%s%s", i ? ", " : "", field->names[i]);
	}
	if (name)
		fl_err_set(err, FL_ERR_INVALID, "%s: \"%s\" is unknown; known are %s", path, name,
			   known.data);
	else
		fl_err_set(err, FL_ERR_INVALID, "%s: unknown value; known are %s", path,
			   known.data);
	return NULL;
}

static fl_json *take_message(const struct message *message, const fl_json *in, const char *path,
			     struct fl_err *err);

static fl_json *take_text(const fl_json *in, const char *path, struct fl_err *err)
{
	if (fl_json_is_text(in))
		return fl_json_copy(in);
	wrong(err, path, "text", in);
	return NULL;
}

/* An item of a list or map: a message, or text where the field has no message. */
static fl_json *take_item(const struct field *field, const fl_json *in, const char *path,
			  struct fl_err *err)
{
	return field->message ? take_message(field->message, in, path, err)
			      : take_text(in, path, err);
}

static fl_json *take_list(const struct field *field, const fl_json *in, const char *path,
			  struct fl_err *err)
{
	fl_cleanup_json fl_json *out = fl_json_new_array();

	if (!fl_json_is_array(in)) {
		wrong(err, path, "a list", in);
		return NULL;
	}
	for (size_t i = 0; i < fl_json_count(in); i++) {
		fl_cleanup_free char *below = fl_asprintf("%s[%zu]", path, i);
		fl_json *item = take_item(field, fl_json_item(in, i), below, err);

		if (!item)
			return NULL;
		fl_json_add(out, item);
	}
	return fl_json_ref(out);
}

static fl_json *take_map(const struct field *field, const fl_json *in, const char *path,
			 struct fl_err *err)
{
	fl_cleanup_json fl_json *out = fl_json_new_object();

	if (!fl_json_is_object(in)) {
		wrong(err, path, "an object", in);
		return NULL;
	}
	for (void *i = fl_json_first(in); i; i = fl_json_next(in, i)) {
		fl_cleanup_free char *below = fl_asprintf("%s.%s", path, fl_json_key(i));
		fl_json *item = take_item(field, fl_json_value(i), below, err);

		if (!item)
			return NULL;
		fl_json_set(out, fl_json_key(i), item);
	}
	return fl_json_ref(out);
}

static fl_json *take(const struct field *field, const fl_json *in, const char *path,
		     struct fl_err *err)
{
	switch (field->type) {
	case TEXT:
	case TIME:
		return take_text(in, path, err);
	case INT32:
		return take_number(in, path, err);
	case BOOL:
		if (fl_json_is_bool(in))
			return fl_json_copy(in);
		wrong(err, path, "true or false", in);
		return NULL;
	case ENUM:
		return take_enum(field, in, path, err);
	case MESSAGE:
		return take_message(field->message, in, path, err);
	case LIST:
	case TEXT_LIST:
		return take_list(field, in, path, err);
	case MAP:
	case TEXT_MAP:
		return take_map(field, in, path, err);
	case RAW:
		break;
	}
	if (fl_json_is_object(in))
		return fl_json_copy(in);
	wrong(err, path, "an object", in);
	return NULL;
}

static int take_field(const struct field *field, const fl_json *in, fl_json *out,
		      const char *path, struct fl_err *err)
{
	const char *seen = NULL;

	for (void *i = fl_json_first(in); i; i = fl_json_next(in, i)) {
		fl_cleanup_free char *below = NULL;
		fl_json *value;

		if (!is_named(field, fl_json_key(i)) || fl_json_is_null(fl_json_value(i)))
			continue;
		below = fl_asprintf("%s%s%s", path, *path ? "." : "", field->name);
		if (seen)
			return fl_err_set(err, FL_ERR_INVALID, "%s: given twice, as %s and as %s",
					  below, seen, fl_json_key(i));
		seen = fl_json_key(i);
		value = take(field, fl_json_value(i), below, err);
		if (!value)
			return -1;
		fl_json_set(out, field->name, value);
	}
	return 0;
}

/* NULL: none is called that. */
static const struct field *find(const struct message *message, const char *key)
{
	for (const struct field *field = message->fields; field->name; field++)
		if (is_named(field, key))
			return field;
	return NULL;
}

static fl_json *take_message(const struct message *message, const fl_json *in, const char *path,
			     struct fl_err *err)
{
	fl_cleanup_json fl_json *out = fl_json_new_object();

	if (!fl_json_is_object(in)) {
		wrong(err, *path ? path : "the document", "an object", in);
		return NULL;
	}
	for (const struct field *field = message->fields; field->name; field++)
		if (take_field(field, in, out, path, err) < 0)
			return NULL;
	for (void *i = fl_json_first(in); i; i = fl_json_next(in, i))
		if (!find(message, fl_json_key(i)))
			fl_json_set(out, fl_json_key(i), fl_json_copy(fl_json_value(i)));
	return fl_json_ref(out);
}

static const struct message *top(enum fl_schema_message message)
{
	return message == FL_SCHEMA_SPEC ? &spec : &microvm;
}

fl_json *fl_schema_canonical(enum fl_schema_message message, const fl_json *input,
			     struct fl_err *err)
{
	return take_message(top(message), input, "", err);
}

struct strangers {
	void (*each)(void *arg, const char *path, const char *meant);
	void *arg;
};

/* "memory" may be meant for "memory_in_mb"; NULL: for nothing. */
static const char *near(const struct message *message, const char *key)
{
	struct fl_alike alike = { .written = key };

	for (const struct field *field = message->fields; field->name; field++)
		fl_alike_try(&alike, field->name);
	return alike.nearest;
}

static void look_in(const struct strangers *strangers, const struct message *message,
		    const fl_json *in, const char *path);

static void look_at(const struct strangers *strangers, const struct field *field,
		    const fl_json *in, const char *path)
{
	if (field->type == MESSAGE)
		look_in(strangers, field->message, in, path);
	for (size_t i = 0; field->type == LIST && i < fl_json_count(in); i++) {
		fl_cleanup_free char *below = fl_asprintf("%s[%zu]", path, i);

		look_in(strangers, field->message, fl_json_item(in, i), below);
	}
}

static void look_in(const struct strangers *strangers, const struct message *message,
		    const fl_json *in, const char *path)
{
	for (void *i = fl_json_first(in); i; i = fl_json_next(in, i)) {
		const char *key = fl_json_key(i);
		const struct field *field = find(message, key);
		fl_cleanup_free char *below = fl_asprintf("%s%s%s", path, *path ? "." : "", key);

		if (field)
			look_at(strangers, field, fl_json_value(i), below);
		else
			strangers->each(strangers->arg, below, near(message, key));
	}
}

void fl_schema_strangers(enum fl_schema_message message, const fl_json *canonical,
			 void (*each)(void *arg, const char *path, const char *meant), void *arg)
{
	const struct strangers strangers = { each, arg };

	look_in(&strangers, top(message), canonical, "");
}

static fl_json *known_in(const struct message *message, const fl_json *in);

static fl_json *known_list(const struct message *message, const fl_json *in)
{
	fl_json *list = fl_json_new_array();

	for (size_t i = 0; i < fl_json_count(in); i++)
		fl_json_add(list, known_in(message, fl_json_item(in, i)));
	return list;
}

static fl_json *known_in(const struct message *message, const fl_json *in)
{
	fl_json *out = fl_json_new_object();

	for (void *i = fl_json_first(in); i; i = fl_json_next(in, i)) {
		const struct field *field = find(message, fl_json_key(i));
		fl_json *value = fl_json_value(i);

		if (field && field->type == MESSAGE)
			fl_json_set(out, fl_json_key(i), known_in(field->message, value));
		else if (field && field->type == LIST)
			fl_json_set(out, fl_json_key(i), known_list(field->message, value));
		else if (field)
			fl_json_set(out, fl_json_key(i), fl_json_ref(value));
	}
	return out;
}

fl_json *fl_schema_known(enum fl_schema_message message, const fl_json *canonical)
{
	return known_in(top(message), canonical);
}
