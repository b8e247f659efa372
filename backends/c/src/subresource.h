// What a query asks for beside the resource itself.
#ifndef PAUSEMARK_SUBRESOURCE_H
#define PAUSEMARK_SUBRESOURCE_H
#include "answer.h"

// The subresources that this subset has; r->multipart_id and r->part_number tell of two more.
struct asked {
    bool location, is_delete, versioning, versions, uploads;
};

// Reads the query of a request that was routed. ERROR_NOT_IMPLEMENTED: it asks for what S3 has and
// this subset has not, here.
enum error_code subresource_read(struct request *r, struct asked *asked);
#endif
