/* random.h - random numbers that are the same in every run: splitmix64 (Steele, Lea and Flood, OOPSLA 2014). */
#ifndef BR_BENCH_RANDOM_H
#define BR_BENCH_RANDOM_H

#include <stdint.h>

/* In [0, 1). */
static inline double uniform(void)
{
    static uint64_t state = 1;
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = state;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ x >> 31) >> 11) / 9007199254740992.0;
}

#endif
