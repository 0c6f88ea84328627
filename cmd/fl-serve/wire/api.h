/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The FileDescriptorSet of all .proto files in cmd/fl-serve/proto, made by the build.
 *
 *     struct fl_types *types = fl_types_load(fl_api_bytes, fl_api_size);
 */
#pragma once

#include <stddef.h>

extern const unsigned char fl_api_bytes[];
extern const size_t fl_api_size;
