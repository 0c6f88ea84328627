/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A stand-in for Firecracker in a jail, linked statically: tells who it is and what it may do with
 * the files that its configuration names, listens where its API would be, and ends when it is
 * asked to by Ctrl-Alt-Del, or by any line on its standard input, as a guest's reboot does. With
 * "fake-link=PATH" on the kernel's command line a link to there is in place of its API, as one
 * who broke in might put it.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *after(int argc, char **argv, const char *option)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], option) == 0)
			return argv[i + 1];
	return "";
}

static void tell_file(const char *path)
{
	int reading = open(path, O_RDONLY), writing = open(path, O_WRONLY);

	printf("%s: %s%s\n", path, reading < 0 ? "-" : "r", writing < 0 ? "-" : "w");
	if (writing >= 0 && strcmp(path, "/d0") == 0 && pwrite(writing, "was here", 8, 512) != 8)
		exit(9);
	close(reading);
	close(writing);
}

/* The path that the configuration says, up to the end of the word. */
static int make_link(const char *path)
{
	static const char mark[] = "fake-link=";
	static char text[65536];
	int fd = open("/firecracker.cfg", O_RDONLY);
	ssize_t got = read(fd, text, sizeof(text) - 1);
	char *at = got > 0 ? strstr(text, mark) : NULL;

	close(fd);
	if (!at)
		return 0;
	at += strlen(mark);
	at[strcspn(at, " \"")] = 0;
	return symlink(at, path) == 0;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		exit(9);
	return fd;
}

/* Those who listen and type may go: it stays, as the real one does. */
static void serve(int api)
{
	static const char done[] = "HTTP/1.1 204 \r\nServer: Firecracker API\r\n\r\n";
	char text[4096];
	struct pollfd fds[] = { { .fd = api, .events = POLLIN }, { .fd = -1, .events = POLLIN },
				{ .fd = STDIN_FILENO, .events = POLLIN } };

	while (poll(fds, 3, -1) > 0) {
		ssize_t got;

		if (fds[2].revents && read(STDIN_FILENO, text, sizeof(text)) > 0)
			exit(0);
		if (fds[2].revents)
			fds[2].fd = -1;
		if (fds[0].revents && fds[1].fd < 0)
			fds[1].fd = accept(api, NULL, NULL);
		if (!fds[1].revents)
			continue;
		got = read(fds[1].fd, text, sizeof(text) - 1);
		if (got <= 0) {
			close(fds[1].fd);
			fds[1].fd = -1;
			continue;
		}
		text[got] = 0;
		if (send(fds[1].fd, done, strlen(done), MSG_NOSIGNAL) < 0 || strstr(text, "SendCtrlAltDel"))
			exit(0);
	}
}

int main(int argc, char **argv)
{
	static const char *const files[] = { "/kernel", "/initrd", "/d0", "/d1", "/firecracker.cfg",
					     "/firecracker.metrics", "/firecracker.log", "/etc/passwd" };
	const char *api = after(argc, argv, "--api-sock");
	int log;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("Firecracker v1.17.0") < 0;
	printf("user %u %u\n", getuid(), getgid());
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		tell_file(files[i]);
	log = open("/firecracker.log", O_RDWR | O_NONBLOCK);
	if (log < 0 || write(log, "a line of the log\n", 18) < 0)
		return 9;
	fprintf(stderr, "a line of stderr\n");
	if (make_link(api))
		api = "/other.sock";
	puts("ready");
	serve(listen_at(api));
	return 9;
}
