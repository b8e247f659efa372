// Keys to numbers that nobody can foresee who does not know the seed: 128-bit products, folded.
#ifndef PAUSEMARK_HASH_H
#define PAUSEMARK_HASH_H
#include "text.h"

static inline uint64_t hash_mix(uint64_t a, uint64_t b) {
    __extension__ unsigned __int128 product =
        (unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd1b54a32d192ed03u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_text(uint64_t state, struct text t) {
    while (t.n >= 8) {
        uint64_t word;
        memcpy(&word, t.p, 8);
        state = hash_mix(state, word);
        t.p += 8;
        t.n -= 8;
    }
    uint64_t word = t.n + 1;
    for (size_t i = 0; i < t.n; i++)
        word = word << 8 | (uint8_t)t.p[i];
    return hash_mix(state, word);
}
#endif
