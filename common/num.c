/* SPDX-License-Identifier: MPL-2.0 */
#include "common/num.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The digits at the start of text; *end is behind them. */
static int digits(const char *text, uint64_t *value, const char **end, struct fl_err *err)
{
	char *stop;

	*value = 0;
	*end = text;
	if (text[0] < '0' || text[0] > '9')
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is not a number", text);
	errno = 0;
	*value = strtoull(text, &stop, 10);
	if (errno)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is too large", text);
	*end = stop;
	return 0;
}

int fl_num_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value, struct fl_err *err)
{
	const char *end;

	if (digits(text, value, &end, err) < 0)
		return -1;
	if (*end)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is not a number", text);
	if (*value < min || *value > max)
		return fl_err_set(err, FL_ERR_INVALID, "%s is not between %llu and %llu", text,
				  (unsigned long long)min, (unsigned long long)max);
	return 0;
}

int fl_num_i64(const char *text, int64_t min, int64_t max, int64_t *value, struct fl_err *err)
{
	uint64_t size;

	if (fl_num_u64(text + (*text == '-'), 0, INT64_MAX, &size, err) < 0)
		return -1;
	*value = *text == '-' ? -(int64_t)size : (int64_t)size;
	if (*value < min || *value > max)
		return fl_err_set(err, FL_ERR_INVALID, "%s is not between %lld and %lld", text,
				  (long long)min, (long long)max);
	return 0;
}

static int unit_shift(const char *unit)
{
	static const char units[] = "KMGT";
	const char *at;

	if (!*unit)
		return 0;
	at = strchr(units, *unit >= 'a' ? *unit - 32 : *unit);
	if (!at || (unit[1] && strcmp(unit + 1, "iB") != 0 && strcmp(unit + 1, "B") != 0))
		return -1;
	return 10 * (int)(at - units + 1);
}

static int out_of_range(const char *text, uint64_t bytes, uint64_t min, bool has_unit,
			struct fl_err *err)
{
	char least[16];

	fl_num_print_size(min, least);
	if (bytes < min)
		return fl_err_set(err, FL_ERR_INVALID, "size %s is less than %s%s", text, least,
				  has_unit ? "" : "; bytes are meant where neither K, M, G nor T is behind it");
	return fl_err_set(err, FL_ERR_INVALID, "size %s is out of range", text);
}

int fl_num_size(const char *text, uint64_t min, uint64_t max, uint64_t *bytes,
		struct fl_err *err)
{
	const char *unit;
	uint64_t value;
	int shift;

	if (digits(text, &value, &unit, err) < 0)
		return -1;
	shift = unit_shift(unit);
	if (shift < 0)
		return fl_err_set(err, FL_ERR_INVALID,
				  "\"%s\" is not a size; write bytes, or a number with K, M, G or T",
				  text);
	if (value > (UINT64_MAX >> shift) || value << shift < min || value << shift > max)
		return out_of_range(text, value > (UINT64_MAX >> shift) ? UINT64_MAX : value << shift, min,
				    *unit, err);
	*bytes = value << shift;
	return 0;
}

int fl_num_duration(const char *text, uint64_t *milliseconds, struct fl_err *err)
{
	static const struct {
		const char *name;
		uint64_t factor;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	const char *unit;
	uint64_t value;

	if (digits(text, &value, &unit, err) < 0)
		return -1;
	for (size_t i = 0; i < FL_COUNT(units); i++) {
		if (strcmp(unit, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(value, units[i].factor, milliseconds))
			break;
		return 0;
	}
	return fl_err_set(err, FL_ERR_INVALID,
			  "\"%s\" is not a duration; write such as 500ms, 30s, 5m or 1h", text);
}

void fl_num_print_size(uint64_t bytes, char out[static 16])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < FL_COUNT(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(out, 16, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}
