/* entry_name.c - entry names: decoding, unsafe names, and the junk that packing tools leave behind. */
#include "entry_name.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "utf8_check.h"

#define NAME_BYTES_MAX 65536u

/* Code page 437, 0x80 to 0xFF, as Unicode. */
static const unsigned short cp437[128] = {
    0x00C7, 0x00FC, 0x00E9, 0x00E2, 0x00E4, 0x00E0, 0x00E5, 0x00E7, 0x00EA, 0x00EB, 0x00E8, 0x00EF, 0x00EE,
    0x00EC, 0x00C4, 0x00C5, 0x00C9, 0x00E6, 0x00C6, 0x00F4, 0x00F6, 0x00F2, 0x00FB, 0x00F9, 0x00FF, 0x00D6,
    0x00DC, 0x00A2, 0x00A3, 0x00A5, 0x20A7, 0x0192, 0x00E1, 0x00ED, 0x00F3, 0x00FA, 0x00F1, 0x00D1, 0x00AA,
    0x00BA, 0x00BF, 0x2310, 0x00AC, 0x00BD, 0x00BC, 0x00A1, 0x00AB, 0x00BB, 0x2591, 0x2592, 0x2593, 0x2502,
    0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255D, 0x255C, 0x255B, 0x2510, 0x2514,
    0x2534, 0x252C, 0x251C, 0x2500, 0x253C, 0x255E, 0x255F, 0x255A, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550,
    0x256C, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256B, 0x256A, 0x2518, 0x250C,
    0x2588, 0x2584, 0x258C, 0x2590, 0x2580, 0x03B1, 0x00DF, 0x0393, 0x03C0, 0x03A3, 0x03C3, 0x00B5, 0x03C4,
    0x03A6, 0x0398, 0x03A9, 0x03B4, 0x221E, 0x03C6, 0x03B5, 0x2229, 0x2261, 0x00B1, 0x2265, 0x2264, 0x2320,
    0x2321, 0x00F7, 0x2248, 0x00B0, 0x2219, 0x00B7, 0x221A, 0x207F, 0x00B2, 0x25A0, 0x00A0,
};

static void add_cp437(struct br_buf *b, unsigned char c)
{
    unsigned u = c < 0x80 ? c : cp437[c - 0x80];
    if (u < 0x80) {
        br_buf_addc(b, (char)u);
    } else if (u < 0x800) {
        br_buf_addc(b, (char)(0xC0 | u >> 6));
        br_buf_addc(b, (char)(0x80 | (u & 0x3F)));
    } else {
        br_buf_addc(b, (char)(0xE0 | u >> 12));
        br_buf_addc(b, (char)(0x80 | (u >> 6 & 0x3F)));
        br_buf_addc(b, (char)(0x80 | (u & 0x3F)));
    }
}

static bool is_junk(const char *component, size_t n)
{
    static const char *const names[] = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"};
    if (n >= 2 && component[0] == '.' && component[1] == '_')
        return true;
    for (size_t i = 0; i < BR_COUNT(names); i++)
        if (n == strlen(names[i]) && memcmp(component, names[i], n) == 0)
            return true;
    return false;
}

/* Joins the components of s; a backslash was a separator to old Windows tools. */
static enum br_name_kind join_components(const char *s, size_t n, struct br_buf *out)
{
    bool junk = false, folder = false;
    if (n && (s[0] == '/' || s[0] == '\\'))
        return BR_NAME_UNSAFE;
    if (n >= 2 && s[1] == ':' && isalpha((unsigned char)s[0]) && (n == 2 || s[2] == '/' || s[2] == '\\'))
        return BR_NAME_UNSAFE;
    for (size_t i = 0; i < n;) {
        size_t len = 0;
        while (i + len < n && s[i + len] != '/' && s[i + len] != '\\')
            len++;
        if (len == 2 && s[i] == '.' && s[i + 1] == '.')
            return BR_NAME_UNSAFE;
        if (len && !(len == 1 && s[i] == '.')) {
            junk |= is_junk(s + i, len);
            if (out->len)
                br_buf_addc(out, '/');
            br_buf_add(out, s + i, len);
        }
        folder = i + len < n; /* a separator follows; true at the end for a folder entry */
        i += len + 1;
    }
    return junk ? BR_NAME_JUNK : folder || !out->len ? BR_NAME_FOLDER : BR_NAME_FILE;
}

struct br_entry_name br_entry_name_read(const char *raw, size_t n, struct br_arena *arena)
{
    struct br_entry_name name = {.kind = BR_NAME_UNSAFE, .text = "", .cp437 = !br_utf8_valid(raw, n)};
    if (memchr(raw, 0, n) || n > NAME_BYTES_MAX)
        return name;
    struct br_buf decoded, joined;
    br_buf_init(&decoded, 4 * NAME_BYTES_MAX);
    br_buf_init(&joined, 4 * NAME_BYTES_MAX);
    for (size_t i = 0; name.cp437 && i < n; i++)
        add_cp437(&decoded, (unsigned char)raw[i]);
    name.kind =
        name.cp437 ? join_components(br_buf_str(&decoded), decoded.len, &joined) : join_components(raw, n, &joined);
    bool failed = decoded.failed || joined.failed;
    name.text = failed ? NULL : br_arena_strn(arena, br_buf_str(&joined), joined.len);
    br_buf_free(&decoded);
    br_buf_free(&joined);
    return name;
}

bool br_is_day_file(const char *name)
{
    static const char pattern[] = "dddd-dd-dd.json";
    if (strlen(name) != sizeof pattern - 1)
        return false;
    for (size_t i = 0; pattern[i]; i++)
        if (pattern[i] == 'd' ? !isdigit((unsigned char)name[i]) : name[i] != pattern[i])
            return false;
    return true;
}

bool br_has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}
