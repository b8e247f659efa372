// The contract's table of profile `verify`, from the cheap questions to the signature.
#include "verifier.h"
#include "payload.h"
#include "request.h"

namespace pausemark {

constexpr std::int64_t skew_s_max = 15 * 60;

verifier::verifier(std::span<const credential> known)
    : keys_(known), fields_(head_bytes_max), query_(head_bytes_max) {}

// The query's, or x-amz-date, else Date.
std::optional<std::int64_t> verifier::find_time(const authorization &a) const noexcept {
    if (a.is_query)
        return a.at_s;
    const text own = fields_.find("x-amz-date");
    return own.data() != nullptr ? from_basic_date(own) : from_http_date(fields_.find("date"));
}

// Its day is the scope's. A presigned URL has an age of its own.
error verifier::read_time(const authorization &a, std::int64_t wall_s,
                          basic_date &stamp) const noexcept {
    const auto at_s = find_time(a);
    if (!at_s)
        return error::access_denied;
    stamp = to_basic_date(*at_s);
    if (!view(stamp).starts_with(a.day))
        return error::access_denied;
    if (*at_s > wall_s + skew_s_max)
        return error::request_time_skewed;
    if (a.is_query)
        return wall_s > *at_s + a.expires_s ? error::access_denied : error::none;
    return *at_s < wall_s - skew_s_max ? error::request_time_skewed : error::none;
}

error verifier::hash_request(const request &r, text signed_names, hex_digest &canonical) noexcept {
    canonical_writer to(hash_);
    to.put(r.verb_name);
    to.put('\n');
    to.put_encoded(r.path.empty() ? "/" : r.path, true);
    to.put('\n');
    query_.put(to, r.query);
    to.put('\n');
    if (!fields_.put_signed(to, signed_names))
        return error::signature_mismatch;
    if (!fields_.are_covered())
        return error::access_denied;
    to.put('\n');
    to.put(signed_names);
    to.put('\n');
    to.put(r.content_sha256);
    canonical = to_hex(to.finish());
    return error::none;
}

error verifier::verify(request &r, std::int64_t wall_s) noexcept {
    std::optional<authorization> given;
    if (const error wrong = read_authorization(r, given); wrong != error::none)
        return wrong;
    if (!given)
        return error::access_denied;
    if (!split_credential(*given))
        return given->is_query ? error::access_query : error::access_form;
    const credential *owner = keys_.find_owner(given->key_id);
    if (owner == nullptr)
        return error::invalid_access_key_id;
    fields_.sort();
    seal made;
    made.scope = given->scope;
    if (const error wrong = read_time(*given, wall_s, made.stamp); wrong != error::none)
        return wrong;
    if (r.content_sha256.data() == nullptr && given->is_query)
        r.content_sha256 = unsigned_payload;
    const payload kind = to_payload(r.content_sha256);
    if (kind == payload::absent)
        return error::invalid_request;
    hex_digest canonical;
    if (const error wrong = hash_request(r, given->signed_names, canonical); wrong != error::none)
        return wrong;
    made.key = keys_.get(hash_, *owner, *given);
    made.signature = to_hex(hmac_sha256(
        hash_, made.key, {sign_algorithm, view(made.stamp), made.scope, view(canonical)}));
    if (!is_signature(given->signature, made.signature))
        return error::signature_mismatch;
    keys_.keep(*owner, *given, made.key);
    if (given->is_query && is_signed_chunks(kind))
        return error::not_implemented; // a URL's signature is no seed of theirs
    r.sealed = made;
    return check(kind);
}

} // namespace pausemark
