/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The order of the steps, and a pipe of programs in that order.
 *
 *     fl_chain_up(args, err);        // fl-pull up | fl-snap up | … | fl-run up
 *     fl_chain_down(args, err);      // fl-run down | … | fl-snap down
 */
#pragma once

#include "common/condition.h"
#include "common/places.h"
#include "common/step.h"

/* The way up for documents, which stand one behind the other in text; silently: the records are not
 * printed. fl_chain_check comes first. */
int fl_chain_up_text(struct fl_args *args, const struct fl_str *text, bool is_silent,
		     struct fl_err *err);

/* FL_ERR_USAGE for options that only the last program would find wrong, after all the others have
 * done their work. */
int fl_chain_check(const struct fl_args *args, struct fl_err *err);

/* Runs a program of ours to its end, with nothing to read and its words unheard; a signal is handed
 * on to it. argv is ended by NULL. As fl_proc_wait. */
int fl_chain_run(const char *const *argv, struct fl_err *err);

/* "fl-pull get" for an image; platform is for when the options say none, NULL: this machine's. 0, or what
 * it exits with, having said why; -1 and err when it cannot be run. */
int fl_chain_get(const struct fl_args *args, const char *image, const char *platform,
		 struct fl_err *err);

/* "fl-snap file" for one of a fetched image, kept for the "up" that follows. As fl_chain_get. */
int fl_chain_keep_file(const struct fl_args *args, const char *image, const char *file,
		       const char *platform, struct fl_err *err);

int fl_chain_up(struct fl_args *args, struct fl_err *err);
int fl_chain_down(struct fl_args *args, struct fl_err *err);

extern const struct fl_option fl_chain_up_options[];
extern const struct fl_option fl_chain_down_options[];

/* Of the programs that "up" starts, to stand in a command's table. */
#define FL_CHAIN_UP_OPTIONS \
	{ "platform", 'p', "OS/ARCH[/VARIANT]", "the platform to take (this machine's)" }, \
	{ "pull", 0, "missing|always|never", "when images are fetched (missing)" }, \
	{ "plain-http", 0, NULL, "speak HTTP to any host, not only to loopback" }, \
	{ "ca-file", 0, "FILE", "trust these certificates (PEM)" }, \
	{ "auth-file", 0, "FILE", "where logins are (docker's and podman's files)" }, \
	{ "retries", 0, "N", "times to try again what was cut or met a passing fault (3)" }, \
	{ "limit-rate", 0, "SIZE", "bytes to take in per second, at most" }, \
	{ "verify-key", 0, "FILE", "take only what cosign signed with this public key (PEM)" }, \
	{ "progress", 0, "auto|none|json", "auto (default): a bar on a terminal" }, \
	{ "registries", 0, "FILE", "mirrors, certificates and more, by host (YAML)" }, \
	{ "max-pulls", 0, "N", "pulls at once on this host (8)" }, \
	{ "max-size", 0, "SIZE", "refuse layers that unpack to more (64G)" }, \
	{ "max-entries", 0, "N", "refuse layers with more entries (2000000)" }, \
	{ "max-builds", 0, "N", "builds at once on this host (as many as processors)" }, \
	{ "backend", 0, FL_PLACES_WORDS, "where volumes are (FL_BACKEND; auto)" }, \
	{ "pool", 0, "POOL", "the thin pool, as VG/LV or as device-mapper calls it (FL_POOL)" }, \
	{ "parent-iface", 0, "LINK", "the host's link that macvtaps are on" }, \
	{ "macvtap-mode", 0, "bridge|private|vepa|passthru", "what macvtaps do (bridge)" }, \
	FL_STEP_CNI_OPTIONS, \
	{ "seed-format", 0, "vfat|iso9660", "the seed disk's (vfat)" }, \
	FL_STEP_START_OPTIONS, \
	{ "wait", 0, FL_CONDITIONS_WORDS, "then wait for it, as fl-run wait --for does; may be repeated" }, \
	{ "wait-timeout", 0, "TIME", "give up waiting after this (5m)" }
