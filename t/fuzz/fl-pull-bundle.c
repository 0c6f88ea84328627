/* SPDX-License-Identifier: MPL-2.0 */
/* A Sigstore bundle of a registry's: only what the key signed is good. */
#include "cmd/fl-pull/signatures.h"
#include "t/fuzz/fuzz.h"

#include <string.h>

static const char key[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MbcFhbEBYQYbzQvLFY5lEKa5nMs\n"
	"qB4fAyB1q1Rj7ZEbgiJWOLiMbmkNB42w8kqVH39wcVHMs4DPmYaZY+mpxw==\n"
	"-----END PUBLIC KEY-----\n";

/* What was signed, as the envelope carries it. */
static const char payload[] =
	"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJzdWJqZWN0IjpbeyJkaWdlc3Qi"
	"Onsic2hhMjU2IjoiNjEwNWQ2Y2M3NmFmNDAwMzI1ZTk0ZDU4OGNlNTExYmU1YmZkYmI3M2I0MzdkYzUxZWNh"
	"NDM5MTdkN2E0M2UzZCJ9fV0sInByZWRpY2F0ZVR5cGUiOiJodHRwczovL3NpZ3N0b3JlLmRldi9jb3NpZ24v"
	"c2lnbi92MSJ9";

static const char digest[] = "sha256:"
	"6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum fl_signed is = fl_signed_envelope((const char *)data, size, key, digest);

	MUST(is != FL_SIGNED_UNKNOWN);
	MUST(is != FL_SIGNED_GOOD || memmem(data, size, payload, sizeof(payload) - 1) ||
	     memchr(data, '\\', size));
	return 0;
}
