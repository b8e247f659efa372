// What any bytes do to the log's recovery: a segment or two, with their CRCs put right first.
#include "crc32c.h"
#include "replay.h"
#include "store.h"
#include "upload.h"
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace pausemark;

static std::string root;

// Takes every record; their LSNs have no gap, whatever the bytes were.
class counter final : public record_visitor {
  public:
    bool visit(const record &r) override {
        if (r.lsn != ++count_)
            abort();
        return true;
    }
    [[nodiscard]] std::uint64_t count() const noexcept {
        return count_;
    }

  private:
    std::uint64_t count_ = 0;
};

extern "C" int LLVMFuzzerInitialize(int *, char ***) {
    char name[] =
        "/dev/shm/pausemark-fuzz-XXXXXX"; // a device would sync, and nothing is learned by it
    const char *const made = mkdtemp(name);
    if (made == nullptr)
        abort();
    root = made;
    slab::start(true);
    object::limit_store(16 << 20);
    if (!store::start())
        abort();
    return 0;
}

static std::uint64_t load(const std::string &bytes, std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

static void put_crc(std::string &bytes, std::size_t at, text of) {
    const std::uint32_t crc = crc32c(0, of);
    std::memcpy(bytes.data() + at, &crc, sizeof crc);
}

// Random bytes hardly ever have the right CRC: behind it lies what is worth trying.
static void put_crcs(std::string &bytes) {
    if (bytes.size() < segment_head_bytes)
        return;
    put_crc(bytes, 32, text(bytes).substr(0, 32));
    for (std::size_t at = segment_head_bytes; at + 80 <= bytes.size();) {
        const std::uint64_t length = load(bytes, at + 8);
        if (length < 80 || length > bytes.size() - at)
            return;
        const auto n = static_cast<std::size_t>(length);
        put_crc(bytes, at + 4, text(bytes).substr(at + 8, n - 8));
        at += (n + 7) & ~std::size_t{7};
    }
}

static void write_segment(const std::string &folder, std::uint64_t lsn, std::string bytes,
                          bool right) {
    if (right)
        put_crcs(bytes);
    std::ofstream(folder + "/" + segment_name(lsn), std::ios::binary) << bytes;
}

// The first byte: bit 0 puts CRCs right, bit 1 makes two segments, the rest cuts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    if (size < 2)
        return 0;
    const std::string input(reinterpret_cast<const char *>(data) + 1, size - 1);
    const bool right = (data[0] & 1) != 0;
    const std::size_t cut = (data[0] & 2) != 0 ? input.size() * data[0] / 255 : input.size();
    const std::string folder = root + "/log";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    write_segment(folder, 1, input.substr(0, cut), right);
    if (cut < input.size())
        write_segment(folder, 2, input.substr(cut), right);
    log_directory directory;
    if (!directory.open(folder) || !directory.lock())
        abort();
    counter once, again;
    log_end end;
    if (recover(directory, once, end) != recovered::good)
        return 0;
    // What was recovered once is recovered again, to the same end.
    if (recover(directory, again, end) != recovered::good || again.count() != once.count() ||
        end.next_lsn != once.count() + 1)
        abort();
    replay into(16 << 20); // may refuse: earlier inputs have left what they will in the index
    (void)recover(directory, into, end);
    return 0;
}
