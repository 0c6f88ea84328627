/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/services.h"

void fl_services_add(struct fl_rpc *rpc)
{
	fl_rpc_add(rpc, fl_microvm_handlers, FL_COUNT(fl_microvm_handlers));
	fl_rpc_add(rpc, fl_host_handlers, FL_COUNT(fl_host_handlers));
	fl_rpc_add(rpc, fl_health_handlers, FL_COUNT(fl_health_handlers));
	fl_rpc_add(rpc, fl_reflection_handlers, FL_COUNT(fl_reflection_handlers));
}
