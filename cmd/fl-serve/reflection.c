/* SPDX-License-Identifier: MPL-2.0 */
/* grpc.reflection: the .proto files for those who have none. */
#include "cmd/fl-serve/server.h"
#include "cmd/fl-serve/services.h"
#include "cmd/fl-serve/wire/wire.h"

#include <string.h>

/* Numbers of ServerReflectionRequest and ServerReflectionResponse. */
enum { BY_FILENAME = 3, BY_SYMBOL = 4, BY_EXTENSION = 5, EXTENSIONS_OF = 6, LIST_SERVICES = 7 };
enum { ORIGINAL_REQUEST = 2, DESCRIPTORS = 4, SERVICES = 6, ERROR = 7 };

static void add_error(struct fl_str *out, int code, const char *text)
{
	size_t mark = fl_wire_begin(out, ERROR);

	fl_wire_put_number(out, 1, (uint64_t)code);
	fl_wire_put_text(out, 2, text);
	fl_wire_end(out, mark);
}

static const struct fl_file_type *find_file(const struct fl_types *types, const char *name)
{
	for (size_t i = 0; i < types->files.count; i++)
		if (strcmp(types->files.items[i].name, name) == 0)
			return &types->files.items[i];
	return NULL;
}

/* Of a definition, or of what lies within one (a method, a field). */
static const struct fl_file_type *find_symbol(const struct fl_types *types, const char *symbol)
{
	for (size_t i = 0; i < types->files.count; i++)
		for (size_t k = 0; k < types->files.items[i].symbols.count; k++) {
			const char *defined = types->files.items[i].symbols.items[k];
			size_t size = strlen(defined);

			if (strncmp(symbol, defined, size) == 0 &&
			    (!symbol[size] || symbol[size] == '.'))
				return &types->files.items[i];
		}
	return NULL;
}

struct answer {
	const struct fl_types *types;
	struct fl_str *out;
	FL_VEC(const struct fl_file_type *) given;
};

/* The file after everything that it needs, each once. */
static void add_file(struct answer *answer, const struct fl_file_type *file)
{
	for (size_t i = 0; i < answer->given.count; i++)
		if (answer->given.items[i] == file)
			return;
	FL_VEC_ADD(&answer->given, file);
	fl_wire_put_bytes(answer->out, 1, file->bytes, file->size);
	for (size_t i = 0; i < file->imports.count; i++)
		add_file(answer, find_file(answer->types, file->imports.items[i]));
}

static void add_files(const struct fl_types *types, const struct fl_file_type *file,
		      struct fl_str *out)
{
	struct answer answer = { .types = types, .out = out };
	size_t mark;

	if (!file) {
		add_error(out, FL_RPC_NOT_FOUND, "not known here");
		return;
	}
	mark = fl_wire_begin(out, DESCRIPTORS);
	add_file(&answer, file);
	fl_wire_end(out, mark);
	free(answer.given.items);
}

static void add_services(const struct fl_types *types, struct fl_str *out)
{
	size_t mark = fl_wire_begin(out, SERVICES);

	for (size_t i = 0; i < types->services.count; i++) {
		size_t inner = fl_wire_begin(out, 1);

		fl_wire_put_text(out, 1, types->services.items[i]->name);
		fl_wire_end(out, inner);
	}
	fl_wire_end(out, mark);
}

static void respond(const struct fl_types *types, const struct fl_wire_field *field,
		    struct fl_str *out)
{
	fl_cleanup_free char *text = fl_strndup((const char *)field->bytes, field->size);

	switch (field->number) {
	case BY_FILENAME:
		add_files(types, find_file(types, text), out);
		break;
	case BY_SYMBOL:
		add_files(types, find_symbol(types, text), out);
		break;
	case LIST_SERVICES:
		add_services(types, out);
		break;
	default:
		add_error(out, FL_RPC_NOT_FOUND, "there are no extensions here");
		break;
	}
}

static void info(struct fl_call *call)
{
	const struct fl_server *server = fl_call_server(call);
	const struct fl_str *request = fl_call_bytes(call);
	fl_cleanup_str struct fl_str out = FL_STR_INIT;
	const uint8_t *bytes = (const uint8_t *)(request->data ? request->data : "");
	struct fl_wire_reader in = { bytes, bytes + request->len };
	struct fl_wire_field field, asked = { 0 };
	int more;

	if (fl_call_has_ended(call) && !request->len) {
		fl_call_finish(call);
		return;
	}
	while ((more = fl_wire_next(&in, &field)) > 0)
		if (field.type == FL_WIRE_BYTES && field.number >= BY_FILENAME &&
		    field.number <= LIST_SERVICES)
			asked = field;
	if (more < 0 || !asked.number) {
		fl_call_fail(call, FL_RPC_INVALID_ARGUMENT, "invalid MessageRequest", NULL);
		return;
	}
	fl_wire_put_bytes(&out, ORIGINAL_REQUEST, request->data, request->len);
	respond(server->types, &asked, &out);
	fl_call_send(call, out.data, out.len);
}

const struct fl_rpc_handler fl_reflection_handlers[2] = {
	{ "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", info, NULL, NULL, false, false },
	{ "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", info, NULL, NULL, false, false },
};
