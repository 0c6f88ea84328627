/* SPDX-License-Identifier: MPL-2.0 */
/* What an exchange holds; how it goes over the wire is the connection's affair. */
#include "cmd/fl-serve/rpc/http2.h"

#include <stdlib.h>
#include <string.h>

void fl_exchange_add(struct fl_exchange *exchange, const uint8_t *name, size_t name_size,
		     const uint8_t *value, size_t value_size)
{
	struct fl_exchange_field field;

	field.name = (uint32_t)exchange->text.len;
	fl_str_add_bytes(&exchange->text, name, name_size + 1);
	field.value = (uint32_t)exchange->text.len;
	fl_str_add_bytes(&exchange->text, value, value_size + 1);
	FL_VEC_ADD(&exchange->headers, field);
}

const char *fl_exchange_find(const struct fl_exchange *exchange, const char *name)
{
	for (size_t i = 0; i < exchange->headers.count; i++)
		if (strcmp(exchange->text.data + exchange->headers.items[i].name, name) == 0)
			return exchange->text.data + exchange->headers.items[i].value;
	return NULL;
}

void fl_exchange_finish(struct fl_exchange *exchange)
{
	for (size_t i = 0; i < exchange->trailers.count; i++) {
		free((char *)exchange->trailers.items[i].name);
		free((char *)exchange->trailers.items[i].value);
	}
	free(exchange->trailers.items);
	fl_str_finish(&exchange->text);
	fl_str_finish(&exchange->out);
	free(exchange->headers.items);
}
