// Answers requests by the contract's table.
#pragma once
#include "call.h"

namespace pausemark::s3 {

// Answers c.asked, or opens c.body and leaves the answer to the body's end.
void handle(call &c);

// PUT of a bucket.
void create_bucket(call &c);
// GET and HEAD of an object.
void get_object(call &c);
// Both versions of ListObjects.
void list_objects(call &c);
void list_versions(call &c);
// PUT with a source: of an object, and of a part.
void copy_object(call &c);
void copy_part(call &c);
// Multipart uploads, but for what has a body (upload.h).
void begin_upload(call &c);
void abort_upload(call &c);
void list_parts(call &c);
void list_uploads(call &c);

} // namespace pausemark::s3
