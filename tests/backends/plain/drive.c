/* Drives the plain server at a fixed rate, one request under way on a connection at most.
 *
 * usage: drive PORT RATE_RPS REQUESTS CONNECTIONS; prints how many answers came when all have. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, WAIT_MS_MAX = 5000 };
static const char REQUEST[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

static struct pollfd polled[CONNECTIONS_MAX];
static int busy[CONNECTIONS_MAX];
static int connections;
static long answers;

static void connect_all(int port)
{
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < connections; i++) {
        int connection = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(connection, (struct sockaddr *)&address, sizeof address)) {
            perror("connect");
            exit(1);
        }
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        polled[i] = (struct pollfd){.fd = connection, .events = POLLIN};
    }
}

/* Takes the answers that have come, waiting up to `wait_ms` for the first. */
static void collect(int wait_ms)
{
    char answer[4096];
    if (poll(polled, (nfds_t)connections, wait_ms) <= 0)
        return;
    for (int i = 0; i < connections; i++) {
        if (polled[i].revents && recv(polled[i].fd, answer, sizeof answer, MSG_DONTWAIT) > 0) {
            busy[i] = 0;
            answers++;
        }
    }
}

static int free_connection(void)
{
    static int next;
    for (int tried = 0; tried < connections; tried++) {
        int i = next;
        next = (next + 1) % connections;
        if (!busy[i])
            return i;
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct timespec due;
    if (argc != 5) {
        fprintf(stderr, "error: usage: expected PORT RATE_RPS REQUESTS CONNECTIONS\n");
        return 2;
    }
    long interval_ns = 1000000000L / atol(argv[2]);
    long requests = atol(argv[3]);
    connections = atoi(argv[4]) < CONNECTIONS_MAX ? atoi(argv[4]) : CONNECTIONS_MAX;
    connect_all(atoi(argv[1]));
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (long sent = 0; sent < requests; sent++) {
        due.tv_nsec += interval_ns;
        if (due.tv_nsec >= 1000000000L) {
            due.tv_nsec -= 1000000000L;
            due.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        collect(0);
        int i = free_connection();
        while (i < 0) {
            collect(WAIT_MS_MAX);
            i = free_connection();
        }
        busy[i] = 1;
        if (send(polled[i].fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) < 0)
            return 1;
    }
    for (int tries = 0; answers < requests && tries < 100; tries++)
        collect(100);
    printf("%ld\n", answers);
    return answers == requests ? 0 : 1;
}
