/* Spins for SECONDS and prints every time in which it did not run, by its own clock.
 *
 * usage: spin SECONDS; a line "START_NS END_NS" for the start, each gap over 20 us, and the end. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { GAPS_MAX = 200000, GAP_NS = 20000 };
static long gaps[GAPS_MAX][2];

static long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

int main(int argc, char **argv)
{
    int count = 0;
    long start = now_ns();
    long end = start + (argc > 1 ? atol(argv[1]) : 1) * 1000000000L;
    long last = start;
    while (last < end) {
        long now = now_ns();
        if (now - last > GAP_NS && count < GAPS_MAX) {
            gaps[count][0] = last;
            gaps[count++][1] = now;
        }
        last = now;
    }
    printf("%ld %ld\n", start, start);
    for (int i = 0; i < count; i++)
        printf("%ld %ld\n", gaps[i][0], gaps[i][1]);
    printf("%ld %ld\n", last, last);
    return 0;
}
