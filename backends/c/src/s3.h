// From a parsed head to an answer, or to an upload that will answer once its body is in.
#ifndef PAUSEMARK_S3_H
#define PAUSEMARK_S3_H
#include "upload.h"

// Answers r, or sets c->upload. May set c->closing.
void s3_handle(struct connection *c, struct request *r);
void s3_create_bucket(struct connection *c, struct text bucket, struct text resource);
void s3_get_object(struct connection *c, struct request *r);      // get_object.c
void s3_list_objects(struct connection *c, struct request *r);    // list.c
void s3_list_versions(struct connection *c, struct request *r);   // versions.c
void s3_get_versioning(struct connection *c, struct request *r);  // versions.c
void s3_copy_object(struct connection *c, struct request *r);     // copy.c
void s3_copy_part(struct connection *c, struct request *r);       // copy.c
void s3_begin_multipart(struct connection *c, struct request *r); // multipart_calls.c
void s3_abort_multipart(struct connection *c, struct request *r); // multipart_calls.c
void s3_list_parts(struct connection *c, struct request *r);      // list_multiparts.c
void s3_list_multiparts(struct connection *c, struct request *r); // list_multiparts.c
#endif
