/* reaction.h - names of reactions. */
#ifndef BR_REACTION_H
#define BR_REACTION_H

#include "base/arena.h"

/* The name without skin tone, aliases resolved. In the arena, or the name itself. NULL: no memory. */
const char *br_reaction_fold(const char *name, struct br_arena *arena);

#endif
