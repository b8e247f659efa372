// A stored object: kept headers, digest and a body in slab blocks, its own or those of others
// (object_chain); immutable once it is in the store.
#ifndef PAUSEMARK_OBJECT_H
#define PAUSEMARK_OBJECT_H
#include "checksum.h"
#include "slab.h"
#include <stdatomic.h>

#define METADATA_COUNT_MAX 100
#define DEFAULT_CONTENT_TYPE "binary/octet-stream"
// What the largest table of blocks can name.
#define OBJECT_BLOCKS_MAX (SLAB_BLOCK_BYTES_MAX / sizeof(char *))
#define ETAG_BYTES_MAX 38 // 32 hex digits, "-" and the count of parts

// The headers that are kept as they came, in the order in which they are told and logged.
enum kept_header {
    KEPT_CONTENT_TYPE,
    KEPT_CACHE_CONTROL,
    KEPT_CONTENT_DISPOSITION,
    KEPT_CONTENT_ENCODING,
    KEPT_CONTENT_LANGUAGE,
    KEPT_EXPIRES,
    KEPT_COUNT
};

// What a PUT asks to keep; borrowed from the request.
struct kept_headers {
    struct text values[KEPT_COUNT]; // empty: not sent
    size_t metadata_count;
    struct {
        struct text name, value; // the name after "x-amz-meta-", lower case
    } metadata[METADATA_COUNT_MAX];
};

struct object {
    atomic_uint references; // of those who use it: the index, a reader, an open multipart upload
    atomic_uint sharers;    // 1 while it is used, and 1 for each object whose body has its blocks
    uint32_t allocated_bytes;
    uint32_t piece_count;
    int64_t modified_s;
    uint64_t size_bytes;
    uint64_t charged_bytes;   // what it counts for in the store's limit
    uint64_t length_promised; // UINT64_MAX when unknown
    uint8_t md5[16];
    uint16_t parts;             // 0, or how many a multipart object has
    struct checksums checksums; // that the client sent and that were verified
    uint32_t block_count, table_capacity;
    uint32_t last_block_bytes;   // capacity of the last block
    char *single;                // the only block, while block_count <= 1
    char **table;                // all blocks, from the second on
    struct object_piece *pieces; // instead of blocks: others that have them
    bool joins;                  // whether it uses those, or only shares their blocks
    uint16_t kept_n[KEPT_COUNT], metadata_count;
    char fields[]; // kept headers, then per metadatum: two uint16 lengths, name, value
};

// Sets the limit that object_create and object_append charge against.
void object_limit_store(uint64_t store_bytes_max);
// One reference, owned by the caller. NULL when memory or the store's limit is exhausted.
// `key_bytes` only counts for the limit.
struct object *object_create(const struct kept_headers *kept, uint64_t length, size_t key_bytes);
// The same with the kept headers of another object.
struct object *object_create_like(const struct object *model, uint64_t length, size_t key_bytes);
// False when memory or the limit is exhausted. Not thread safe (one uploader).
bool object_append(struct object *o, const char *bytes, size_t n);
// Gives back what an unknown length had reserved too much.
void object_seal(struct object *o);
struct object *object_hold(struct object *o);
// With the last reference its charge is given back; its memory, once nobody shares it either.
void object_release(struct object *o);
struct object *object_share_blocks(struct object *o);
void object_give_blocks(struct object *o);

// The ETag without its quotes; returns the length, at most ETAG_BYTES_MAX.
size_t object_put_etag(char *to, const uint8_t md5[16], uint16_t parts);
// What counts for the limit, of all objects.
uint64_t object_charged_by_all(void);

struct text object_kept(const struct object *o, enum kept_header which); // empty: not kept
// Steps through the metadata: start with *at = 0; false at the end.
bool object_metadata(const struct object *o, size_t *at, struct text *name, struct text *value);
// The contiguous bytes at `offset`, up to the block's end.
struct text object_slice(const struct object *o, uint64_t offset);
#endif
