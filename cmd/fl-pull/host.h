/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Hosts of registries as they stand in references, auth files and addresses.
 *
 *     fl_host_is_loopback("127.0.0.1:5000")              // true
 *     char *key = fl_host_normal("https://index.docker.io/v1/");   // "docker.io"
 */
#pragma once

#include "common/macro.h"

#include <stdbool.h>

/* Loopback is this machine: nobody listens in between. host may have a port. */
bool fl_host_is_loopback(const char *host);

/* "host[:port]" behind the scheme of an address; caller frees. */
char *fl_host_of_url(const char *url) FL_MUST_USE;

/* An auth file's key, or what a user wrote, as "host[:port][/path]": without scheme, without
 * an API's version, docker.io under one name. Caller frees. */
char *fl_host_normal(const char *key) FL_MUST_USE;

/* The environment's no_proxy with loopback added: a login that goes there without TLS must not
 * go past anybody. Caller frees. */
char *fl_host_without_proxy(void) FL_MUST_USE;

/* What docker's own files and helpers call the host. */
const char *fl_host_docker_key(const char *host);
