// How a handler makes a write happen: at once in ram, by way of the log otherwise. What a request
// needs behind the log stands here, because its head is gone by then.
#ifndef PAUSEMARK_COMMIT_H
#define PAUSEMARK_COMMIT_H
#include "answer.h"
#include "write.h"

#define RESOURCE_BYTES_MAX 3200

struct commit;
struct deletion;
struct multipart;
// Answers, or submits more writes, once nothing is waited for.
typedef void commit_then(struct connection *c, struct commit *k);

struct commit {
    struct commit *next_free;
    struct connection *connection; // NULL once its client has hung up
    size_t waiting;                // writes that the log has not given back yet
    commit_then *then;
    struct write write;        // what the request asks to change, when it is one thing
    struct upload *upload;     // of a body; owned
    struct deletion *deletion; // of POST ?delete; owned
    struct object *made;       // what the answer tells of; one reference
    struct multipart *claimed; // that a completion ends when its write is done; owned
    struct text resource;
    char bucket[64], key[KEY_BYTES_MAX], path[RESOURCE_BYTES_MAX];
};

// NULL when there is no memory; given back by commit_go_on, or by commit_give when it was not
// submitted to (NULL is allowed).
struct commit *commit_take(struct worker *w);
void commit_give(struct worker *w, struct commit *k);
// Copies what k->write and k->resource borrow, for a request of which nothing else is kept.
void commit_keep_names(struct commit *k);
// `w` and what it borrows must stay until it is back. Its outcome is set, or k->waiting has grown:
// then it is the log's, and not to be looked at.
void commit_submit(struct connection *c, struct commit *k, struct write *w);
// Behind the submissions. Calls k->then at once when nothing is waited for; otherwise the
// connection waits, and its later requests with it.
void commit_go_on(struct connection *c, struct commit *k);
// The client of a commit that waits, or whose answer could not be sent yet, is gone.
void commit_abandon(struct worker *w, struct commit *k);
// Takes back what the log is done with.
void commit_take_back(struct worker *w);
void commit_free_all(struct worker *w);

// ERROR_NONE when it was done.
enum error_code commit_error(enum write_outcome outcome);
// Answers a write that was refused; false when it was done.
bool commit_answer_refused(struct connection *c, const struct commit *k);

// delete_many.c
void deletion_free(struct deletion *d);
#endif
