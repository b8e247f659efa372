// A request whose body is being read: an object or a part, or a document that says what to do. What
// S3 calls a multipart upload is a multipart here.
#ifndef PAUSEMARK_UPLOAD_H
#define PAUSEMARK_UPLOAD_H
#include "answer.h"
#include "aws_chunked.h"
#include "commit.h"
#include "md5.h"
#include "multipart.h"
#include "payload.h"
#include "store.h"

#define DOCUMENT_BYTES_MAX ((uint64_t)8 << 20)

// UPLOAD_BUCKET: the configuration in a bucket's PUT, which is verified and says nothing to us.
enum upload_kind { UPLOAD_OBJECT, UPLOAD_PART, UPLOAD_KEY_LIST, UPLOAD_COMPLETION, UPLOAD_BUCKET };

struct upload {
    struct upload *next_free;
    struct object *object; // the content so far, one reference
    enum upload_kind kind;
    struct conditions *conditions; // on the write; owned
    bool wants_md5, is_aws_chunked;
    enum error_code error; // the first thing that went wrong; the rest of the body is read past
    uint64_t decoded_length, bytes_max;
    uint8_t md5_expected[16], md5_found[16];
    struct md5 md5;
    struct payload payload;
    struct checksum_check checksums;
    unsigned part_number;
    size_t bucket_n, key_n, resource_n, multipart_id_n;
    struct aws_chunked aws;
    char bucket[64], key[KEY_BYTES_MAX], resource[RESOURCE_BYTES_MAX];
    char multipart_id[MULTIPART_ID_BYTES];
};

// Of a part or a completion.
static inline struct multipart_name upload_multipart(const struct upload *u) {
    return (struct multipart_name){
        {u->bucket, u->bucket_n}, {u->key, u->key_n}, {u->multipart_id, u->multipart_id_n}};
}
// An empty one without a kind; NULL when memory is exhausted.
struct upload *upload_take(struct worker *w);
// Checks the head and prepares to read the body; answers the error itself and returns NULL.
struct upload *upload_open(struct connection *c, struct request *r, enum upload_kind kind);
void upload_feed(struct upload *u, struct text bytes);
// Verifies, stores, answers, and gives the upload back, at once or once the log has it.
void upload_finish(struct connection *c);
void upload_close(struct worker *w, struct upload *u);
void upload_free_all(struct worker *w);
// 200 with the ETag and the checksums of what was read.
void upload_answer_stored(struct connection *c, const struct upload *u);
// delete_many.c: answers POST ?delete from the body that `u` gathered; takes `u` over.
void delete_many(struct connection *c, struct upload *u);
#endif
