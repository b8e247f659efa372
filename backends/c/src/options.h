// The command line.
#ifndef PAUSEMARK_OPTIONS_H
#define PAUSEMARK_OPTIONS_H
#include "worker.h"

enum options_result { OPTIONS_RUN, OPTIONS_VERSION, OPTIONS_BAD };
// Fills *options; on OPTIONS_BAD has written one line to stderr.
enum options_result options_read(int count, char **arguments, struct options *options);
#endif
