// The one thread that writes the log, applies what it wrote to the index, and gives each write back
// to the worker that it came from.
#ifndef PAUSEMARK_LOG_WRITER_H
#define PAUSEMARK_LOG_WRITER_H
#include "log_gate.h"
#include "log_journal.h"

enum durability {
    DURABILITY_RAM,
    DURABILITY_BUFFERED,
    DURABILITY_INTERVAL,
    DURABILITY_BATCH,
    DURABILITY_SYNC
};

struct log_settings {
    enum durability mode; // not DURABILITY_RAM
    uint64_t sync_interval_ms;
    struct log_limits limits;
};

struct log_writer;
// Opens the log's end. NULL with errno set. `d` must outlive it.
struct log_writer *log_writer_create(const struct log_directory *d, const struct log_settings *s,
                                     const struct log_end *from, unsigned workers);
struct log_gate *log_writer_gate(struct log_writer *w, unsigned worker);
// Starts the thread. `on_failure` is called there once, when the log can no longer be written.
bool log_writer_start(struct log_writer *w, void (*on_failure)(void));
// Writes what was submitted, syncs, and ends the thread.
void log_writer_stop(struct log_writer *w);
// Also of the sync at the end, once it is stopped.
bool log_writer_has_failed(const struct log_writer *w);
// NULL is allowed; stops it when it runs.
void log_writer_destroy(struct log_writer *w);
#endif
