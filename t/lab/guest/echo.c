/* SPDX-License-Identifier: MPL-2.0 */
/* In a guest: says back what it hears on a port of its vsock, one client after another. */
#include <linux/vm_sockets.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_vm at = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY };
	int listener = socket(AF_VSOCK, SOCK_STREAM, 0);
	char data[4096];
	ssize_t got;

	at.svm_port = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 1) < 0)
		return 1;
	for (;;) {
		int client = accept(listener, NULL, NULL);

		while ((got = read(client, data, sizeof(data))) > 0)
			if (write(client, data, (size_t)got) != got)
				break;
		close(client);
	}
}
