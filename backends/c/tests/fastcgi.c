// FastCGI without nginx: records in any pieces, what they must answer, and what ends a connection.
#include "fastcgi.h"
#include "checksum.h"
#include "expect.h"
#include "sha256.h"
#include "slab.h"
#include "upload.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct options options = {.threads = 1,
                                 .use_pool = true,
                                 .fastcgi = true,
                                 .front = true,
                                 .object_bytes_max = 1 << 20,
                                 .store_bytes_max = 16 << 20};
static struct worker *worker;

// What a test sends, and what came back; large enough for an answer of several records.
struct bytes {
    size_t n;
    char p[1 << 19];
};
static struct bytes sent, got, answer;

static void add(struct bytes *to, const char *p, size_t n) {
    EXPECT(n <= sizeof to->p - to->n);
    if (n > 0)
        memcpy(to->p + to->n, p, n);
    to->n += n;
}

static void add_record(enum fastcgi_type type, uint16_t id, const char *content, size_t n) {
    char header[FASTCGI_HEADER_BYTES];
    fastcgi_put_header(header, type, id, n);
    add(&sent, header, sizeof header);
    add(&sent, content, n);
}

static void add_begin(uint16_t id, char role, char flags) {
    const char content[8] = {0, role, flags};
    add_record(FASTCGI_BEGIN_REQUEST, id, content, sizeof content);
}

// Values over 127 bytes have four bytes of length.
static size_t put_pair(char *to, const char *name, const char *value, size_t value_n) {
    size_t name_n = strlen(name), at = 0;
    to[at++] = (char)name_n;
    if (value_n > 127) {
        const char wide[4] = {(char)0x80, 0, (char)(value_n >> 8), (char)value_n};
        memcpy(to + at, wide, sizeof wide);
        at += sizeof wide;
    } else {
        to[at++] = (char)value_n;
    }
    memcpy(to + at, name, name_n);
    memcpy(to + at + name_n, value, value_n);
    return at + name_n + value_n;
}

static size_t put_head(char *to, const char *method, const char *target, const char *length) {
    size_t n = put_pair(to, "REQUEST_METHOD", method, strlen(method));
    n += put_pair(to + n, "REQUEST_URI", target, strlen(target));
    n += put_pair(to + n, "HTTP_HOST", "a", 1);
    if (length != NULL)
        n += put_pair(to + n, "HTTP_CONTENT_LENGTH", length, strlen(length));
    return n;
}

static void add_request(uint16_t id, const char *method, const char *target, const char *length) {
    char params[512];
    add_begin(id, FASTCGI_RESPONDER, FASTCGI_KEEP_CONNECTION);
    add_record(FASTCGI_PARAMS, id, params, put_head(params, method, target, length));
    add_record(FASTCGI_PARAMS, id, NULL, 0);
}

static void drain(struct connection *c, int peer) {
    ssize_t n;
    while ((n = read(peer, got.p + got.n, sizeof got.p - got.n)) > 0) {
        got.n += (size_t)n;
        connection_event(c, EPOLLOUT);
    }
}

// Plays what was added in pieces of `step` bytes. Whether the connection is still there.
static bool play(size_t step) {
    int ends[2];
    got.n = 0;
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    struct connection *c = connection_accept(worker, ends[1]);
    EXPECT(c != NULL);
    for (size_t at = 0; at < sent.n && !c->dead; at += step) {
        size_t n = sent.n - at < step ? sent.n - at : step;
        EXPECT(send(ends[0], sent.p + at, n, MSG_NOSIGNAL) == (ssize_t)n);
        connection_event(c, EPOLLIN);
        drain(c, ends[0]);
    }
    drain(c, ends[0]);
    bool alive = !c->dead;
    connection_close(c);
    worker_free_dead(worker);
    close(ends[0]);
    sent.n = 0;
    return alive;
}

// Joins the STDOUT of request `id` in `answer` until its end, whose protocol status is returned;
// -1: no end.
static int read_answer(uint16_t id) {
    struct fastcgi_header h;
    answer.n = 0;
    for (size_t at = 0; at < got.n; at += FASTCGI_HEADER_BYTES + h.content_n + h.padding_n) {
        EXPECT(got.n - at >= FASTCGI_HEADER_BYTES && fastcgi_read_header(got.p + at, &h));
        const char *content = got.p + at + FASTCGI_HEADER_BYTES;
        if (h.request_id != id)
            continue;
        if (h.type == FASTCGI_STDOUT)
            add(&answer, content, h.content_n);
        else if (h.type == FASTCGI_END_REQUEST)
            return content[4];
    }
    return -1;
}

static bool answers(uint16_t id, const char *begins, const char *ends) {
    size_t begins_n = strlen(begins), ends_n = strlen(ends);
    return read_answer(id) == FASTCGI_REQUEST_COMPLETE && answer.n >= begins_n + ends_n &&
           memcmp(answer.p, begins, begins_n) == 0 &&
           memcmp(answer.p + answer.n - ends_n, ends, ends_n) == 0;
}

static void add_put(uint16_t id, const char *body) {
    char length[8];
    snprintf(length, sizeof length, "%zu", strlen(body));
    add_request(id, "PUT", "/bucket/key", length);
    add_record(FASTCGI_STDIN, id, body, strlen(body));
    add_record(FASTCGI_STDIN, id, NULL, 0);
}

static void test_requests_in_any_pieces(void) {
    static const size_t steps[] = {1, 7, 64, 4096};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        add_put(1, "hello");
        add_request(2, "GET", "/bucket/key", NULL);
        add_record(FASTCGI_STDIN, 2, NULL, 0);
        EXPECT(play(steps[i]));
        EXPECT(answers(1, "Status: 200 OK\r\nDate: ", "Content-Length: 0\r\n\r\n"));
        EXPECT(answers(2, "Status: 200 OK\r\nDate: ", "\r\n\r\nhello"));
    }
}

// More than a record, a socket's buffer, and one round of pieces hold.
static void test_a_large_answer_is_whole(void) {
    static char body[400000];
    static const struct kept_headers none;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 31 >> 3);
    struct object *o = object_create(&none, sizeof body, 5);
    EXPECT(o != NULL && object_append(o, body, sizeof body));
    EXPECT(store_put(TEXT("bucket"), TEXT("large"), o, NULL, NULL) == STORE_OK);
    add_request(9, "GET", "/bucket/large", NULL);
    EXPECT(play(4096));
    EXPECT(read_answer(9) == FASTCGI_REQUEST_COMPLETE && answer.n > sizeof body);
    EXPECT(memcmp(answer.p + answer.n - sizeof body, body, sizeof body) == 0);
}

static void test_a_second_request_at_once_is_refused(void) {
    add_request(1, "PUT", "/bucket/key", "2");
    add_begin(2, FASTCGI_RESPONDER, 0);
    add_record(FASTCGI_STDIN, 2, "??", 2); // of nobody: read past
    add_record(FASTCGI_STDIN, 1, "ok", 2);
    add_record(FASTCGI_STDIN, 1, NULL, 0);
    EXPECT(play(50) && answers(1, "Status: 200 OK\r\n", "\r\n\r\n"));
    EXPECT(read_answer(2) == FASTCGI_CANNOT_MULTIPLEX);
    add_begin(3, 2, FASTCGI_KEEP_CONNECTION); // an authorizer
    EXPECT(play(50) && read_answer(3) == FASTCGI_UNKNOWN_ROLE);
}

static void test_an_abort_stores_nothing(void) {
    struct object *o;
    add_request(1, "PUT", "/bucket/aborted", "4");
    add_record(FASTCGI_STDIN, 1, "half", 2);
    add_record(FASTCGI_ABORT_REQUEST, 1, NULL, 0);
    add_record(FASTCGI_STDIN, 1, "lf", 2);
    add_record(FASTCGI_STDIN, 1, NULL, 0);
    EXPECT(play(4096) && read_answer(1) == FASTCGI_REQUEST_COMPLETE && answer.n == 0);
    EXPECT(store_get(TEXT("bucket"), TEXT("aborted"), &o) == STORE_NO_KEY);
}

static void test_a_short_body_is_refused(void) {
    add_request(1, "PUT", "/bucket/short", "4");
    add_record(FASTCGI_STDIN, 1, "abc", 3);
    add_record(FASTCGI_STDIN, 1, NULL, 0);
    EXPECT(play(4096) && answers(1, "Status: 400 Bad Request\r\n", "</Error>"));
    add_request(1, "PUT", "/bucket/long", "2");
    add_record(FASTCGI_STDIN, 1, "abc", 3);
    EXPECT(!play(4096));
}

static void test_values_and_unknown_types(void) {
    static const char asked[] = "\x0f\0FCGI_MPXS_CONNS\7\0NOTHING\x0e\0FCGI_MAX_CONNS";
    static const char told[] = "\x0e\5FCGI_MAX_CONNS65535\x0f\1FCGI_MPXS_CONNS0";
    struct fastcgi_header h;
    add_record(FASTCGI_GET_VALUES, 0, asked, sizeof asked - 1);
    add_record(77, 0, "?", 1);
    EXPECT(play(3) && fastcgi_read_header(got.p, &h));
    EXPECT(h.type == FASTCGI_GET_VALUES_RESULT && h.content_n == sizeof told - 1);
    EXPECT(memcmp(got.p + FASTCGI_HEADER_BYTES, told, sizeof told - 1) == 0);
    const char *second = got.p + FASTCGI_HEADER_BYTES + h.content_n;
    EXPECT(fastcgi_read_header(second, &h) && h.type == FASTCGI_UNKNOWN_TYPE && second[8] == 77);
}

static void test_malformed_records_end_the_connection(void) {
    add(&sent, "GET / HTTP/1.1\r\n\r\n", 18);
    EXPECT(!play(4096));
    add_begin(0, FASTCGI_RESPONDER, 0); // told as unknown: no request has this id
    EXPECT(play(4096));
    add_record(FASTCGI_BEGIN_REQUEST, 1, "short", 5);
    EXPECT(!play(4096));
    add_record(FASTCGI_STDOUT, 1, "ours", 4);
    EXPECT(!play(4096));
    add_begin(1, FASTCGI_RESPONDER, 0);
    add_begin(1, FASTCGI_RESPONDER, 0);
    EXPECT(!play(4096));
    add_begin(1, FASTCGI_RESPONDER, 0);
    add_record(FASTCGI_STDIN, 1, "early", 5);
    EXPECT(!play(4096));
}

// The front is asked to end its client's connection: see fastcgi_refuse.
static void test_heads_beyond_the_limit_or_malformed(void) {
    static char filler[16000], params[20000];
    const char *bad[] = {"a\r\nX: b", "a\nX: b"};
    memset(filler, 'v', sizeof filler);
    for (uint16_t count = 1; count <= 3; count++) {
        add_begin(1, FASTCGI_RESPONDER, FASTCGI_KEEP_CONNECTION);
        add_record(FASTCGI_PARAMS, 1, params, put_head(params, "GET", "/", NULL));
        for (uint16_t i = 0; i < count; i++)
            add_record(FASTCGI_PARAMS, 1, params,
                       put_pair(params, "HTTP_X", filler, sizeof filler));
        add_record(FASTCGI_PARAMS, 1, NULL, 0);
        EXPECT(play(4096));
        EXPECT(count == 1 ? answers(1, "Status: 200 OK\r\nDate:", "Result>")
                          : answers(1, "Status: 200 OK\r\nX-Accel-Redirect: /_front/494\r\n", ""));
    }
    for (size_t i = 0; i < 2; i++) {
        size_t n = put_head(params, "GET", "/", NULL);
        n += put_pair(params + n, "HTTP_A", bad[i], strlen(bad[i]));
        add_begin(1, FASTCGI_RESPONDER, FASTCGI_KEEP_CONNECTION);
        add_record(FASTCGI_PARAMS, 1, params, n);
        add_record(FASTCGI_PARAMS, 1, NULL, 0);
        EXPECT(play(4096));
        EXPECT(answers(1, "Status: 200 OK\r\nX-Accel-Redirect: /_front/400\r\n", "\r\n"));
    }
}

// Who asks without a front is told what was wrong, on a connection that goes on.
static void test_refusals_without_a_front(void) {
    static char filler[16000], params[20000];
    memset(filler, 'v', sizeof filler);
    options.front = false;
    for (uint16_t is_large = 0; is_large <= 1; is_large++) {
        add_begin(1, FASTCGI_RESPONDER, FASTCGI_KEEP_CONNECTION);
        add_record(FASTCGI_PARAMS, 1, params, put_head(params, "GET", "/", NULL));
        size_t n = is_large ? sizeof filler : 4;
        for (uint16_t i = 0; i <= is_large; i++)
            add_record(FASTCGI_PARAMS, 1, params,
                       put_pair(params, "HTTP_A", is_large ? filler : "a\r\nb", n));
        add_record(FASTCGI_PARAMS, 1, NULL, 0);
        add_record(FASTCGI_STDIN, 1, "past", 4);
        EXPECT(play(4096));
        EXPECT(answers(1, is_large ? "Status: 431 " : "Status: 400 ", "</Error>"));
    }
    options.front = true;
}

static void test_what_the_front_refused_is_told(void) {
    char params[512];
    size_t n = put_head(params, "GET", "/bucket/key", NULL);
    n += put_pair(params + n, "PAUSEMARK_REFUSED", "494", 3);
    add_begin(1, FASTCGI_RESPONDER, 0);
    add_record(FASTCGI_PARAMS, 1, params, n);
    add_record(FASTCGI_PARAMS, 1, NULL, 0);
    play(4096);
    EXPECT(answers(1, "Status: 431 ", "</Error>"));
}

static void test_names_come_back_in_lower_case(void) {
    static struct fastcgi_head head;
    char params[512];
    size_t n = put_head(params, "GET", "/a_B", NULL);
    n += put_pair(params + n, "HTTP_X_AMZ_META_A", " V_v", 4);
    EXPECT(fastcgi_read_head((struct text){params, n}, &head) == HEAD_COMPLETE);
    struct text wanted = TEXT("GET /a_B HTTP/1.1\r\nhost: a\r\nx-amz-meta-a:  V_v\r\n\r\n");
    EXPECT(text_is((struct text){head.bytes, head.n}, wanted));
    EXPECT(fastcgi_read_head((struct text){params, n - 1}, &head) == HEAD_BAD);
}

int main(void) {
    slab_start(SLAB_POOL);
    object_limit_store(options.store_bytes_max);
    request_on_body(connection_sink);
    checksum_start();
    EXPECT(store_start() && sha256_start());
    const struct worker_source source = {.listener = eventfd(0, EFD_NONBLOCK)};
    worker = worker_create(&options, 0, &source, eventfd(0, EFD_NONBLOCK), NULL);
    EXPECT(worker != NULL);
    store_create_bucket(TEXT("bucket"), 0);
    test_requests_in_any_pieces();
    test_a_large_answer_is_whole();
    test_a_second_request_at_once_is_refused();
    test_an_abort_stores_nothing();
    test_a_short_body_is_refused();
    test_values_and_unknown_types();
    test_malformed_records_end_the_connection();
    test_heads_beyond_the_limit_or_malformed();
    test_refusals_without_a_front();
    test_what_the_front_refused_is_told();
    test_names_come_back_in_lower_case();
    worker_destroy(worker);
    sha256_stop();
    puts("fastcgi: good");
    return 0;
}
