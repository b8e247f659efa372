/* A single-threaded HTTP/1.1 server that answers "ok" to everything: a subject for the probes.
 *
 * usage: server PORT; prints "ready" when it listens on 127.0.0.1. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static int listen_on(int port)
{
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 512)) {
        perror("listen");
        exit(1);
    }
    return listener;
}

static void welcome(int loop, int listener)
{
    int on = 1;
    int connection = accept(listener, NULL, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = connection};
    if (connection < 0)
        return;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_ctl(loop, EPOLL_CTL_ADD, connection, &event);
}

/* The driver has one short request at most under way on a connection: what came is one request. */
static void serve(int connection)
{
    char request[4096];
    ssize_t length = recv(connection, request, sizeof request, 0);
    if (length <= 0)
        close(connection);
    else if (send(connection, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) < 0)
        close(connection);
}

int main(int argc, char **argv)
{
    struct epoll_event events[64];
    if (argc != 2) {
        fprintf(stderr, "error: usage: expected PORT, got %d arguments\n", argc - 1);
        return 2;
    }
    int listener = listen_on(atoi(argv[1]));
    int loop = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(loop, events, 64, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                welcome(loop, listener);
            else
                serve(events[i].data.fd);
        }
    }
}
