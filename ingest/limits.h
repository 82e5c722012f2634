/* limits.h - what an archive may ask of us. Defaults that a real Grid export passes with room to spare. */
#ifndef BR_LIMITS_H
#define BR_LIMITS_H

#define BR_LIMIT_ENTRIES     2000000u
#define BR_LIMIT_ENTRY_BYTES (2ull << 30)   /* unpacked; entries are streamed, so this is time, not memory */
#define BR_LIMIT_TOTAL_BYTES (200ull << 30) /* unpacked, of all JSON entries; others are never read */
#define BR_LIMIT_BOMB_BYTES  (64ull << 20)  /* an entry above this ... */
#define BR_LIMIT_BOMB_RATIO  500ull         /* ... that unpacks to more than this many times its packed size */
#define BR_LIMIT_NAMES_BYTES (1ull << 30)   /* memory for entry names */
#define BR_LIMIT_WALK_DEPTH  8              /* folders below a directory that is imported */

#define BR_LIMIT_MESSAGE_BYTES  (8u << 20)  /* one message; replies that slackdump nested in it are taken apart */
#define BR_LIMIT_MESSAGE_VALUES 300000u     /* in it: about 100 bytes of memory each, a bracket counts for three */
#define BR_LIMIT_LISTED_BYTES   (32u << 20) /* one entry of a list: a channel with all its members, 540,640 in a known case */
#define BR_LIMIT_LISTED_VALUES  2000000u
#define BR_LIMIT_JSON_DEPTH    1000u        /* the parser itself would stop at 2048 */
#define BR_LIMIT_RESCAN_BYTES  (256u << 20) /* looked at in vain in one file before it is read more narrowly */
#define BR_LIMIT_SCAN_POSTS    1000u        /* posts looked at to learn a workspace's team and domain */

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION /* small inputs reach the limits that stand for much data */
#undef BR_LIMIT_MESSAGE_BYTES
#undef BR_LIMIT_MESSAGE_VALUES
#undef BR_LIMIT_LISTED_BYTES
#undef BR_LIMIT_LISTED_VALUES
#undef BR_LIMIT_JSON_DEPTH
#undef BR_LIMIT_RESCAN_BYTES
#define BR_LIMIT_MESSAGE_BYTES  2048u
#define BR_LIMIT_MESSAGE_VALUES 200u
#define BR_LIMIT_LISTED_BYTES   3072u
#define BR_LIMIT_LISTED_VALUES  400u
#define BR_LIMIT_JSON_DEPTH     40u
#define BR_LIMIT_RESCAN_BYTES   16384u
#endif

#endif
