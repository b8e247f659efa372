// How a handler makes a write happen: at once in ram, by way of the log otherwise.
#pragma once
#include "call.h"

namespace pausemark {

// True when c's write `w` has its outcome; false when the call waits for it, and c.then is called
// once everything that it waits for is done. Names and object must live until then.
[[nodiscard]] bool commit(call &c, write &w);

// For an answer that depends on c.change alone.
inline void commit_and_then(call &c, void (*then)(call &)) {
    c.then = then;
    if (commit(c, c.change))
        then(c);
}

} // namespace pausemark
