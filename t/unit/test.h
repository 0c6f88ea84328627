/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The least a unit test needs: named cases, checks that say what they saw, TAP on stdout.
 *
 *     static void adds(void) { CHECK_INT(1 + 1, 2); }
 *     int main(void) { return test_run((const struct test_case[]){ { "adds", adds }, { 0 } }); }
 */
#pragma once

#include <stdio.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*run)(void);
};

static int test_failures;

#define CHECK(what)                                                                \
	do {                                                                       \
		if (!(what)) {                                                     \
			test_failures++;                                           \
			printf("# %s:%d: not true: %s\n", __FILE__, __LINE__, #what); \
		}                                                                  \
	} while (0)

#define CHECK_INT(got, want)                                                             \
	do {                                                                             \
		long long g_ = (got), w_ = (want);                                       \
		if (g_ != w_) {                                                          \
			test_failures++;                                                 \
			printf("# %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, g_, w_); \
		}                                                                        \
	} while (0)

#define CHECK_STR(got, want)                                                              \
	do {                                                                              \
		const char *g_ = (got), *w_ = (want);                                     \
		if (!g_ || strcmp(g_, w_) != 0) {                                         \
			test_failures++;                                                  \
			printf("# %s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #got, \
			       g_ ? g_ : "(null)", w_);                                   \
		}                                                                         \
	} while (0)

static inline int test_run(const struct test_case *cases)
{
	int number = 0, failed = 0;

	for (; cases->name; cases++) {
		test_failures = 0;
		cases->run();
		failed += test_failures != 0;
		printf("%sok %d - %s\n", test_failures ? "not " : "", ++number, cases->name);
		fflush(stdout);
	}
	printf("1..%d\n", number);
	return failed != 0;
}
