// Which request is which, and the small ones.
#include "s3.h"
#include "commit.h"
#include "multipart.h"
#include "store.h"
#include "subresource.h"
#include "xml_writer.h"
#include <algorithm>

namespace pausemark::s3 {

static bool is_alphanumeric(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

static bool is_label(text label) noexcept {
    if (label.empty() || label.front() == '-' || label.back() == '-')
        return false;
    return std::ranges::all_of(label, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

// Labels with dots between; four numbers would be an address.
static bool is_bucket_name(text name) noexcept {
    if (name.size() < 3 || name.size() > 63 || name.back() == '.')
        return false;
    std::size_t labels = 0, numbers = 0;
    for (text rest = name; !rest.empty(); labels++) {
        const text label = cut(rest, '.');
        if (!is_label(label))
            return false;
        numbers += std::ranges::all_of(label, is_digit) ? 1 : 0;
    }
    return labels != 4 || numbers != 4;
}

struct bucket_list final : store::bucket_visitor {
    std::string xml;
    void visit(text name, std::int64_t created_s) override {
        xml += "<Bucket><Name>";
        xml::add_escaped(xml, name);
        xml.append("</Name><CreationDate>").append(view(to_iso_date(created_s)));
        xml += "</CreationDate></Bucket>";
    }
};

static void list_buckets(call &c) {
    bucket_list list;
    list.xml.append(xml::declaration).append("<ListAllMyBucketsResult").append(xml::name_space);
    list.xml.append(">").append(xml::owner).append("<Buckets>");
    store::each_bucket(list);
    list.xml += "</Buckets></ListAllMyBucketsResult>";
    answer(c, 200).document(std::move(list.xml));
}

static void change(call &c, operation kind, void (*then)(call &)) {
    c.change.kind = kind;
    c.change.bucket = c.asked.bucket;
    c.change.key = c.asked.key;
    commit_and_then(c, then);
}

static void answer_created(call &c) {
    if (c.change.outcome != error::none) {
        answer_error(c, c.change.outcome, c.asked.path);
        return;
    }
    std::array<char, 64> location{'/'}; // a valid name has at most 63 bytes
    std::ranges::copy(c.asked.bucket, location.begin() + 1);
    answer(c, 200).with("Location", {location.data(), c.asked.bucket.size() + 1}).empty();
}

void create_bucket(call &c) {
    change(c, operation::create_bucket, answer_created);
}

static void answer_deleted(call &c) {
    if (c.change.outcome == error::none)
        answer(c, 204).empty();
    else
        answer_error(c, c.change.outcome, c.asked.path);
}

// What was never configured is an empty element.
static void get_unconfigured(call &c, text element) {
    if (!store::has_bucket(c.asked.bucket)) {
        answer_error(c, error::no_such_bucket, c.asked.path);
        return;
    }
    std::string xml(xml::declaration);
    xml.append("<").append(element).append(xml::name_space).append("/>");
    answer(c, 200).document(std::move(xml));
}

static void head_bucket(call &c) {
    if (store::has_bucket(c.asked.bucket))
        answer(c, 200).empty();
    else
        answer_error(c, error::no_such_bucket, c.asked.path);
}

static void get_bucket(call &c, const subresource &asked) {
    if (asked.location)
        get_unconfigured(c, "LocationConstraint");
    else if (asked.versioning)
        get_unconfigured(c, "VersioningConfiguration");
    else if (asked.versions)
        list_versions(c);
    else if (asked.uploads)
        list_uploads(c);
    else
        list_objects(c);
}

static void handle_bucket(call &c, const subresource &asked) {
    const method verb = c.asked.verb;
    if (verb == method::put && c.asked.sealed && c.body_follows)
        open_upload(c, purpose::bucket);
    else if (verb == method::put)
        create_bucket(c);
    else if (verb == method::head)
        head_bucket(c);
    else if (verb == method::remove)
        change(c, operation::delete_bucket, answer_deleted);
    else if (verb == method::get)
        get_bucket(c, asked);
    else if (verb == method::post && asked.is_delete)
        open_upload(c, purpose::key_list);
    else
        answer_error(c, error::method_not_allowed, c.asked.path);
}

static void put_object(call &c) {
    const bool is_copy = c.asked.copy_source.data() != nullptr;
    const bool is_part = c.asked.upload_id.data() != nullptr;
    if (is_part && c.asked.part_number == 0)
        answer_error(c, error::invalid_argument, c.asked.path);
    else if (is_copy && is_part)
        copy_part(c);
    else if (is_copy)
        copy_object(c);
    else
        open_upload(c, is_part ? purpose::part : purpose::object);
}

static void handle_upload(call &c) {
    const method verb = c.asked.verb;
    if (verb == method::get)
        list_parts(c);
    else if (verb == method::put)
        put_object(c);
    else if (verb == method::post)
        open_upload(c, purpose::part_list);
    else
        abort_upload(c);
}

static void handle_object(call &c, const subresource &asked) {
    const method verb = c.asked.verb;
    if (asked.upload_id.data() != nullptr)
        handle_upload(c);
    else if (verb == method::get || verb == method::head)
        get_object(c);
    else if (verb == method::put)
        put_object(c);
    else if (verb == method::remove)
        change(c, operation::delete_object, answer_deleted);
    else if (verb == method::post && asked.uploads)
        begin_upload(c);
    else
        answer_error(c, error::method_not_allowed, c.asked.path);
}

// What only some methods and some resources have here, and S3 has more widely.
static bool is_implemented(const request &r, const subresource &asked) noexcept {
    const method verb = r.verb;
    const bool of_bucket = r.key.empty(), reads_bucket = of_bucket && verb == method::get;
    if ((asked.versioning || asked.versions) && !reads_bucket)
        return false;
    if (asked.uploads && !reads_bucket && (of_bucket || verb != method::post))
        return false;
    const bool has_id = asked.upload_id.data() != nullptr;
    if (has_id && (of_bucket || (verb != method::get && verb != method::put &&
                                 verb != method::post && verb != method::remove)))
        return false;
    return asked.part_number.data() == nullptr || (has_id && verb == method::put);
}

// 0 when it is none that a part can have.
static std::uint16_t to_part_number(text value) noexcept {
    const std::uint64_t number = to_u64(value).value_or(0);
    return number > multipart::part_number_max ? 0 : static_cast<std::uint16_t>(number);
}

// Whether the caller may ask at all.
static error check_access(call &c) noexcept {
    request &r = c.asked;
    if (c.at.guard == nullptr) {
        std::optional<authorization> unused;
        return read_authorization(r, unused);
    }
    const error wrong = c.at.guard->verify(r, c.at.wall_s());
    if (wrong != error::none || c.body_follows)
        return wrong;
    return check_empty(r.content_sha256); // nobody will read a body that is not there
}

// What is wrong before anybody looks at buckets.
static error check(call &c, subresource &asked) noexcept {
    request &r = c.asked;
    if (!r.route())
        return error::invalid_uri;
    if (const error wrong = check_access(c); wrong != error::none)
        return wrong;
    asked = read_subresource(r.query);
    if (asked.unsupported || !is_implemented(r, asked))
        return error::not_implemented;
    r.upload_id = asked.upload_id;
    r.part_number = to_part_number(asked.part_number);
    for (std::size_t i = 0; i < kept_count; i++) {
        if (const text coded = asked.overrides.all()[i]; !coded.empty())
            r.overrides[static_cast<kept_header>(i)] = r.decode(coded);
    }
    if (r.key.size() > store::key_bytes_max)
        return error::key_too_long;
    if (r.bucket.empty() ? !r.key.empty() : !is_bucket_name(r.bucket))
        return error::invalid_bucket_name;
    if (r.bucket.empty() && r.verb != method::get)
        return error::method_not_allowed;
    return error::none;
}

void handle(call &c) {
    const request &r = c.asked;
    subresource asked;
    const error wrong = check(c, asked);
    // A final status without the 100 leaves open whether a body follows: only closing is safe.
    const bool stores = r.verb == method::put && !r.key.empty() && r.copy_source.data() == nullptr;
    const bool completes = r.verb == method::post && r.upload_id.data() != nullptr;
    const bool makes_bucket = r.verb == method::put && r.key.empty() && r.sealed;
    const bool reads_body = stores || completes || makes_bucket || asked.is_delete;
    if (r.expect_continue && c.body_follows && (wrong != error::none || !reads_body))
        c.closing = true;
    if (wrong != error::none)
        answer_error(c, wrong, r.path);
    else if (r.bucket.empty())
        list_buckets(c);
    else if (r.key.empty())
        handle_bucket(c, asked);
    else
        handle_object(c, asked);
}

} // namespace pausemark::s3
