// Each signature covers the one before it, so that chunks can be neither changed nor exchanged.
#include "body_proof.h"
#include <algorithm>

namespace pausemark {

bool body_proof::open(const seal &of_request, text expected) noexcept {
    const payload kind = to_payload(expected);
    if (kind == payload::digest)
        mode_ = mode::digest;
    else if (kind == payload::signed_chunks)
        mode_ = mode::chunks;
    else if (kind == payload::signed_chunks_and_trailer)
        mode_ = mode::chunks_and_trailer;
    else
        return true;
    seal_ = &of_request;
    expected_ = expected;
    previous_ = of_request.signature;
    return hash_.open();
}

void body_proof::take_signature(text signature) noexcept {
    has_given_ = signature.size() == given_.size();
    if (has_given_)
        std::ranges::copy(signature, given_.begin());
}

void body_proof::begin_chunk(text extension) noexcept {
    constexpr text name = "chunk-signature=";
    if (!has_chunks())
        return;
    take_signature(extension.starts_with(name) ? extension.substr(name.size()) : text());
    hash_.restart();
}

void body_proof::compare(const sha256_digest &ours) noexcept {
    previous_ = to_hex(ours);
    if (!has_given_ || !is_signature(view(given_), previous_))
        wrong_ = error::signature_mismatch;
    has_given_ = false;
}

void body_proof::end_chunk() noexcept {
    if (!has_chunks())
        return;
    const hex_digest content = to_hex(hash_.finish());
    compare(hmac_sha256(hash_, seal_->key,
                        {"AWS4-HMAC-SHA256-PAYLOAD", view(seal_->stamp), seal_->scope,
                         view(previous_), empty_sha256, view(content)}));
    hash_.restart(); // for the trailers, if this was the last
}

// The signature is the last of the trailers: what stands behind it would not be covered.
void body_proof::add_trailer(text name, text value) noexcept {
    if (mode_ != mode::chunks_and_trailer)
        return;
    if (has_given_) {
        wrong_ = error::signature_mismatch;
    } else if (is_nocase(name, "x-amz-trailer-signature")) {
        take_signature(value);
    } else {
        for (const char c : name) {
            const char small = lower(c);
            hash_.add(text(&small, 1));
        }
        for (const text piece : {text(":"), value, text("\n")})
            hash_.add(piece);
    }
}

void body_proof::end_trailers() noexcept {
    if (mode_ != mode::chunks_and_trailer)
        return;
    const hex_digest trailers = to_hex(hash_.finish());
    compare(hmac_sha256(hash_, seal_->key,
                        {"AWS4-HMAC-SHA256-TRAILER", view(seal_->stamp), seal_->scope,
                         view(previous_), view(trailers)}));
}

error body_proof::finish() noexcept {
    if (mode_ == mode::digest && !is_nocase(view(to_hex(hash_.finish())), expected_))
        return error::content_sha256_mismatch;
    return wrong_;
}

} // namespace pausemark
