// The multipart uploads that are open: in memory alone, gone with their bucket or their process.
// Every function is thread safe; what waits behind their one lock is a lookup or a listing.
#ifndef PAUSEMARK_MULTIPART_H
#define PAUSEMARK_MULTIPART_H
#include "completion.h"
#include "md5.h"
#include "object_chain.h"

#define MULTIPART_COUNT_MAX 1000
#define MULTIPART_ID_BYTES 32
#define PART_NUMBER_MAX 10000

// An upload is found by all three.
struct multipart_name {
    struct text bucket, key, id;
};

enum multipart_result {
    MULTIPART_OK,
    MULTIPART_NONE, // it is not open
    MULTIPART_NO_BUCKET,
    MULTIPART_FULL, // memory, or there are MULTIPART_COUNT_MAX
    MULTIPART_INVALID_PART,
    MULTIPART_TOO_SMALL,
    MULTIPART_TOO_LARGE
};

struct multipart;

// Opens one and writes its id, MULTIPART_ID_BYTES. `described` is the object to come without its
// body; the caller's reference to it is taken over on MULTIPART_OK and only then.
enum multipart_result multipart_begin(struct text bucket, struct text key, struct object *described,
                                      int64_t now_s, char *id);
bool multipart_is_open(struct multipart_name name);
// Takes over the caller's reference on MULTIPART_OK and only then; `part` has blocks of its own.
enum multipart_result multipart_put_part(struct multipart_name name, unsigned number,
                                         struct object *part);
enum multipart_result multipart_abort(struct multipart_name name);

// Makes an object of the parts that `c` names, one reference in *whole, and keeps the upload for
// the caller, who settles it: until then it is listed, but whoever would change it finds none.
enum multipart_result multipart_claim(struct multipart_name name, const struct completion *c,
                                      uint64_t bytes_max, struct md5 *md5,
                                      struct multipart **claimed, struct object **whole);
// The object was stored and the upload is over, or it is open again unless its bucket has ended.
// NULL is allowed.
void multipart_settle(struct multipart *claimed, bool is_stored);

// Called with the bucket's end, under the lock that no bucket is made behind: takes its uploads
// out. What it returns is freed by multipart_free, behind that lock.
struct multipart *multipart_end_bucket(struct text bucket);
void multipart_free(struct multipart *ended);

struct listed_multipart {
    struct text key, id;
    int64_t begun_s;
};
// Visits a bucket's uploads by key, then id, from the first whose key is not below `from`, until
// the visitor says false.
void multipart_list(struct text bucket, struct text from,
                    bool (*visitor)(void *context, const struct listed_multipart *item),
                    void *context);
// Visits the parts whose number is above `after`, by number.
enum multipart_result multipart_list_parts(struct multipart_name name, uint64_t after,
                                           bool (*visitor)(void *context, unsigned number,
                                                           const struct object *part),
                                           void *context);
#endif
