/*-------------------------------------------------------------------------
 *
 * http_stand_in.h
 *	  A recording HTTP server for unit programs: what a real server cannot be made to
 *	  show (a body that breaks off, a stall, an answer from another region).
 *
 *	  StandIn stand_in;
 *	  stand_in_start(&stand_in, answer, state);		127.0.0.1:stand_in.port
 *	  ... stand_in.requests[i] is the i-th request's head, stand_in.count how many
 *	  stand_in_stop(&stand_in);
 *
 * answer() writes the whole answer to the socket; false closes the connection.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_TEST_HTTP_STAND_IN_H
#define INGEST_TEST_HTTP_STAND_IN_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAND_IN_MOST 4096

typedef struct StandIn
{
	int port;
	int listener;
	bool (*answer)(int socket, const char *request, int number, void *state);
	void *state;
	pthread_mutex_t mutex;
	int count;       /* requests */
	int connections; /* accepted */
	char *requests[STAND_IN_MOST];
	pthread_t acceptor;
	pthread_t threads[STAND_IN_MOST];
	int sockets[STAND_IN_MOST];
	atomic_bool stopping;
} StandIn;

typedef struct StandInConnection
{
	StandIn *stand_in;
	int socket;
} StandInConnection;

static inline void
stand_in_send(int socket, const char *data, size_t length)
{
	while (length > 0)
	{
		ssize_t sent = send(socket, data, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		data += sent;
		length -= (size_t) sent;
	}
}

static inline void __attribute__((format(printf, 2, 3))) stand_in_printf(int socket, const char *format, ...)
{
	char text[8192];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	stand_in_send(socket, text, strlen(text));
}

/* An answer with a text body and further header lines ("A: b\r\n"). */
static inline void
stand_in_answer(int socket, const char *status, const char *header, const char *body)
{
	stand_in_printf(socket, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status, header, strlen(body), body);
}

static inline int
stand_in_record(StandIn *stand_in, const char *request)
{
	int number;

	pthread_mutex_lock(&stand_in->mutex);
	number = stand_in->count++;
	stand_in->requests[number] = strdup(request);
	pthread_mutex_unlock(&stand_in->mutex);
	return number;
}

static inline void *
stand_in_serve(void *argument)
{
	StandInConnection *connection = argument;
	StandIn *stand_in = connection->stand_in;
	char head[16384];
	size_t length = 0;

	while (length < sizeof(head) - 1)
	{
		ssize_t got = recv(connection->socket, head + length, sizeof(head) - 1 - length, 0);

		if (got <= 0)
			break;
		length += (size_t) got;
		head[length] = '\0';
		if (strstr(head, "\r\n\r\n") == NULL)
			continue;
		length = 0;
		if (!stand_in->answer(connection->socket, head, stand_in_record(stand_in, head), stand_in->state))
			break;
	}
	shutdown(connection->socket, SHUT_RDWR);
	free(connection);
	return NULL;
}

static inline void *
stand_in_accept(void *argument)
{
	StandIn *stand_in = argument;

	while (!stand_in->stopping)
	{
		struct pollfd ready = {stand_in->listener, POLLIN, 0};
		StandInConnection *connection;
		int socket;

		if (poll(&ready, 1, 20) != 1)
			continue;
		socket = accept(stand_in->listener, NULL, NULL);
		connection = malloc(sizeof(*connection));
		*connection = (StandInConnection){stand_in, socket};
		stand_in->sockets[stand_in->connections] = socket;
		pthread_create(&stand_in->threads[stand_in->connections++], NULL, stand_in_serve, connection);
	}
	return NULL;
}

static inline void
stand_in_start(StandIn *stand_in, bool (*answer)(int socket, const char *request, int number, void *state), void *state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(address);

	memset(stand_in, 0, sizeof(*stand_in));
	stand_in->answer = answer;
	stand_in->state = state;
	pthread_mutex_init(&stand_in->mutex, NULL);
	stand_in->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(stand_in->listener, (struct sockaddr *) &address, length) != 0 || listen(stand_in->listener, 64) != 0 ||
		getsockname(stand_in->listener, (struct sockaddr *) &address, &length) != 0)
		abort();
	stand_in->port = ntohs(address.sin_port);
	pthread_create(&stand_in->acceptor, NULL, stand_in_accept, stand_in);
}

static inline void
stand_in_stop(StandIn *stand_in)
{
	stand_in->stopping = true;
	pthread_join(stand_in->acceptor, NULL);
	for (int i = 0; i < stand_in->connections; i++)
		shutdown(stand_in->sockets[i], SHUT_RDWR);
	for (int i = 0; i < stand_in->connections; i++)
	{
		pthread_join(stand_in->threads[i], NULL);
		close(stand_in->sockets[i]);
	}
	for (int i = 0; i < stand_in->count; i++)
		free(stand_in->requests[i]);
	close(stand_in->listener);
	pthread_mutex_destroy(&stand_in->mutex);
}

#endif
