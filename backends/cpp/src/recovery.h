// Reads a log from its beginning, decides between a torn tail and corruption, and leaves the log so
// that it can be appended to.
#pragma once
#include "record.h"
#include "segment.h"

namespace pausemark {

// Where the log goes on.
struct log_end {
    std::uint64_t next_lsn = 1;
    std::uint32_t epoch = 0;     // of the last segment; 0: there is none
    std::uint64_t first_lsn = 0; // of the last segment
    std::uint64_t offset = 0, segment_bytes = 0;
    std::uint64_t log_bytes = 0; // of all segments together
};

class record_visitor {
  public:
    // In the order of the log. False ends the recovery; the visitor has said why.
    virtual bool visit(const record &r) = 0;

  protected:
    ~record_visitor() = default;
};

enum class recovered {
    good,
    refused, // corruption, or a record that this version cannot do
    stopped, // by the visitor
    failed   // a system call
};

// Says on stderr, in one line, what was dropped or why not. When it is good every record that was
// visited is on the device.
[[nodiscard]] recovered recover(const log_directory &directory, record_visitor &visitor,
                                log_end &end);

} // namespace pausemark
