// A backend with planted faults: enough of HTTP and S3 for the engine, a thread a connection.
#include "store.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEAD_BYTES_MAX = 16384, BODY_BYTES_MAX = 64 << 20, GREED_BYTES = 64 << 20 };

struct settings {
    const char *address;
    int port;
    const char *fault;
    long after;
    useconds_t delay_us;
};

struct request {
    char head[HEAD_BYTES_MAX + 1]; // and what was read beyond it
    size_t filled;
    char method[8];
    char path[1200];
    char *body;
    size_t body_length;
};

static struct settings settings = {.address = "127.0.0.1", .fault = "none", .after = 200};
static atomic_long served;
static char *volatile hoard; // what the greedy fault took last, so that it is really taken

static bool has_fault(const char *name) {
    return strcmp(settings.fault, name) == 0;
}

static bool read_more(int socket, struct request *request) {
    ssize_t got =
        recv(socket, request->head + request->filled, HEAD_BYTES_MAX - request->filled, 0);
    if (got <= 0) {
        return false;
    }
    request->filled += (size_t)got;
    request->head[request->filled] = '\0';
    return true;
}

static bool read_body(int socket, struct request *request, size_t head_length) {
    size_t have = request->filled - head_length;
    if (have > request->body_length) {
        have = request->body_length; // the rest is the next request's head
    }
    request->body = malloc(request->body_length + 1);
    memcpy(request->body, request->head + head_length, have);
    request->filled -= head_length + have;
    memmove(request->head, request->head + head_length + have, request->filled + 1);
    while (have < request->body_length) {
        ssize_t got = recv(socket, request->body + have, request->body_length - have, 0);
        if (got <= 0) {
            free(request->body);
            return false;
        }
        have += (size_t)got;
    }
    return true;
}

static bool read_request(int socket, struct request *request) {
    char *end = NULL;
    request->head[request->filled] = '\0';
    while ((end = strstr(request->head, "\r\n\r\n")) == NULL) {
        if (request->filled == HEAD_BYTES_MAX || !read_more(socket, request)) {
            return false;
        }
    }
    if (sscanf(request->head, "%7s %1199s", request->method, request->path) != 2) {
        return false;
    }
    end[2] = '\0'; // headers end here for strcasestr
    const char *length = strcasestr(request->head, "\r\ncontent-length:");
    request->body_length = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
    return request->body_length <= BODY_BYTES_MAX &&
           read_body(socket, request, (size_t)(end + 4 - request->head));
}

static bool send_all(int socket, const char *data, size_t length) {
    while (length > 0) {
        ssize_t sent = send(socket, data, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

static bool answer(int socket, int status, const char *body, size_t length, bool bodyless) {
    char head[256];
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %d Planted\r\nServer: pausemark\r\nContent-Length: %zu\r\n\r\n",
                        status, length);
    return send_all(socket, head, (size_t)size) &&
           (bodyless || length == 0 || send_all(socket, body, length));
}

// Whether the fault shows now; the caller has just counted a request.
static bool fault_is_due(void) {
    bool due = atomic_fetch_add(&served, 1) >= settings.after;
    if (due && has_fault("crashes")) {
        fprintf(stderr, "crashing as planned\n");
        abort();
    }
    if (due && has_fault("greedy")) {
        hoard = memset(malloc(GREED_BYTES), 1, GREED_BYTES);
    }
    return due;
}

static bool serve_one(int socket, struct request *request) {
    bool due = fault_is_due();
    bool is_head = strcmp(request->method, "HEAD") == 0;
    if (settings.delay_us > 0) {
        usleep(settings.delay_us);
    }
    if (due && has_fault("wrong-status")) {
        free(request->body);
        return answer(socket, 500, NULL, 0, is_head);
    }
    if (strcmp(request->method, "PUT") == 0) {
        store_put(request->path, request->body, request->body_length);
        return answer(socket, 200, NULL, 0, false);
    }
    free(request->body);
    if (strcmp(request->path, "/") == 0) {
        return answer(socket, 200, "ready", 5, is_head);
    }
    size_t length = 0;
    char *body = store_get(request->path, &length);
    if (body == NULL) {
        return answer(socket, 404, NULL, 0, is_head);
    }
    if (due && has_fault("wrong-body") && length > 0) {
        body[0] ^= 1;
    }
    bool sent = answer(socket, 200, body, length, is_head);
    free(body);
    return sent;
}

static void *serve(void *argument) {
    int socket = (int)(long)argument;
    struct request *request = calloc(1, sizeof *request);
    while (read_request(socket, request) && serve_one(socket, request)) {
    }
    free(request);
    close(socket);
    return NULL;
}

static int listen_on(void) {
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)settings.port)};
    inet_pton(AF_INET, settings.address, &name.sin_addr);
    if (bind(listener, (struct sockaddr *)&name, sizeof name) != 0 || listen(listener, 4096) != 0) {
        fprintf(stderr, "%s:%d: port in use\n", settings.address, settings.port);
        exit(4);
    }
    fprintf(stderr, "listening on %s:%d, fault %s\n", settings.address, settings.port,
            settings.fault);
    return listener;
}

static void accept_for_ever(int listener) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 * 1024);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int one = 1;
        int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (socket < 0 || has_fault("never-ready")) {
            continue;
        }
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        pthread_t thread;
        if (pthread_create(&thread, &small, serve, (void *)(long)socket) != 0) {
            close(socket);
        }
    }
}

static void end_well(int number) {
    (void)number;
    _exit(0);
}

static void parse(int count, char **arguments) {
    for (int i = 1; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        if (strcmp(arguments[i], "--version") == 0) {
            puts("pausemark-faulty 0.1.0");
            exit(0);
        }
        if (value == NULL) {
            fprintf(stderr, "%s: expected --name=value\n", arguments[i]);
            exit(2);
        }
        *value++ = '\0';
        if (strcmp(arguments[i], "--address") == 0) {
            settings.address = value;
        } else if (strcmp(arguments[i], "--port") == 0) {
            settings.port = atoi(value);
        } else if (strcmp(arguments[i], "--fault") == 0) {
            settings.fault = value;
        } else if (strcmp(arguments[i], "--after") == 0) {
            settings.after = atol(value);
        } else if (strcmp(arguments[i], "--delay-us") == 0) {
            settings.delay_us = (useconds_t)atol(value);
        } else {
            fprintf(stderr, "%s: unknown flag\n", arguments[i]);
            exit(2);
        }
    }
}

int main(int count, char **arguments) {
    parse(count, arguments);
    signal(SIGTERM, has_fault("stubborn") ? SIG_IGN : end_well);
    signal(SIGINT, end_well);
    if (has_fault("exits-at-once")) {
        fprintf(stderr, "ending at once as planned\n");
        return 3;
    }
    if (has_fault("forks") && fork() != 0) {
        wait(NULL);
        return 0;
    }
    if (has_fault("forks")) {
        setsid();
    }
    accept_for_ever(listen_on());
}
