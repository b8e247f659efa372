// Reads a log from its beginning, decides between a torn tail and corruption, and leaves the log so
// that it can be appended to.
#ifndef PAUSEMARK_LOG_RECOVERY_H
#define PAUSEMARK_LOG_RECOVERY_H
#include "log_record.h"
#include "log_segment.h"

// Where the log goes on.
struct log_end {
    uint64_t next_lsn;
    uint32_t epoch;     // of the last segment; 0: there is none
    uint64_t first_lsn; // of the last segment
    uint64_t offset, segment_bytes;
    uint64_t log_bytes; // of all segments together
};

// Called for each record in the order of the log. False ends the recovery; the visitor has said
// why.
typedef bool log_visitor(void *context, const struct log_record *r);

enum log_recovered {
    LOG_RECOVERED,
    LOG_REFUSED, // corruption, or a record that this version cannot do
    LOG_STOPPED, // by the visitor
    LOG_FAILED   // a system call
};

// Says on stderr, in one line, what was dropped or why not. On LOG_RECOVERED every record that was
// visited is on the device.
enum log_recovered log_recover(const struct log_directory *d, log_visitor *visit, void *context,
                               struct log_end *end);
#endif
