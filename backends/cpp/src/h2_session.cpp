// nghttp2's settings and limits, its callbacks, and the bytes of a body from where they lie.
#include "h2_session.h"
#include "epoll_worker.h"
#include <algorithm>

namespace pausemark::epoll {

constexpr std::uint32_t streams_max = 128;             // at once, of one connection
constexpr std::uint32_t stream_window_bytes = 1 << 20; // taken at once, so that they cost nothing
constexpr std::int32_t session_window_bytes = 16 << 20;
constexpr std::size_t acknowledgements_max = 512; // that wait to be sent, of PINGs and SETTINGS
constexpr std::size_t step_bytes = 65536; // sent before more is made: what a blocked client costs
constexpr std::size_t frame_head_bytes = 9;

// nghttp2 bounds by itself the frames of one head, SETTINGS of one frame, and resets in a row.
struct h2_callbacks {
    static h2_session &of(void *user) noexcept {
        return *static_cast<h2_session *>(user);
    }
    static int on_begin_frame(nghttp2_session *, const nghttp2_frame_hd *head, void *user) {
        of(user).on_begin_frame(*head);
        return 0;
    }
    static int on_begin_headers(nghttp2_session *, const nghttp2_frame *frame, void *user) {
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
            of(user).on_begin_head(frame->hd.stream_id);
        return 0;
    }
    static int on_header(nghttp2_session *, const nghttp2_frame *frame, const std::uint8_t *name,
                         std::size_t name_n, const std::uint8_t *value, std::size_t value_n,
                         std::uint8_t, void *user) {
        if (h2_stream *const s = of(user).find(frame->hd.stream_id))
            s->add_field({reinterpret_cast<const char *>(name), name_n},
                         {reinterpret_cast<const char *>(value), value_n});
        return 0;
    }
    static int on_data(nghttp2_session *, std::uint8_t, std::int32_t id, const std::uint8_t *bytes,
                       std::size_t n, void *user) {
        if (h2_stream *const s = of(user).find(id)) {
            of(user).progress(*s);
            s->take_body({reinterpret_cast<const char *>(bytes), n});
        }
        return 0;
    }
    static int on_frame(nghttp2_session *, const nghttp2_frame *frame, void *user) {
        of(user).on_frame(*frame);
        return 0;
    }
    static int on_sent(nghttp2_session *, const nghttp2_frame *frame, void *user) {
        of(user).on_sent(*frame);
        return 0;
    }
    static int on_close(nghttp2_session *, std::int32_t id, std::uint32_t, void *user) {
        if (h2_stream *const s = of(user).find(id))
            s->close();
        return 0;
    }
    // How much comes next; the bytes are asked for below.
    static ssize_t read(nghttp2_session *, std::int32_t, std::uint8_t *, std::size_t n,
                        std::uint32_t *flags, nghttp2_data_source *source, void *) {
        const answer_content &content = static_cast<h2_stream *>(source->ptr)->content;
        const std::uint64_t left = content.to - content.from;
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
        if (left <= n)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(std::min<std::uint64_t>(left, n));
    }
    static int send(nghttp2_session *, nghttp2_frame *, const std::uint8_t *frame_head,
                    std::size_t n, nghttp2_data_source *source, void *user) {
        auto &s = *static_cast<h2_stream *>(source->ptr);
        return of(user).put_data(s, frame_head, n) ? 0 : NGHTTP2_ERR_WOULDBLOCK;
    }
};

using callbacks = std::unique_ptr<nghttp2_session_callbacks,
                                  decltype([](auto *c) { nghttp2_session_callbacks_del(c); })>;
using session_options =
    std::unique_ptr<nghttp2_option, decltype([](auto *o) { nghttp2_option_del(o); })>;

static callbacks make_callbacks() noexcept {
    nghttp2_session_callbacks *made = nullptr;
    if (nghttp2_session_callbacks_new(&made) != 0)
        return nullptr;
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, h2_callbacks::on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, h2_callbacks::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(made, h2_callbacks::on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, h2_callbacks::on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, h2_callbacks::on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, h2_callbacks::on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, h2_callbacks::on_close);
    nghttp2_session_callbacks_set_send_data_callback(made, h2_callbacks::send);
    return callbacks(made);
}

static session_options make_options() noexcept {
    nghttp2_option *made = nullptr;
    if (nghttp2_option_new(&made) != 0)
        return nullptr;
    nghttp2_option_set_no_closed_streams(made, 1);
    nghttp2_option_set_max_outbound_ack(made, acknowledgements_max);
    return session_options(made);
}

bool h2_session::open() {
    const callbacks told = make_callbacks();
    const session_options asked = make_options();
    nghttp2_session *made = nullptr;
    if (told == nullptr || asked == nullptr ||
        nghttp2_session_server_new2(&made, told.get(), this, asked.get()) != 0)
        return false;
    session_.reset(made);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, head_bytes_max},
    };
    return nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0 &&
           nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0,
                                                 session_window_bytes) == 0;
}

h2_session::~h2_session() {
    while (!open_.empty())
        open_.front().close();
}

h2_stream *h2_session::find(std::int32_t id) const noexcept {
    return static_cast<h2_stream *>(nghttp2_session_get_stream_user_data(session_.get(), id));
}

void h2_session::follow(text input) noexcept {
    while (!input.empty()) {
        const std::size_t passed = std::min(frame_left_, input.size());
        frame_left_ -= passed;
        input.remove_prefix(passed);
        if (input.empty())
            return;
        if (head_n_ < 3) // the length comes first
            frame_n_ = frame_n_ << 8 | static_cast<std::uint8_t>(input.front());
        input.remove_prefix(1);
        if (++head_n_ < frame_head_bytes)
            continue;
        frame_left_ = frame_n_;
        frame_n_ = 0;
        head_n_ = 0;
    }
}

bool h2_session::feed(text input) {
    follow(input);
    const ssize_t taken = nghttp2_session_mem_recv(
        session_.get(), reinterpret_cast<const std::uint8_t *>(input.data()), input.size());
    end_silent();
    return taken >= 0;
}

// A connection on which nothing moves is its worker's to end; this is for one slow among many.
void h2_session::end_silent() noexcept {
    while (!unended_.empty() && worker_.desk.now_s() - unended_.front().progress_s >= stall_s) {
        h2_stream &s = unended_.front();
        s.unended_link::unlink();
        (void)nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, s.id(), NGHTTP2_CANCEL);
    }
}

void h2_session::progress(h2_stream &s) noexcept {
    if (s.is_ended())
        return;
    s.progress_s = worker_.desk.now_s();
    s.unended_link::unlink();
    unended_.push_back(s);
}

// A head on a stream that is over is nghttp2's to ignore only where we reset it, and trailers may
// have been on their way; elsewhere RFC 9113 section 5.1 ends the connection.
void h2_session::on_begin_frame(const nghttp2_frame_hd &head) noexcept {
    const bool is_over = head.stream_id <= begun_last_ && find(head.stream_id) == nullptr;
    if (head.type == NGHTTP2_HEADERS && is_over && head.stream_id > reset_last_)
        (void)nghttp2_session_terminate_session(session_.get(), NGHTTP2_PROTOCOL_ERROR);
}

void h2_session::on_begin_head(std::int32_t id) {
    begun_last_ = id;
    h2_stream *const s = worker_.streams.take();
    if (s == nullptr) {
        (void)nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id,
                                        NGHTTP2_REFUSED_STREAM);
        reset_last_ = std::max(reset_last_, id); // its trailers may stand in the same read
        return;
    }
    s->begin(*this, id);
    open_.push_back(*s);
    progress(*s);
    (void)nghttp2_session_set_stream_user_data(session_.get(), id, s);
}

void h2_session::on_frame(const nghttp2_frame &frame) {
    const bool is_head = frame.hd.type == NGHTTP2_HEADERS;
    if (!is_head && frame.hd.type != NGHTTP2_DATA)
        return;
    h2_stream *const s = find(frame.hd.stream_id);
    if (s == nullptr)
        return;
    const bool ends = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (ends)
        s->unended_link::unlink();
    if (is_head && !s->has_head())
        s->take_head(ends);
    else if (ends)
        s->end_body();
}

// What HTTP/1.1 tells by closing: the rest of this request is not wanted.
void h2_session::on_sent(const nghttp2_frame &frame) noexcept {
    if (frame.hd.type == NGHTTP2_RST_STREAM)
        reset_last_ = std::max(reset_last_, frame.hd.stream_id);
    const bool has_end = frame.hd.type == NGHTTP2_HEADERS || frame.hd.type == NGHTTP2_DATA;
    if (!has_end || (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return;
    const h2_stream *const s = find(frame.hd.stream_id);
    if (s != nullptr && s->closing && !s->is_ended())
        (void)nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, s->id(),
                                        NGHTTP2_NO_ERROR);
}

void h2_session::submit(h2_stream &s, std::span<const nghttp2_nv> head) noexcept {
    nghttp2_data_provider body{};
    body.source.ptr = &s;
    body.read_callback = h2_callbacks::read;
    const bool has_body = s.content.from < s.content.to;
    if (nghttp2_submit_response(session_.get(), s.id(), head.data(), head.size(),
                                has_body ? &body : nullptr) != 0)
        (void)nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, s.id(),
                                        NGHTTP2_INTERNAL_ERROR);
}

void h2_session::put_continue(std::int32_t id) noexcept {
    std::uint8_t name[] = {':', 's', 't', 'a', 't', 'u', 's'}, value[] = {'1', '0', '0'};
    const nghttp2_nv status{name, value, sizeof name, sizeof value, NGHTTP2_NV_FLAG_NONE};
    (void)nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, id, nullptr, &status, 1,
                                 nullptr);
}

void h2_session::wake() noexcept {
    worker_.make_ready(connection_);
}

bool h2_session::put_data(h2_stream &s, const std::uint8_t *frame_head, std::size_t n) noexcept {
    desk &d = worker_.desk;
    if (d.output_n >= step_bytes)
        return false;
    d.put({reinterpret_cast<const char *>(frame_head), frame_head_bytes});
    while (n > 0) {
        const text piece = s.content.slice(s.content.from).substr(0, n);
        d.put(piece);
        s.content.from += piece.size();
        n -= piece.size();
    }
    if (s.content.from == s.content.to)
        s.content = {};
    return true;
}

void h2_session::fill() {
    desk &d = worker_.desk;
    while (d.output_n < step_bytes) {
        const std::uint8_t *bytes = nullptr;
        const ssize_t n = nghttp2_session_mem_send(session_.get(), &bytes);
        if (n <= 0)
            return;
        d.put({reinterpret_cast<const char *>(bytes), static_cast<std::size_t>(n)});
    }
}

bool h2_session::is_over() const noexcept {
    return nghttp2_session_want_read(session_.get()) == 0 &&
           nghttp2_session_want_write(session_.get()) == 0;
}

void h2_session::say_goaway() noexcept {
    if (std::exchange(has_goaway_, true))
        return;
    (void)nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(session_.get()),
                                NGHTTP2_NO_ERROR, nullptr, 0);
}

} // namespace pausemark::epoll
