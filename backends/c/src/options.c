// Flags as "--name value" or "--name=value"; anything unexpected is refused by name.
#include "options.h"
#include <arpa/inet.h>
#include <stdio.h>

// 512 MiB: what the largest table of blocks can describe.
#define OBJECT_BYTES_CEILING ((uint64_t)512 << 20)
#define SEGMENT_BYTES_LEAST ((uint64_t)4096)
#define SEGMENT_BYTES_CEILING ((uint64_t)1 << 30)
#define SYNC_INTERVAL_MS_MAX 60000

static bool read_bytes(struct text value, uint64_t *bytes) {
    static const struct {
        struct text suffix;
        unsigned shift;
    } units[] = {{{"KiB", 3}, 10}, {{"MiB", 3}, 20}, {{"GiB", 3}, 30}, {{"B", 1}, 0}};
    unsigned shift = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t n = units[i].suffix.n;
        if (value.n > n && memcmp(value.p + value.n - n, units[i].suffix.p, n) == 0) {
            shift = units[i].shift;
            value.n -= n;
            break;
        }
    }
    if (!text_to_u64(value, bytes) || *bytes == 0 || *bytes > UINT64_MAX >> shift >> 1)
        return false;
    *bytes <<= shift;
    return true;
}

static bool read_number(const char *value, uint64_t least, uint64_t most, uint64_t *number) {
    return text_to_u64((struct text){value, strlen(value)}, number) && *number >= least &&
           *number <= most;
}

static const char *add_credential(struct options *o, const char *value) {
    struct text secret = {value, strlen(value)};
    struct text id = text_cut(&secret, ':');
    if (o->credential_count == CREDENTIALS_MAX)
        return "at most 16 of them";
    if (id.n == 0 || id.n > CREDENTIAL_BYTES_MAX || secret.n == 0 ||
        secret.n > CREDENTIAL_BYTES_MAX)
        return "ID:SECRET, each of 1 to 128 bytes";
    o->credentials[o->credential_count++] = (struct credential){id, secret};
    return NULL;
}

static bool read_durability(struct text value, enum durability *mode) {
    static const struct text names[] = {[DURABILITY_RAM] = {"ram", 3},
                                        [DURABILITY_BUFFERED] = {"buffered", 8},
                                        [DURABILITY_INTERVAL] = {"interval", 8},
                                        [DURABILITY_BATCH] = {"batch", 5},
                                        [DURABILITY_SYNC] = {"sync", 4}};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        *mode = i;
        if (text_is(value, names[i]))
            return true;
    }
    return false;
}

static bool read_segment_bytes(struct text value, uint64_t *bytes) {
    bool good = read_bytes(value, bytes) && *bytes >= SEGMENT_BYTES_LEAST &&
                *bytes <= SEGMENT_BYTES_CEILING;
    *bytes = log_round_up(*bytes); // records begin at multiples of 8
    return good;
}

// Those of the log, as apply(); `*is_other`: the flag is none of them.
static const char *apply_log(struct options *o, struct text name, const char *value,
                             bool *is_other) {
    struct log_settings *log = &o->log;
    struct text text = {value, strlen(value)};
    *is_other = false;
    if (text_is(name, TEXT("--durability")))
        return read_durability(text, &log->mode) ? NULL : "ram, buffered, interval, batch or sync";
    if (text_is(name, TEXT("--data-directory"))) {
        o->data_directory = value;
        return text.n > 0 ? NULL : "a path";
    }
    if (text_is(name, TEXT("--sync-interval-ms")))
        return read_number(value, 1, SYNC_INTERVAL_MS_MAX, &log->sync_interval_ms) ? NULL
                                                                                   : "1 to 60000";
    if (text_is(name, TEXT("--segment-bytes")))
        return read_segment_bytes(text, &log->limits.segment_bytes) ? NULL : "4KiB to 1GiB";
    if (text_is(name, TEXT("--log-bytes-max")))
        return read_bytes(text, &log->limits.log_bytes_max) ? NULL : "a size such as 8GiB";
    *is_other = true;
    return NULL;
}

static const char *apply_memory(struct options *o, struct text name, struct text value) {
    if (text_is(name, TEXT("--allocator"))) {
        o->use_pool = text_is(value, TEXT("pool"));
        return o->use_pool || text_is(value, TEXT("malloc")) ? NULL : "pool or malloc";
    }
    if (text_is(name, TEXT("--data-path"))) {
        o->use_sendfile = text_is(value, TEXT("sendfile"));
        return o->use_sendfile || text_is(value, TEXT("copy")) ? NULL : "copy or sendfile";
    }
    o->use_huge_pages = text_is(value, TEXT("transparent"));
    return o->use_huge_pages || text_is(value, TEXT("off")) ? NULL : "off or transparent";
}

// What was expected, or NULL when the flag and its value are good.
static const char *apply(struct options *o, struct text name, const char *value) {
    struct in_addr address;
    struct in6_addr address6;
    uint64_t number = 0;
    struct text text = {value, strlen(value)};
    if (text_is(name, TEXT("--address"))) {
        o->address = value;
        bool good =
            inet_pton(AF_INET, value, &address) == 1 || inet_pton(AF_INET6, value, &address6) == 1;
        return good ? NULL : "an IPv4 or IPv6 address";
    }
    if (text_is(name, TEXT("--port"))) {
        bool good = read_number(value, 1, 65535, &number);
        o->port = (uint16_t)number;
        return good ? NULL : "1 to 65535";
    }
    if (text_is(name, TEXT("--threads"))) {
        bool good = read_number(value, 1, 64, &number);
        o->threads = (unsigned)number;
        return good ? NULL : "1 to 64";
    }
    if (text_is(name, TEXT("--stack"))) {
        o->fastcgi = text_is(text, TEXT("fastcgi"));
        return o->fastcgi || text_is(text, TEXT("epoll")) ? NULL : "epoll or fastcgi";
    }
    if (text_is(name, TEXT("--front"))) {
        o->front = text_is(text, TEXT("nginx"));
        return o->front || text_is(text, TEXT("none")) ? NULL : "nginx or none";
    }
    if (text_is(name, TEXT("--storage"))) {
        o->bridge = text_is(text, TEXT("process"));
        return o->bridge || text_is(text, TEXT("thread")) ? NULL : "thread or process";
    }
    if (text_is(name, TEXT("--allocator")) || text_is(name, TEXT("--huge-pages")) ||
        text_is(name, TEXT("--data-path")))
        return apply_memory(o, name, text);
    if (text_is(name, TEXT("--auth"))) {
        o->verify = text_is(text, TEXT("verify"));
        return o->verify || text_is(text, TEXT("parse")) ? NULL : "parse or verify";
    }
    if (text_is(name, TEXT("--credential")))
        return add_credential(o, value);
    if (text_is(name, TEXT("--object-bytes-max")))
        return read_bytes(text, &o->object_bytes_max) && o->object_bytes_max <= OBJECT_BYTES_CEILING
                   ? NULL
                   : "1 to 512MiB";
    if (text_is(name, TEXT("--store-bytes-max")))
        return read_bytes(text, &o->store_bytes_max) ? NULL : "a size such as 4GiB";
    bool is_other;
    const char *expected = apply_log(o, name, value, &is_other);
    if (!is_other)
        return expected;
    return "one of --address --port --threads --stack --front --storage --allocator --huge-pages "
           "--data-path --auth "
           "--credential "
           "--object-bytes-max "
           "--store-bytes-max --durability --data-directory --sync-interval-ms --segment-bytes "
           "--log-bytes-max --version";
}

enum options_result options_read(int count, char **arguments, struct options *options) {
    *options = (struct options){.address = "127.0.0.1",
                                .port = 9000,
                                .threads = 1,
                                .front = true,
                                .use_pool = true,
                                .object_bytes_max = (uint64_t)64 << 20,
                                .store_bytes_max = (uint64_t)4 << 30,
                                .log = {.mode = DURABILITY_RAM,
                                        .sync_interval_ms = 100,
                                        .limits = {.segment_bytes = (uint64_t)64 << 20,
                                                   .log_bytes_max = (uint64_t)8 << 30}}};
    for (int i = 1; i < count; i++) {
        struct text rest = {arguments[i], strlen(arguments[i])};
        if (text_is(rest, TEXT("--version")))
            return OPTIONS_VERSION;
        bool joined = strchr(arguments[i], '=') != NULL;
        struct text name = text_cut(&rest, '=');
        const char *value = joined ? rest.p : i + 1 < count ? arguments[++i] : "";
        const char *expected = apply(options, name, value);
        if (expected != NULL) {
            bool is_secret = text_is(name, TEXT("--credential"));
            fprintf(stderr, "error: %.*s: bad flag, expected %s, got '%s'\n", (int)name.n, name.p,
                    expected, is_secret ? "(not shown)" : value);
            return OPTIONS_BAD;
        }
    }
    if (options->verify && options->credential_count == 0) {
        fprintf(stderr, "error: --auth: verify without a key, expected --credential, got none\n");
        return OPTIONS_BAD;
    }
    if (!options->front && !options->fastcgi) {
        fprintf(stderr, "error: --front: none is FastCGI's, expected --stack=fastcgi, got epoll\n");
        return OPTIONS_BAD;
    }
    options->front = options->fastcgi && options->front;
    if (options->bridge && !options->fastcgi) {
        fprintf(stderr, "error: --storage: process is FastCGI's, expected --stack=fastcgi, "
                        "got epoll\n");
        return OPTIONS_BAD;
    }
    if (options->use_huge_pages && !options->use_pool) {
        fprintf(stderr, "error: --huge-pages: transparent is the pool's, expected "
                        "--allocator=pool, got malloc\n");
        return OPTIONS_BAD;
    }
    if (options->use_sendfile && (options->fastcgi || !options->use_pool)) {
        fprintf(stderr, "error: --data-path: sendfile is the pool's and epoll's, expected "
                        "--allocator=pool and --stack=epoll, got another\n");
        return OPTIONS_BAD;
    }
    if (options->log.mode != DURABILITY_RAM && options->data_directory == NULL) {
        fprintf(stderr, "error: --data-directory: missing, expected a path for the log\n");
        return OPTIONS_BAD;
    }
    return OPTIONS_RUN;
}
