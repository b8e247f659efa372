// What a test says when something is not as it must be: where, and what.
#ifndef PAUSEMARK_EXPECT_H
#define PAUSEMARK_EXPECT_H
#include <stdio.h>
#include <stdlib.h>

// stdout, because tests of what is said on stderr lead that elsewhere.
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("error: test: %s:%d: %s\n", __FILE__, __LINE__, #condition);                    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
#endif
