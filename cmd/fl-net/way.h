/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The way out of a guest's nets: by one interface of each family, however many it has.
 *
 *     if (fl_way_is_by(call, made, &bridge)) put_gateway(&bridge);
 */
#pragma once

#include "cmd/fl-net/bridge.h"
#include "common/step.h"

/* Whether the interface that is being made on a bridge of ours is the way out. made: the
 * host.network of those before it. False where the spec names a gateway itself. */
bool fl_way_is_by(const struct fl_step_call *call, const fl_json *made, const struct fl_bridge *bridge);
