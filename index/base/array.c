/* array.c - arrays that grow. */
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

#define LEAST 64

bool br_array_fit(void *items, size_t *alloc, size_t need, size_t size)
{
    void *array;
    size_t bytes, n = BR_MAX(BR_MAX(need, *alloc * 2), (size_t)LEAST);
    if (need <= *alloc)
        return true;
    if (__builtin_mul_overflow(n, size, &bytes))
        return false;
    memcpy(&array, items, sizeof array);
    array = realloc(array, bytes);
    if (!array)
        return false;
    memcpy(items, &array, sizeof array);
    *alloc = n;
    return true;
}
