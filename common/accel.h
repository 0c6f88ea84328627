/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether /dev/kvm is worth using: some hosts offer one that emulates every instruction.
 *
 *     const char *why;
 *     bool kvm = fl_accel_kvm_works(&why);
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>

/* FL_ERR_USAGE when it is not "auto" (KVM where it works), "kvm" or "tcg". */
int fl_accel_check(const char *accel, struct fl_err *err);

/* Runs a loop of 10,000 rounds in a virtual machine of one page; real hardware takes
 * microseconds. why says in words what was found; never NULL afterwards. */
bool fl_accel_kvm_works(const char **why);

/* Frequency of the host's time stamp counter in kHz; 0 where there is none. */
unsigned fl_accel_tsc_khz(void);
