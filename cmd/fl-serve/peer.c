/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/peer.h"

#include <string.h>

void fl_peer_print(const struct sockaddr *address, socklen_t size, char text[static FL_PEER_TEXT])
{
	strcpy(text, "local");
	if (address->sa_family != AF_UNIX)
		getnameinfo(address, size, text, FL_PEER_TEXT, NULL, 0, NI_NUMERICHOST);
}
