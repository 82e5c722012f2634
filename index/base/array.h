/* array.h - arrays that grow. */
#ifndef BR_ARRAY_H
#define BR_ARRAY_H

#include "base/base.h"

/* Room for `need` items of `size` bytes in the array whose address lies in *items (malloc'ed, NULL at first), *alloc of which there are: it at least
 * doubles, so that adding one at a time costs O(1) each. false: no memory, and nothing has changed. items is the address of the pointer. */
BR_MUST_USE bool br_array_fit(void *items, size_t *alloc, size_t need, size_t size);

#endif
