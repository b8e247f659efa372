// The log from record to recovery, on real files in a directory of its own.
#include "crc32c.h"
#include "expect.h"
#include "kept.h"
#include "log_writer.h"
#include "replay.h"
#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <random>

using namespace pausemark;

constexpr std::uint64_t segment_bytes = 4096;
static std::string root; // a fresh directory per case below it

static std::string fresh_directory() {
    static int number = 0;
    return root + "/" + std::to_string(++number);
}

static void test_crc32c() {
    EXPECT(crc32c(0, "123456789") == 0xe3069283u);
    EXPECT(crc32c(0, std::string(32, '\0')) == 0x8a9136aau);
    EXPECT(crc32c(0, std::string(32, '\xff')) == 0x62a8ab43u);
    std::mt19937 random(1);
    std::string bytes;
    for (int i = 0; i < 300; i++) {
        bytes += static_cast<char>(random());
        EXPECT(crc32c(0, bytes) == crc32c_by_table(0, bytes));
        const text half = text(bytes).substr(0, bytes.size() / 2);
        EXPECT(crc32c(crc32c(0, half), text(bytes).substr(half.size())) == crc32c(0, bytes));
    }
}

// A record with its CRC and fill, as bytes.
static std::string to_bytes(record r, text data) {
    r.data_bytes = data.size();
    std::string bytes(static_cast<std::size_t>(round_up_8(r.length())), '\0');
    put_record(bytes.data(), r);
    std::ranges::copy(data, bytes.begin() + static_cast<std::ptrdiff_t>(r.length() - data.size()));
    const text whole = text(bytes).substr(0, static_cast<std::size_t>(r.length()));
    put_record_crc(bytes.data(), crc32c(0, whole.substr(8)));
    return bytes;
}

static record make_record(std::uint64_t lsn, std::uint64_t durable_lsn, std::uint32_t epoch = 1) {
    static constexpr text metadata("content-type\0a/b\0", 17);
    record r;
    r.kind = operation::put_object;
    r.lsn = lsn;
    r.durable_lsn = durable_lsn;
    r.epoch = epoch;
    r.time_ns = 1'700'000'000'000'000'001;
    r.key = "bucket/key";
    r.metadata = metadata;
    r.md5.fill(7);
    return r;
}

static void test_record() {
    record r = make_record(0x0102030405060708, 5, 9);
    r.parts = 3;
    const std::string bytes = to_bytes(r, "hello");
    EXPECT(bytes.size() == 112 && bytes.substr(0, 4) == "PMR1");
    EXPECT(bytes.substr(8, 8) == text("\x70\0\0\0\0\0\0\0", 8));
    EXPECT(bytes.substr(16, 8) == "\x08\x07\x06\x05\x04\x03\x02\x01");
    EXPECT(bytes[36] == 1 && bytes[37] == 0 && bytes[38] == 3 && bytes[40] == 10);
    const auto back = read_record(bytes, 9);
    EXPECT(back && back->lsn == r.lsn && back->durable_lsn == 5 && back->parts == 3);
    EXPECT(back->key == r.key && back->metadata == r.metadata && back->data == "hello");
    EXPECT(back->md5 == r.md5 && back->time_ns == r.time_ns && is_supported(*back));
    EXPECT(!read_record(bytes, 8) && !read_record(text(bytes).substr(0, 111), 9));
    for (std::size_t i = 0; i < bytes.size(); i++) {
        std::string bad = bytes;
        bad[i] = static_cast<char>(bad[i] ^ 1);
        EXPECT(!read_record(bad, 9));
    }
}

static void test_segment_head() {
    const segment_head_array bytes = put_segment_head({3, 77, 4096});
    const text whole(bytes.data(), bytes.size());
    EXPECT(whole.starts_with("PAUSELOG\x01") && whole[12] == 3 && whole[16] == 77);
    const auto head = read_segment_head(whole);
    EXPECT(head && head->epoch == 3 && head->first_lsn == 77 && head->bytes == 4096);
    for (std::size_t i = 0; i < 36; i++) {
        std::string bad(whole);
        bad[i] = static_cast<char>(bad[i] ^ 1);
        EXPECT(!read_segment_head(bad));
    }
    EXPECT(segment_name(0xab) == "segment-00000000000000ab.log");
    EXPECT(read_segment_name(segment_name(0xab)) == 0xabu);
    EXPECT(!read_segment_name("segment-00000000000000AB.log") && !read_segment_name("lock"));
}

static void test_kept() {
    kept_headers kept, back;
    kept.values[kept_header::content_type] = "a/b";
    kept.values[kept_header::content_encoding] = "gzip";
    kept.values[kept_header::expires] = "0";
    kept.metadata[kept.metadata_count++] = {"x-amz-checksum-crc32c", "AAAAAA=="};
    kept.metadata[kept.metadata_count++] = {"X-Amz-Meta-A", ""};
    const object_ref o = object::create(kept, 0, 1);
    std::string bytes(kept_bytes(*o), '\0');
    EXPECT(put_kept(bytes.data(), *o) == bytes.data() + bytes.size());
    EXPECT(bytes == text("content-type\0a/b\0content-encoding\0gzip\0expires\0000\0"
                         "x-amz-checksum-crc32c\0AAAAAA==\0x-amz-meta-a\0\0",
                         94));
    EXPECT(read_kept(bytes, back) && back.values[kept_header::content_type] == "a/b" &&
           back.metadata_count == 2);
    EXPECT(back.values[kept_header::expires] == "0");
    EXPECT(back.values[kept_header::cache_control].empty() &&
           back.metadata[1].name == "x-amz-meta-a");
    EXPECT(!read_kept(text("name\0value", 10), back) && !read_kept("name", back));
}

struct collector final : record_visitor {
    std::vector<std::uint64_t> lsns;
    std::vector<std::string> data;
    bool visit(const record &r) override {
        lsns.push_back(r.lsn);
        data.emplace_back(r.data);
        return true;
    }
};

// One recovery in a scope of its own: the directory is free again behind it.
struct recovery_result {
    recovered outcome;
    log_end end;
    collector seen;
};

static recovery_result run_recovery(const std::string &path) {
    recovery_result r;
    log_directory directory;
    EXPECT(directory.open(path) && directory.lock());
    r.outcome = recover(directory, r.seen, r.end);
    return r;
}

static void write_segment(const std::string &path, segment_head head, const std::string &records) {
    std::filesystem::create_directories(path);
    const segment_head_array bytes = put_segment_head(head);
    std::string whole(bytes.begin(), bytes.end());
    whole += records;
    EXPECT(whole.size() <= head.bytes);
    whole.resize(head.bytes, '\0');
    std::FILE *file = std::fopen((path + "/" + segment_name(head.first_lsn)).c_str(), "wb");
    EXPECT(file != nullptr && std::fwrite(whole.data(), 1, whole.size(), file) == whole.size());
    std::fclose(file);
}

static std::string read_file(const std::string &path) {
    std::string bytes(std::filesystem::file_size(path), '\0');
    std::FILE *file = std::fopen(path.c_str(), "rb");
    EXPECT(file != nullptr && std::fread(bytes.data(), 1, bytes.size(), file) == bytes.size());
    std::fclose(file);
    return bytes;
}

// Appends one record to what a recovery left, with the journal that the server uses.
static void append_one(const std::string &path, const log_end &end, text data) {
    log_directory directory;
    EXPECT(directory.open(path) && directory.lock());
    journal j(directory, {segment_bytes, 1 << 20}, end);
    EXPECT(j.start());
    std::string bytes = to_bytes(make_record(end.next_lsn, end.next_lsn - 1, end.epoch), data);
    EXPECT(j.has_room(0, bytes.size()));
    iovec piece{bytes.data(), bytes.size()};
    EXPECT(j.append({&piece, 1}, bytes.size()) && j.sync());
}

static std::string three_records(std::uint64_t durable_lsn_of_third = 2) {
    return to_bytes(make_record(1, 0), "first") + to_bytes(make_record(2, 1), "second") +
           to_bytes(make_record(3, durable_lsn_of_third), "third");
}

static void test_recovery() {
    const std::string path = fresh_directory();
    const recovery_result empty = run_recovery(path);
    EXPECT(empty.outcome == recovered::good && empty.end.next_lsn == 1 && empty.end.epoch == 0);
    write_segment(path, {1, 1, segment_bytes}, three_records());
    write_segment(path, {2, 4, segment_bytes}, to_bytes(make_record(4, 3, 2), "fourth"));
    std::fclose(std::fopen((path + "/segment-x.log.new").c_str(), "wb"));
    const recovery_result r = run_recovery(path);
    EXPECT(r.outcome == recovered::good && r.seen.lsns == std::vector<std::uint64_t>({1, 2, 3, 4}));
    EXPECT(r.seen.data[3] == "fourth" && r.end.epoch == 2 && r.end.log_bytes == 2 * segment_bytes);
    EXPECT(!std::filesystem::exists(path + "/segment-x.log.new"));
    append_one(path, r.end, "fifth");
    EXPECT(run_recovery(path).seen.data[4] == "fifth");
}

static void test_lock() {
    const std::string path = fresh_directory();
    log_directory first, second;
    EXPECT(first.open(path) && first.lock() && second.open(path) && !second.lock());
    EXPECT(errno == EWOULDBLOCK);
}

// Zeros from every byte of the last record on: it is dropped, and the log goes on in its place.
static void test_torn_tail() {
    const std::string whole = three_records();
    const std::string last = to_bytes(make_record(3, 2), "third");
    for (std::size_t cut = 0; cut < last.size() - 4; cut++) { // 4: the fill
        const std::string path = fresh_directory();
        std::string torn = whole;
        std::fill(torn.end() - static_cast<std::ptrdiff_t>(last.size() - cut), torn.end(), '\0');
        write_segment(path, {1, 1, segment_bytes}, torn);
        const recovery_result r = run_recovery(path);
        EXPECT(r.outcome == recovered::good && r.seen.lsns.size() == 2 && r.end.next_lsn == 3);
        const std::string left = read_file(path + "/" + segment_name(1)).substr(r.end.offset);
        EXPECT(left.find_first_not_of('\0') == std::string::npos);
        append_one(path, r.end, "again");
        const recovery_result again = run_recovery(path);
        EXPECT(again.outcome == recovered::good && again.seen.lsns.size() == 3);
        EXPECT(again.seen.data[2] == "again");
    }
    EXPECT(to_bytes(make_record(3, 2), "third").size() % 8 == 0);
}

// The second record is damaged. Whether that is corruption is for the third's durable LSN to say.
static void test_corruption() {
    const std::size_t second = to_bytes(make_record(1, 0), "first").size();
    for (const std::uint64_t durable_lsn : {0u, 1u, 2u, 9u}) {
        for (const bool zeroed : {false, true}) {
            const std::string path = fresh_directory();
            std::string bytes = three_records(durable_lsn);
            const std::size_t length = to_bytes(make_record(2, 1), "second").size();
            if (zeroed)
                std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(second), length, '\0');
            else
                bytes[second + 90] = static_cast<char>(bytes[second + 90] ^ 4);
            write_segment(path, {1, 1, segment_bytes}, bytes);
            const recovery_result r = run_recovery(path);
            EXPECT(r.outcome == (durable_lsn >= 2 ? recovered::refused : recovered::good));
            if (r.outcome == recovered::good)
                EXPECT(r.end.next_lsn == 2 && run_recovery(path).end.next_lsn == 2);
            else
                EXPECT(run_recovery(path).outcome == recovered::refused); // nothing was touched
        }
    }
}

static void test_corruption_over_segments() {
    for (const std::uint64_t durable_lsn : {2u, 3u}) {
        const std::string path = fresh_directory();
        std::string bytes = three_records();
        bytes[bytes.size() - 8] ^= 1; // in the third record's data
        write_segment(path, {1, 1, segment_bytes}, bytes);
        write_segment(path, {2, 4, segment_bytes}, to_bytes(make_record(4, durable_lsn, 2), "x"));
        const recovery_result r = run_recovery(path);
        EXPECT(r.outcome == (durable_lsn >= 3 ? recovered::refused : recovered::good));
        const bool kept = std::filesystem::exists(path + "/" + segment_name(4));
        EXPECT(kept == (r.outcome == recovered::refused));
    }
    // A gap between segments is a hole at the first one's end.
    for (const std::uint64_t durable_lsn : {3u, 4u}) {
        const std::string path = fresh_directory();
        write_segment(path, {1, 1, segment_bytes}, three_records());
        write_segment(path, {2, 5, segment_bytes}, to_bytes(make_record(5, durable_lsn, 2), "x"));
        const recovery_result r = run_recovery(path);
        EXPECT(r.outcome == (durable_lsn >= 4 ? recovered::refused : recovered::good));
    }
}

static void test_lost_segment_head() {
    for (const bool has_record : {false, true}) {
        const std::string path = fresh_directory(), second = path + "/" + segment_name(4);
        write_segment(path, {1, 1, segment_bytes}, three_records());
        write_segment(path, {2, 4, segment_bytes},
                      has_record ? to_bytes(make_record(4, 0, 2), "x") : "");
        std::FILE *file = std::fopen(second.c_str(), "r+b");
        std::fputc('?', file);
        std::fclose(file);
        const recovery_result r = run_recovery(path);
        EXPECT(r.outcome == (has_record ? recovered::refused : recovered::good));
        EXPECT(std::filesystem::exists(second) == has_record);
    }
}

static void test_unsupported() {
    const std::string path = fresh_directory();
    record r = make_record(1, 0);
    r.data_place = 1;
    write_segment(path, {1, 1, segment_bytes}, to_bytes(r, "x"));
    EXPECT(run_recovery(path).outcome == recovered::refused);
}

// A client of the log writer: submits, and waits for its write to come back.
class client {
  public:
    explicit client(log_gate &g) : gate_(g) {
        gate_.on_done = [this] {
            rung_ = true;
            rung_.notify_one();
        };
    }
    error put(text key, text data, write_conditions asked = {}) {
        kept_headers kept;
        kept.values[kept_header::content_type] = "a/b";
        pausemark::write w;
        w.kind = operation::put_object;
        w.object = object::create(kept, data.size(), key.size());
        EXPECT(w.object != nullptr && w.object->append(data));
        w.room = store::room(key);
        w.conditions = asked;
        return wait(w, key);
    }
    error change(operation kind, text key = {}) {
        pausemark::write w;
        w.kind = kind;
        return wait(w, key);
    }

  private:
    error wait(pausemark::write &w, text key) {
        w.bucket = "bucket";
        w.key = key;
        EXPECT(gate_.submit(w));
        gate_.hand_over();
        for (bool back = false; !back;) {
            rung_.wait(false);
            rung_ = false;
            gate_.drain([&back](pausemark::write &) { back = true; });
        }
        return w.outcome;
    }
    log_gate &gate_;
    std::atomic<bool> rung_ = false;
};

static text stored(text key) {
    const store::lookup found = store::get("bucket", key);
    return found.outcome == store::result::ok ? found.found->slice(0) : text();
}

static void clear_store() {
    for (const text key : {"a", "b", "c", "large"})
        (void)store::remove("bucket", key);
    (void)store::delete_bucket("bucket");
}

static void test_writer(durability mode) {
    const std::string path = fresh_directory();
    const std::string large(100'000, 'l'); // a segment of its own
    {
        log_directory directory;
        EXPECT(directory.open(path) && directory.lock());
        log_writer writer(directory, {mode, 1, {segment_bytes, 1 << 20}}, {}, 2);
        EXPECT(writer.open());
        client one(writer.gate(0)), two(writer.gate(1));
        writer.start([] {});
        EXPECT(one.put("a", "1") == error::no_such_bucket);
        EXPECT(one.change(operation::create_bucket) == error::none);
        EXPECT(one.put("a", "1") == error::none && stored("a") == "1");
        EXPECT(two.put("a", "2", {{}, "*"}) == error::precondition_failed);
        EXPECT(two.put("b", "2", {{}, "*"}) == error::none);
        EXPECT(two.put("absent", "2", {"*", {}}) == error::no_such_key);
        EXPECT(two.put("b", "2", {"\"0\"", {}}) == error::precondition_failed);
        EXPECT(two.change(operation::delete_bucket) == error::bucket_not_empty);
        EXPECT(one.put("large", large) == error::none);
        for (int i = 0; i < 100; i++)
            EXPECT(two.put("c", std::to_string(i)) == error::none);
        EXPECT(one.change(operation::delete_object, "b") == error::none);
        EXPECT(one.change(operation::delete_object, "none") == error::none);
        writer.stop();
        EXPECT(!writer.has_failed());
    }
    clear_store();
    log_directory directory;
    log_end end;
    replay into(UINT64_MAX);
    EXPECT(directory.open(path) && directory.lock());
    EXPECT(recover(directory, into, end) == recovered::good);
    EXPECT(end.next_lsn == 106); // refused writes and a delete of nothing left no record
    EXPECT(stored("a") == "1" && stored("c") == "99" && stored("b").data() == nullptr);
    EXPECT(store::get("bucket", "large").found->size_bytes() == large.size());
    EXPECT(store::get("bucket", "a").found->kept()[kept_header::content_type] == "a/b");
    clear_store();
}

// Refused when full, and what fits is still taken.
static void test_full_log() {
    log_directory directory;
    EXPECT(directory.open(fresh_directory()) && directory.lock());
    log_writer writer(directory, {durability::batch, 1, {segment_bytes, 2 * segment_bytes}}, {}, 1);
    EXPECT(writer.open());
    client one(writer.gate(0));
    writer.start([] {});
    EXPECT(one.change(operation::create_bucket) == error::none);
    EXPECT(one.put("large", std::string(5000, 'x')) == error::slow_down);
    unsigned count = 0;
    while (one.put("a", std::string(500, 'x')) == error::none)
        EXPECT(++count < 20);
    EXPECT(count >= 8 && !writer.has_failed());
    EXPECT(one.put("b", "x") == error::none && stored("b") == "x");
    writer.stop();
    clear_store();
}

// A file that cannot be written any more: the write that waits fails, and so does all that follows.
static void test_failed_write() {
    const std::string path = fresh_directory();
    log_directory directory;
    EXPECT(directory.open(path) && directory.lock());
    log_writer writer(directory, {durability::batch, 1, {segment_bytes, 1 << 20}}, {}, 1);
    EXPECT(writer.open());
    client one(writer.gate(0));
    std::atomic<int> failures = 0;
    writer.start([&failures] { failures++; });
    EXPECT(one.change(operation::create_bucket) == error::none);
    // Every descriptor of the segment now leads to a file that is full.
    const int full = ::open("/dev/full", O_WRONLY);
    EXPECT(full >= 0);
    for (const auto &entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code ec;
        const auto target = std::filesystem::read_symlink(entry.path(), ec);
        if (!ec && target.string().ends_with(segment_name(1)))
            dup2(full, std::stoi(entry.path().filename().string()));
    }
    EXPECT(one.put("a", "1") == error::internal && stored("a").data() == nullptr);
    EXPECT(one.put("a", "1") == error::internal && writer.has_failed() && failures == 1);
    ::close(full);
    clear_store();
}

int main() {
    char pattern[] = "/tmp/pausemark-log-XXXXXX";
    EXPECT(mkdtemp(pattern) != nullptr);
    root = pattern;
    slab::start(false);
    object::limit_store(std::uint64_t{64} << 20);
    EXPECT(store::start());
    EXPECT(std::freopen((root + "/stderr").c_str(), "w", stderr) != nullptr);
    test_crc32c();
    test_record();
    test_segment_head();
    test_kept();
    test_recovery();
    test_lock();
    test_torn_tail();
    test_corruption();
    test_corruption_over_segments();
    test_lost_segment_head();
    test_unsupported();
    for (const durability mode :
         {durability::buffered, durability::interval, durability::batch, durability::sync})
        test_writer(mode);
    test_full_log();
    test_failed_write();
    std::filesystem::remove_all(root);
    std::puts("log: good");
    return 0;
}
