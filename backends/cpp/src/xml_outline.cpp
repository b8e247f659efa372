// One root, every element closed by its own name, and no deeper than a request needs.
#include "xml_outline.h"

namespace pausemark::xml {

bool outline::enter(text name) {
    if (path_.size() == depth_max || (path_.empty() && (seen_root_ || name != root_)))
        return false;
    seen_root_ = true;
    path_.push_back(name);
    return open();
}

bool outline::leave(text name) {
    if (path_.empty() || path_.back() != name || !close())
        return false;
    path_.pop_back();
    return true;
}

bool outline::walk(text document) {
    reader from(document);
    for (bool good = true; good;) {
        switch (from.next()) {
        case token::open:
            good = enter(from.name());
            break;
        case token::close:
            good = leave(from.name());
            break;
        case token::text:
            good = read_text(from.raw());
            break;
        case token::end:
            return seen_root_ && path_.empty();
        case token::error:
            return false;
        }
    }
    return false;
}

} // namespace pausemark::xml
