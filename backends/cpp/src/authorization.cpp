// The header's three fields in any order, with or without blanks; the query's six parameters; and
// the scope inside the credential.
#include "authorization.h"
#include "date.h"
#include "request.h"

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

// "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...": false unless all three are
// there and none is empty.
static bool read_header(text header, authorization &a) noexcept {
    const text algorithm = cut(header, ' ');
    if (algorithm != sign_algorithm)
        return false;
    while (!header.empty()) {
        const text part = trim(cut(header, ','));
        for (const auto &[prefix, field] : named_fields) {
            if (part.starts_with(prefix))
                a.*field = part.substr(prefix.size());
        }
    }
    return !a.credential.empty() && !a.signed_names.empty() && !a.signature.empty();
}

struct presigned {
    text algorithm, date, expires, credential, signed_names, signature;
};
struct named_parameter {
    text name;
    text presigned::*field;
};
constexpr named_parameter named_parameters[] = {
    {"X-Amz-Algorithm", &presigned::algorithm},
    {"X-Amz-Credential", &presigned::credential},
    {"X-Amz-Date", &presigned::date},
    {"X-Amz-Expires", &presigned::expires},
    {"X-Amz-SignedHeaders", &presigned::signed_names},
    {"X-Amz-Signature", &presigned::signature},
};

static bool is_presigned(text query) noexcept {
    text name, value;
    while (next_parameter(query, name, value)) {
        if (name == "X-Amz-Algorithm" || name == "X-Amz-Signature")
            return true;
    }
    return false;
}

// Each of the parameters once, and not empty.
static bool take_parameters(request &r, presigned &p) noexcept {
    text name, value, rest = r.query;
    while (next_parameter(rest, name, value)) {
        for (const auto &[known, field] : named_parameters) {
            if (name != known)
                continue;
            if ((p.*field).data() != nullptr || value.empty())
                return false;
            p.*field = r.decode(value);
        }
    }
    for (const auto &[known, field] : named_parameters) {
        if ((p.*field).empty())
            return false;
    }
    return true;
}

static bool read_query(request &r, authorization &a) noexcept {
    constexpr std::uint64_t expires_s_max = 7 * 86400;
    presigned p;
    if (!take_parameters(r, p) || p.algorithm != sign_algorithm)
        return false;
    const auto at_s = from_basic_date(p.date);
    const auto expires_s = to_u64(p.expires);
    if (!at_s || !expires_s || *expires_s < 1 || *expires_s > expires_s_max)
        return false;
    a.is_query = true;
    a.at_s = *at_s;
    a.expires_s = static_cast<std::int64_t>(*expires_s);
    a.credential = p.credential;
    a.signed_names = p.signed_names;
    a.signature = p.signature;
    return true;
}

error read_authorization(request &r, std::optional<authorization> &given) noexcept {
    const bool in_header = r.authorization.data() != nullptr, in_query = is_presigned(r.query);
    if (in_header && in_query)
        return error::invalid_argument;
    if (!in_header && !in_query)
        return error::none;
    authorization &a = given.emplace();
    if (in_query)
        return read_query(r, a) ? error::none : error::access_query;
    return read_header(r.authorization, a) ? error::none : error::access_form;
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
