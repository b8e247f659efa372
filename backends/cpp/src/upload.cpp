// Digests while the bytes arrive, verdict at the end.
#include "upload.h"
#include "commit.h"
#include "etag.h"
#include "multipart.h"
#include "s3.h"
#include <algorithm>

namespace pausemark {

upload::upload(std::uint64_t bytes_max, purpose what) noexcept
    : purpose_(what), bytes_max_(bytes_max) {}

// "aws-chunked" is how the body came, not how the content is encoded. S3 clients put it first or
// last, or twice.
static text without_aws_chunked(text encoding) noexcept {
    for (;;) {
        text rest = encoding;
        const text first = trim(cut(rest, ','));
        const std::size_t comma = encoding.rfind(',');
        if (is_nocase(first, "aws-chunked"))
            encoding = trim(rest);
        else if (comma != text::npos && is_nocase(trim(encoding.substr(comma + 1)), "aws-chunked"))
            encoding = trim(encoding.substr(0, comma));
        else
            return encoding;
    }
}

error upload::read_checks(const request &r) noexcept {
    wants_md5_ = r.content_md5.data() != nullptr;
    if (wants_md5_ && !from_base64(r.content_md5, md5_expected_))
        return error::invalid_digest;
    const payload kind = to_payload(r.content_sha256);
    is_aws_chunked_ = is_aws_chunked(kind);
    if (const error wrong = checksums_.open(r, is_aws_chunked_); wrong != error::none)
        return wrong;
    return check(kind);
}

error check_write(request &r, bool keeps_headers) noexcept {
    if (r.unsupported)
        return error::not_implemented;
    if (!keeps_headers)
        return error::none;
    if (r.metadata_bytes > metadata_bytes_max)
        return error::metadata_too_large;
    text &encoding = r.kept.values[kept_header::content_encoding];
    encoding = without_aws_chunked(encoding);
    if (text &type = r.kept.values[kept_header::content_type]; type.empty())
        type = default_content_type;
    return error::none;
}

error judge_write(const request &r) {
    return to_error(store::may_put(r.bucket, r.key, conditions_of(r)), operation::put_object);
}

error upload::read_length(const request &r, std::uint64_t &length) noexcept {
    length = r.has_length ? r.length : length_unknown;
    if (!r.has_length && !r.chunked)
        return error::missing_length;
    if (is_aws_chunked_) {
        const auto decoded = to_u64(r.decoded_length);
        if (!decoded)
            return error::missing_length;
        length = decoded_length_ = *decoded;
    }
    if (length != length_unknown && length > bytes_max_)
        return is_document() ? error::malformed_xml : error::entity_too_large;
    return error::none;
}

// Whether what it is for is there.
error upload::find_place(const request &r) const {
    if (purpose_ == purpose::bucket)
        return error::none;
    if (purpose_ == purpose::part || purpose_ == purpose::part_list) {
        const error wrong = multipart::find(multipart::address_of(r));
        if (wrong != error::none)
            return wrong;
    }
    if (makes_object())
        return judge_write(r);
    return store::has_bucket(r.bucket) ? error::none : error::no_such_bucket;
}

error upload::open(request &r) {
    static const kept_headers nothing{};
    std::uint64_t length = 0;
    error wrong = read_checks(r);
    if (wrong == error::none && purpose_ != purpose::key_list && purpose_ != purpose::bucket)
        wrong = check_write(r, purpose_ == purpose::object);
    if (wrong == error::none)
        wrong = read_length(r, length);
    if (wrong == error::none)
        wrong = find_place(r);
    if (wrong != error::none)
        return wrong;
    if (r.sealed && !proof_.open(*r.sealed, r.content_sha256))
        return error::internal;
    if (purpose_ == purpose::object)
        checksums_.keep(r.kept);
    object_ = object::create(purpose_ == purpose::object ? r.kept : nothing, length, r.key.size());
    return object_ == nullptr ? error::slow_down : error::none;
}

void open_upload(call &c, purpose what) {
    const request &r = c.asked;
    const bool stores = what == purpose::object || what == purpose::part;
    c.body.emplace(stores ? c.at.limits.object_bytes_max : document_bytes_max, what);
    const error wrong = c.body->open(c.asked);
    if (wrong == error::none)
        return;
    c.body.reset();
    c.closing = c.closing || r.expect_continue || wrong == error::entity_too_large;
    answer_error(c, wrong, r.path);
}

void upload::take_content(text bytes) noexcept {
    const bool known = decoded_length_ != length_unknown;
    const std::uint64_t limit = known ? decoded_length_ : bytes_max_;
    if (bytes.size() > limit - object_->size_bytes()) {
        error_ = known           ? error::incomplete_body
                 : is_document() ? error::malformed_xml
                                 : error::entity_too_large;
        return;
    }
    md5_.add(bytes);
    proof_.add(bytes);
    checksums_.add(bytes);
    if (!object_->append(bytes))
        error_ = error::slow_down;
}

void upload::feed(text bytes) noexcept {
    if (!is_aws_chunked_ && error_ == error::none)
        take_content(bytes);
    while (is_aws_chunked_ && error_ == error::none && !bytes.empty()) {
        const auto content = aws_.next(bytes);
        if (!content)
            error_ = error::incomplete_body;
        else if (!content->empty())
            take_content(*content);
        if (error_ == error::none)
            error_ = proof_.wrong();
    }
}

error upload::verify() noexcept {
    object_->md5 = md5_found_ = md5_.finish();
    if (error_ != error::none)
        return error_;
    const bool ended = !is_aws_chunked_ || aws_.is_done();
    if (!ended || (decoded_length_ != length_unknown && object_->size_bytes() != decoded_length_))
        return error::incomplete_body;
    if (const error wrong = proof_.finish(); wrong != error::none)
        return wrong;
    if (wants_md5_ && md5_expected_ != object_->md5)
        return error::bad_digest;
    checksums_.finish();
    if (const error wrong = checksums_.verify_headers(); wrong != error::none)
        return wrong;
    return checksums_.verify_trailers(aws_);
}

void upload::answer_stored(call &c) const {
    if (c.change.outcome != error::none) {
        answer_error(c, c.change.outcome, c.asked.path);
        return;
    }
    answer a(c, 200);
    a.with("ETag", etag(md5_found_, 0).quoted());
    checksums_.tell(a);
    a.empty();
}

void upload::store_object(call &c) {
    checksums_.set_kept(*object_);
    c.change.kind = operation::put_object;
    c.change.conditions = conditions_of(c.asked);
    c.change.bucket = c.asked.bucket;
    c.change.key = c.asked.key;
    c.change.object = std::move(object_);
    commit_and_then(c, [](call &done) { done.body->answer_stored(done); });
}

void upload::finish(call &c) {
    const error wrong = verify();
    if (wrong != error::none) {
        answer_error(c, wrong, c.asked.path);
        return;
    }
    object_->seal();
    switch (purpose_) {
    case purpose::object:
        store_object(c);
        break;
    case purpose::part:
        object_->modified_s = c.at.wall_s();
        c.change.outcome =
            multipart::put_part(multipart::address_of(c.asked), c.asked.part_number, object_);
        answer_stored(c);
        break;
    case purpose::key_list:
        delete_many(c, *object_);
        break;
    case purpose::part_list:
        complete_upload(c, *object_);
        break;
    case purpose::bucket:
        s3::create_bucket(c);
        break;
    }
}

} // namespace pausemark
