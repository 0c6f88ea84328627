/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/relay.h"

#include "cmd/fl-supervise/listener.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/num.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (64 << 10) /* bytes under way in one direction */
#define WORD "CONNECT "

int fl_relay_listen(struct fl_relay *relay, const char *path, uint32_t cid, struct fl_err *err)
{
	memset(relay, 0, sizeof(*relay));
	for (size_t i = 0; i < FL_RELAY_CLIENTS; i++)
		relay->clients[i].client = relay->clients[i].guest = -1;
	snprintf(relay->path, sizeof(relay->path), "%s", path);
	relay->cid = cid;
	relay->listener = fl_listener_open(path, err);
	return relay->listener < 0 ? -1 : 0;
}

static void drop(struct fl_relay_client *client)
{
	if (client->client >= 0)
		close(client->client);
	if (client->guest >= 0)
		close(client->guest);
	free(client->up.data);
	free(client->down.data);
	*client = (struct fl_relay_client){ .client = -1, .guest = -1 };
}

void fl_relay_finish(struct fl_relay *relay)
{
	if (relay->listener < 0)
		return;
	for (size_t i = 0; i < FL_RELAY_CLIENTS; i++)
		drop(&relay->clients[i]);
	close(relay->listener);
	unlink(relay->path);
	relay->listener = -1;
}

static void accept_one(struct fl_relay *relay)
{
	int fd = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (size_t i = 0; fd >= 0 && i < FL_RELAY_CLIENTS; i++)
		if (relay->clients[i].client < 0) {
			relay->clients[i].client = fd;
			return;
		}
	if (fd >= 0)
		close(fd);
}

/* Begins to connect; the end of it is polled for. */
static bool dial(const struct fl_relay *relay, struct fl_relay_client *client, uint32_t port)
{
	const struct sockaddr_vm to = { .svm_family = AF_VSOCK, .svm_cid = relay->cid,
					.svm_port = port };

	client->guest = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return client->guest >= 0 &&
	       (connect(client->guest, (const struct sockaddr *)&to, sizeof(to)) == 0 ||
		errno == EINPROGRESS);
}

/* False: this is not "CONNECT PORT". */
static bool take(struct fl_relay_client *client, char one)
{
	size_t word = strlen(WORD);

	if (client->said < word && one != WORD[client->said])
		return false;
	if (client->said >= word) {
		if (client->said - word + 1 >= sizeof(client->port))
			return false;
		client->port[client->said - word] = one;
	}
	client->said++;
	return true;
}

static bool take_end(const struct fl_relay *relay, struct fl_relay_client *client)
{
	uint64_t port;

	return client->said > strlen(WORD) &&
	       fl_num_u64(client->port, 0, UINT32_MAX - 1, &port, NULL) == 0 &&
	       dial(relay, client, (uint32_t)port);
}

/* One byte at a time: what stands behind the line is for the guest. */
static void read_line(const struct fl_relay *relay, struct fl_relay_client *client)
{
	ssize_t got;
	char one;

	while ((got = read(client->client, &one, 1)) == 1 && one != '\n')
		if (!take(client, one)) {
			drop(client);
			return;
		}
	if (got == 1 ? !take_end(relay, client) : got == 0 || errno != EAGAIN)
		drop(client);
}

static void greet(struct fl_relay_client *client)
{
	fl_cleanup_free char *answer = fl_asprintf("OK %s\n", client->port);
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(client->guest, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error ||
	    send(client->client, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		drop(client);
		return;
	}
	client->connected = true;
}

/* As far as both ends allow. False: an end is broken. */
static bool pass(struct fl_relay_flow *flow, int from, int to)
{
	ssize_t got;

	flow->data = flow->data ? flow->data : fl_alloc(ROOM);
	if (flow->at == flow->len && !flow->ended) {
		got = read(from, flow->data, ROOM);
		flow->at = 0;
		flow->len = got > 0 ? (size_t)got : 0;
		flow->ended = got == 0;
		if (got < 0 && errno != EAGAIN)
			return false;
	}
	while (flow->at < flow->len) {
		got = send(to, flow->data + flow->at, flow->len - flow->at,
			   MSG_NOSIGNAL | MSG_DONTWAIT);
		if (got < 0)
			return errno == EAGAIN;
		flow->at += (size_t)got;
	}
	if (flow->ended && !flow->told)
		shutdown(to, SHUT_WR);
	flow->told = flow->ended;
	return true;
}

static void move(struct fl_relay_client *client)
{
	if (!pass(&client->up, client->client, client->guest) ||
	    !pass(&client->down, client->guest, client->client) ||
	    (client->up.told && client->down.told))
		drop(client);
}

/* What an end is to be watched for. */
static short wanted(const struct fl_relay_flow *from, const struct fl_relay_flow *to)
{
	short events = 0;

	if (from->at == from->len && !from->ended)
		events |= POLLIN;
	if (to->at < to->len)
		events |= POLLOUT;
	return events;
}

/* Also without anything to wait for: that it has gone altogether is told at any time. */
static struct pollfd watch(int fd, short events)
{
	return (struct pollfd){ .fd = fd, .events = events };
}

void fl_relay_collect(const struct fl_relay *relay, struct pollfd *fds)
{
	fds[0] = watch(relay->listener, POLLIN);
	for (size_t i = 0; i < FL_RELAY_CLIENTS; i++) {
		const struct fl_relay_client *client = &relay->clients[i];
		struct pollfd *pair = &fds[1 + 2 * i];
		bool is_there = relay->listener >= 0 && client->client >= 0;

		pair[0] = watch(is_there && client->connected ? client->client : -1,
				wanted(&client->up, &client->down));
		pair[1] = watch(is_there && client->connected ? client->guest : -1,
				wanted(&client->down, &client->up));
		if (is_there && client->guest < 0)
			pair[0] = watch(client->client, POLLIN);
		else if (is_there && !client->connected)
			pair[1] = watch(client->guest, POLLOUT);
	}
}

/* Of a client that has closed its end: what it said is with the guest, or will never be. */
static bool is_of_no_use(const struct fl_relay_client *client)
{
	return client->up.ended || !client->connected;
}

void fl_relay_poll(struct fl_relay *relay, const struct pollfd *fds)
{
	if (relay->listener < 0)
		return;
	for (size_t i = 0; i < FL_RELAY_CLIENTS; i++) {
		struct fl_relay_client *client = &relay->clients[i];

		if (!fds[1 + 2 * i].revents && !fds[2 + 2 * i].revents)
			continue;
		if ((fds[1 + 2 * i].revents & (POLLHUP | POLLERR)) && is_of_no_use(client))
			drop(client);
		else if (client->guest < 0)
			read_line(relay, client);
		else if (!client->connected)
			greet(client);
		else
			move(client);
	}
	if (fds[0].revents)
		accept_one(relay);
}
