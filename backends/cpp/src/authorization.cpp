// Its three fields in any order, with or without blanks, and the scope inside the credential.
#include "authorization.h"

namespace pausemark {

struct named_field {
    text prefix;
    text authorization::*field;
};
constexpr named_field named_fields[] = {
    {"Credential=", &authorization::credential},
    {"SignedHeaders=", &authorization::signed_names},
    {"Signature=", &authorization::signature},
};

std::optional<authorization> read_authorization(text header) noexcept {
    constexpr text scheme = "AWS4-HMAC-SHA256 ";
    authorization a;
    if (!header.starts_with(scheme))
        return std::nullopt;
    header.remove_prefix(scheme.size());
    while (!header.empty()) {
        const text part = trim(cut(header, ','));
        for (const auto &[prefix, field] : named_fields) {
            if (part.starts_with(prefix))
                a.*field = part.substr(prefix.size());
        }
    }
    if (a.credential.empty() || a.signed_names.empty() || a.signature.empty())
        return std::nullopt;
    return a;
}

// The part behind the last slash, which leaves `front` with it; empty when there is none.
static text cut_last(text &front) noexcept {
    const std::size_t slash = front.rfind('/');
    if (slash == text::npos)
        return {};
    const text last = front.substr(slash + 1);
    front = front.substr(0, slash);
    return last;
}

// Each name once, in order: one that came again and again would make a canonical request of any
// size from a small head.
static bool do_rise(text names) noexcept {
    text before;
    while (!names.empty()) {
        const text name = cut(names, ';');
        if (name <= before)
            return false;
        before = name;
    }
    return true;
}

// From the end, so that a key id may hold slashes.
bool split_credential(authorization &a) noexcept {
    constexpr text service = "/s3/aws4_request";
    constexpr std::size_t day_n = 8;
    if (!a.credential.ends_with(service))
        return false;
    text front = a.credential.substr(0, a.credential.size() - service.size());
    a.region = cut_last(front);
    a.day = cut_last(front);
    a.key_id = front;
    if (a.region.empty() || a.day.size() != day_n || a.key_id.empty() || !do_rise(a.signed_names))
        return false;
    a.scope = a.credential.substr(a.key_id.size() + 1);
    return true;
}

} // namespace pausemark
