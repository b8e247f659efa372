// Answers requests by the contract's table.
#pragma once
#include "call.h"

namespace pausemark::s3 {

// Answers c.asked, or opens c.body and leaves the answer to the body's end.
void handle(call &c);

// GET and HEAD of an object.
void get_object(call &c);
// Both versions of ListObjects.
void list_objects(call &c);
void list_versions(call &c);

} // namespace pausemark::s3
