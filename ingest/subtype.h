/* subtype.h - the table of message subtypes. */
#ifndef BR_SUBTYPE_H
#define BR_SUBTYPE_H

#include "event.h"

struct br_subtype {
    const char *name;
    enum br_message_class cls;
};
const struct br_subtype *br_subtype_find(const char *name); /* NULL: nobody has seen it yet; it is content */

#endif
