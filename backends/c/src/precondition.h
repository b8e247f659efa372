// Conditions on the object that a key has, by RFC 9110 section 13.2.2.
#ifndef PAUSEMARK_PRECONDITION_H
#define PAUSEMARK_PRECONDITION_H
#include "object.h"

// The headers If-Match and so on; `p` is NULL where one was not sent.
struct conditions {
    struct text match, none_match, modified_since, unmodified_since;
};

enum precondition {
    PRECONDITION_HOLDS,
    PRECONDITION_NOT_MODIFIED,
    PRECONDITION_FAILED,
    PRECONDITION_NO_OBJECT // to match: a write's alone
};
// Of a read.
enum precondition precondition_judge(const struct conditions *asked, const struct object *o);

// Of a write, which asks for ETags alone; `asked` is NULL where nothing is asked, `o` where there
// is no object.
enum precondition precondition_judge_write(const struct conditions *asked, const struct object *o);
// A copy of what is asked of ETags, since a write is judged again when its request's head is gone;
// NULL in *kept where nothing is asked. False when memory is exhausted.
bool precondition_keep(const struct conditions *asked, struct conditions **kept);
void precondition_give(struct conditions *kept); // NULL is allowed
#endif
