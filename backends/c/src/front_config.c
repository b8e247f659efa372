// nginx.conf: everything that the contract asks of HTTP and that nginx would do otherwise.
#include "front.h"
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <unistd.h>

// nginx touches some 400 bytes for each at its start.
#define CLIENTS_AND_SOCKETS_MAX 32768
#define DOCUMENT_BYTES_LEAST ((uint64_t)8 << 20) // lists of keys and of parts, whatever objects are

// aws-chunked adds a signature to each 8 KiB or more; the exact limit is the S3 layer's.
static uint64_t body_bytes_max(const struct options *o) {
    return o->object_bytes_max + o->object_bytes_max / 8 + DOCUMENT_BYTES_LEAST;
}

static unsigned long connections_max(void) {
    struct rlimit limit;
    bool is_less =
        getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < CLIENTS_AND_SOCKETS_MAX;
    return is_less ? (unsigned long)limit.rlim_cur : CLIENTS_AND_SOCKETS_MAX;
}

// As root nginx would give its workers another user, who could not open our sockets.
static void put_user(FILE *to) {
    const struct passwd *user = geteuid() == 0 ? getpwuid(0) : NULL;
    const struct group *group = geteuid() == 0 ? getgrgid(getegid()) : NULL;
    if (user != NULL && group != NULL)
        fprintf(to, "user %s %s;\n", user->pw_name, group->gr_name);
}

static void put_process(const struct options *o, FILE *to) {
    put_user(to);
    fprintf(to,
            "daemon off;\n"
            "worker_processes %u;\n"
            "worker_shutdown_timeout 1s;\n"
            "pid nginx.pid;\n"
            "lock_file nginx.lock;\n"
            "error_log stderr crit;\n"
            "events { worker_connections %lu; }\n",
            o->threads, connections_max());
}

// Round robin over one socket a thread: each gets its share, as the kernel gives it to listeners.
static void put_upstream(const struct options *o, FILE *to) {
    fprintf(to, "upstream store {\n");
    for (unsigned i = 0; i < o->threads; i++)
        fprintf(to, "server unix:%u.sock max_fails=0;\n", i);
    fprintf(to, "keepalive 1024;\nkeepalive_requests 1000000000;\n"
                "keepalive_timeout 30d;\nkeepalive_time 30d;\n}\n");
}

// A head is at most 16 KiB in all: our side counts. A connection without a request may idle.
static void put_limits(const struct options *o, FILE *to) {
    fprintf(to,
            "client_header_buffer_size 2k;\n"
            "large_client_header_buffers 2 16k;\n"
            "client_max_body_size %llu;\n"
            "client_body_buffer_size 64k;\n"
            "client_header_timeout 30s;\n"
            "client_body_timeout 29s;\n" // before our own limit of 30 s, which would be a 502
            "lingering_timeout 2s;\n"
            "keepalive_timeout 30d;\nkeepalive_time 30d;\nkeepalive_requests 1000000000;\n"
            "ignore_invalid_headers off;\nunderscores_in_headers on;\nmerge_slashes off;\n",
            (unsigned long long)body_bytes_max(o));
}

static void put_temporary_paths(FILE *to) {
    static const char *const modules[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        fprintf(to, "%s_temp_path temporary/%s;\n", modules[i], modules[i]);
}

// A client that has sent all and says so is not one that gave up (ignore_client_abort), and no
// request is ever sent twice (next_upstream).
static void put_fastcgi(FILE *to) {
    fprintf(to, "fastcgi_keep_conn on;\n"
                "fastcgi_buffering off;\n"
                "fastcgi_request_buffering off;\n"
                "fastcgi_buffer_size 64k;\n"
                "fastcgi_buffers 4 64k;\n" // unused, but nginx wants them to fit the size above
                "fastcgi_ignore_client_abort on;\n"
                "fastcgi_next_upstream off;\n"
                "fastcgi_read_timeout 600s;\nfastcgi_send_timeout 600s;\n"
                "fastcgi_param REQUEST_METHOD $request_method;\n"
                "fastcgi_param REQUEST_URI $request_uri;\n");
}

static void put_refusals(FILE *to) {
    static const unsigned statuses[] = {400, 405, 413, 414, 494, 501};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        fprintf(to,
                "error_page %u = " FRONT_REFUSED "%u;\n"
                "location = " FRONT_REFUSED "%u {\n"
                "fastcgi_param PAUSEMARK_REFUSED %u;\n"
                "fastcgi_param REQUEST_METHOD $request_method;\n"
                "fastcgi_param REQUEST_URI $request_uri;\n"
                "fastcgi_pass_request_body off;\n"
                "keepalive_timeout 0;\n" // ends the client's connection
                "fastcgi_pass store;\n}\n",
                statuses[i], statuses[i], statuses[i], statuses[i]);
}

static void put_server(const struct options *o, FILE *to) {
    bool is_v6 = strchr(o->address, ':') != NULL;
    fprintf(to,
            "server {\n"
            "listen %s%s%s:%u backlog=4096%s;\n"
            "location / { fastcgi_pass store; }\n",
            is_v6 ? "[" : "", o->address, is_v6 ? "]" : "", (unsigned)o->port,
            o->threads > 1 ? " reuseport" : "");
    put_refusals(to);
    fprintf(to, "}\n");
}

bool front_write_config(const struct options *o, FILE *to) {
    put_process(o, to);
    fprintf(to, "http {\naccess_log off;\ndefault_type '';\nabsolute_redirect off;\n");
    put_limits(o, to);
    put_temporary_paths(to);
    put_upstream(o, to);
    put_fastcgi(to);
    put_server(o, to);
    fprintf(to, "}\n");
    return ferror(to) == 0;
}
