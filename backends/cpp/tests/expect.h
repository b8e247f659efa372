// The one assertion of the C++ tests: says where, and ends.
#pragma once
#include <cstdio>
#include <cstdlib>

// On stdout, because some tests take stderr away from what they test.
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::printf("error: %s:%d: %s\n", __FILE__, __LINE__, #condition);                     \
            std::fflush(stdout);                                                                   \
            std::_Exit(1);                                                                         \
        }                                                                                          \
    } while (0)
