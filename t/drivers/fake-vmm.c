/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A stand-in for QEMU where the real one cannot be made to show a fault, or is too slow to
 * be started hundreds of times: takes QEMU's command line, speaks a little QMP, and does
 * what the kernel's command line says:
 *     fake=panic | poweroff | reboot | noroot | exit3 | deaf | cloud-init | prompt | once-panic
 *     fake=asleep                 the guest reads nothing that is typed
 *     fake=busy                   it uses a processor
 *     fake=mute | nonsense | half the monitor does not answer, not as QEMU does, or stops in a line
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char socket_path[200];
static int full; /* how often it is held up, as on a full disk */

static const char *after(int argc, char **argv, const char *option)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], option) == 0)
			return argv[i + 1];
	return "";
}

static int listen_at(const char *qmp)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strncmp(qmp, "unix:", 5) != 0)
		exit(9);
	snprintf(socket_path, sizeof(socket_path), "%.*s", (int)strcspn(qmp + 5, ","), qmp + 5);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	unlink(socket_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		exit(9);
	return fd;
}

static void end(int client, const char *reason)
{
	char text[200];

	snprintf(text, sizeof(text), "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"%s\"}}\n",
		 reason);
	if (client >= 0 && write(client, text, strlen(text)) < 0)
		exit(8);
	unlink(socket_path);
	exit(0);
}

static void say(int client, const char *text)
{
	if (write(client, text, strlen(text)) < 0)
		exit(8);
}

static void tell_blocks(int client, const char *how)
{
	if (strstr(how, "fake=mute"))
		return;
	if (strstr(how, "fake=half"))
		say(client, "{\"return\":[{\"device\":");
	else if (strstr(how, "fake=nonsense"))
		say(client, "}{\n[1]\n{\"return\":[7,{\"device\":3,\"stats\":[]}]}\n");
	else
		say(client, "{\"return\":[{\"device\":\"disk-root\",\"stats\":{\"rd_bytes\":512,"
			    "\"wr_bytes\":1024,\"rd_operations\":1,\"wr_operations\":2,"
			    "\"flush_operations\":3}}]}\n");
}

/* As QEMU answers; what was asked is said on the console. */
static void resize(int client, const char *how, const char *text)
{
	if (strstr(how, "fake=mute"))
		return;
	if (strstr(how, "fake=refuses")) {
		say(client, "{\"id\":\"resize\",\"error\":{\"class\":\"GenericError\","
			    "\"desc\":\"fake: it cannot be that large\"}}\n");
		return;
	}
	printf("fake guest: %s\n", text);
	fflush(stdout);
	say(client, "{\"return\":{},\"id\":\"resize\"}\n");
}

static void hold_up(int client)
{
	say(client, "{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"device\":\"disk-root\",\"operation\":\"write\","
		    "\"action\":\"stop\",\"nospace\":true,\"reason\":\"No space left on device\"}}\n"
		    "{\"event\":\"STOP\"}\n");
	full--;
}

static void serve(int client, const char *how)
{
	char text[4096];
	ssize_t got = read(client, text, sizeof(text) - 1);

	if (got <= 0)
		exit(7);
	text[got] = 0;
	if (strstr(text, "query-blockstats"))
		tell_blocks(client, how);
	else if (strstr(text, "block_resize"))
		resize(client, how, text);
	else
		say(client, "{\"return\":{}}\n");
	if (strstr(text, "system_powerdown") && !strstr(how, "fake=deaf"))
		end(client, "guest-shutdown");
	if (strstr(text, "\"quit\""))
		end(client, "host-qmp-quit");
	if (strstr(text, "\"stop\""))
		say(client, "{\"event\":\"STOP\"}\n");
	if (strstr(text, "\"cont\""))
		say(client, "{\"event\":\"RESUME\"}\n");
	if (strstr(text, "\"cont\"") && full > 0)
		hold_up(client);
}

/* What a guest does by itself, once the monitor is connected. */
static void act(int client, const char *how)
{
	printf("fake guest: up\n");
	if (strstr(how, "fake=panic"))
		printf("[    1.0] Kernel panic - not syncing: fake\n");
	if (strstr(how, "fake=noroot"))
		printf("flintlock-initrd: no root found: UUID=x\n");
	if (strstr(how, "fake=cloud-init"))
		printf("flintlock-cloud-init: %s\n", strstr(how, "fake=cloud-init-degraded") ? "degraded: a slip" : "done");
	if (strstr(how, "fake=prompt"))
		printf("Fake GNU/Linux ttyS0\n\nfake login: ");
	fflush(stdout);
	if (strstr(how, "fake=exit3")) {
		fprintf(stderr, "fake-vmm: cannot do it\n");
		exit(3);
	}
	usleep(strstr(how, "fake=late") ? 400000 : 20000);
	if (strstr(how, "fake=poweroff"))
		end(client, "guest-shutdown");
	if (strstr(how, "fake=reboot") || strstr(how, "fake=panic") || strstr(how, "fake=noroot"))
		end(client, "guest-reset");
}

/* The guest says what is typed at it, and VMM and guest can be made to talk. */
static void type(int client, const char *how)
{
	char text[4096];
	ssize_t got = strstr(how, "fake=asleep") ? 0 : read(STDIN_FILENO, text, sizeof(text));

	if (got > 0 && write(STDOUT_FILENO, text, (size_t)got) < 0)
		exit(8);
	if (got > 0 && memmem(text, (size_t)got, "complain\n", 9))
		fprintf(stderr, "fake-vmm: a complaint\n");
	if (got > 0 && memmem(text, (size_t)got, "full\n", 5)) {
		full = 2;
		hold_up(client);
	}
	if (got > 0 && memmem(text, (size_t)got, "flood\n", 6))
		for (int i = 0; i < 90000; i++)
			printf("%08d the quick brown fox jumps over the lazy dog and on and on\n", i);
	fflush(stdout);
}

static void hear(int client, const char *how)
{
	struct pollfd fds[] = { { .fd = client, .events = POLLIN },
				{ .fd = strstr(how, "fake=asleep") ? -1 : STDIN_FILENO,
				  .events = POLLIN } };

	if (poll(fds, 2, strstr(how, "fake=busy") ? 0 : -1) < 0)
		exit(6);
	if (fds[0].revents)
		serve(client, how);
	if (fds[1].revents & POLLIN)
		type(client, how);
	else if (fds[1].revents)
		usleep(1000);
}

int main(int argc, char **argv)
{
	const char *how = after(argc, argv, "-append");
	int listener = listen_at(after(argc, argv, "-qmp"));
	int client = accept(listener, NULL, NULL);

	say(client, "{\"QMP\":{\"version\":{}}}\n");
	act(client, how);
	for (;;)
		hear(client, how);
}
