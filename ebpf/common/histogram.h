/* A log-linear histogram of nanoseconds: 32 buckets for each power of two, up to 2^36 ns (68 s).
 * Counts only grow: the user side subtracts two snapshots, so nothing is lost between them.
 * The layout is decoded by histogram.py; change both together. */
#ifndef PAUSEMARK_HISTOGRAM_H
#define PAUSEMARK_HISTOGRAM_H

#define HISTOGRAM_BUCKETS 1024
#define HISTOGRAM_NS_MAX ((1ULL << 36) - 1)

struct histogram {
    u64 sum_ns;
    u64 bucket[HISTOGRAM_BUCKETS];
};

/* Values below 32 have a bucket each; above, the 5 bits after the leading one choose it. */
static __always_inline u32 histogram_index(u64 ns)
{
    u32 shift = 0;
    u64 head = ns > HISTOGRAM_NS_MAX ? HISTOGRAM_NS_MAX : ns;
    if (head >= (1ULL << 21)) { head >>= 16; shift += 16; }
    if (head >= (1ULL << 13)) { head >>= 8; shift += 8; }
    if (head >= (1ULL << 9)) { head >>= 4; shift += 4; }
    if (head >= (1ULL << 7)) { head >>= 2; shift += 2; }
    if (head >= (1ULL << 6)) { head >>= 1; shift += 1; }
    return ((shift << 5) + (u32)head) & (HISTOGRAM_BUCKETS - 1);
}

static __always_inline void histogram_add(struct histogram *histogram, u64 ns)
{
    __sync_fetch_and_add(&histogram->sum_ns, ns);
    __sync_fetch_and_add(&histogram->bucket[histogram_index(ns)], 1);
}
#endif
