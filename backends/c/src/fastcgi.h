// A connection that speaks FastCGI in place of HTTP: records in, requests to the S3 layer, answers
// out as records. Reading, waiting and sending stay with connection.c and sending.c, which ask
// here.
#ifndef PAUSEMARK_FASTCGI_H
#define PAUSEMARK_FASTCGI_H
#include "fastcgi_head.h"
#include "fastcgi_record.h"
#include <sys/uio.h>

// One request at a time: nginx never begins a second on a connection, and who does is told
// CANT_MPX_CONN.
struct fastcgi {
    bool is_active;    // a request has begun and has no answer yet
    bool has_head;     // its PARAMS have ended
    bool reads_head;   // they are being looked at now
    bool is_too_large; // they were more than the limit
    bool keeps;        // the connection outlives the request
    bool has_length;
    uint16_t request_id;
    uint64_t body_left; // of a body with a length
    size_t params_n;

    // The record that is being read: what its header said, and how much of it is to come.
    struct fastcgi_header record;
    size_t content_left, padding_left;

    // What is being sent behind the worker's output: the header of a record of the connection's
    // source, that record up to `record_end`, and behind the last one what ends the request.
    size_t answer_at; // where in the worker's output the answer stands
    char header[FASTCGI_HEADER_BYTES], last[FASTCGI_END_BYTES];
    size_t header_left, last_left;
    uint64_t record_end;

    char params[FASTCGI_PARAMS_BYTES_MAX];
};

struct fastcgi *fastcgi_create(void); // NULL when memory is exhausted

// Works through the input like HTTP's: returns how much was consumed.
size_t fastcgi_consume(struct connection *c, const char *input, size_t n);
// Refuses a head so that the front ends its client's connection, which only the front can: it is
// sent to a place where it does, and asks again from there. False where the refusal is to be told.
bool fastcgi_refuse(struct connection *c, enum error_code code);
// Around whatever may answer the request: room for a record's header, then the header.
void fastcgi_begin_answer(struct connection *c);
void fastcgi_end_answer(struct connection *c);

// For sending.c: whether anything but the worker's output is to be sent; its pieces, and that `n`
// bytes of them are gone.
bool fastcgi_owes(const struct connection *c);
int fastcgi_gather(struct connection *c, struct iovec *pieces, int count, int most);
void fastcgi_sent(struct connection *c, size_t n);
#endif
