/* render_embedding.c - the rendered text as the model gets it: addresses by their host, no skin tones.
 *
 * A path, a query or a person's mailbox costs tokens and pulls the vector away from what was said; a host says
 * something. */
#include "render.h"

#include <string.h>
#include <strings.h>

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           ((unsigned char)c & 0x80);
}

static size_t prefix(const char *s, size_t n, const char *p)
{
    size_t len = strlen(p);
    return n >= len && strncasecmp(s, p, len) == 0 ? len : 0;
}

static bool ends_address(char c)
{
    return (unsigned char)c <= ' ' || strchr("<>\"`|", c);
}

/* The bytes of the address at s, of which `scheme` bytes are its scheme. A bracket it did not open is not part of
 * it, nor is the punctuation behind it. In its path a byte beyond ASCII ends it: what follows may be text without
 * blanks. */
static size_t address_length(const char *s, size_t n, size_t scheme)
{
    size_t i = scheme, open = 0;
    bool in_host = true;
    for (; i < n && !ends_address(s[i]); i++) {
        in_host = in_host && !strchr("/?#", s[i]);
        if (!in_host && ((unsigned char)s[i] & 0x80))
            break;
        if (s[i] == '(')
            open++;
        if (s[i] == ')' && open-- == 0)
            break;
    }
    while (i > scheme && strchr(".,:;!?'*_~", s[i - 1]))
        i--;
    return i;
}

/* The host within "user:password@host:port/path". */
static void host_of(const char **s, size_t *n)
{
    size_t end = 0;
    while (end < *n && !strchr("/?#\\", (*s)[end]))
        end++;
    for (size_t i = end; i > 0; i--)
        if ((*s)[i - 1] == '@') {
            *s += i;
            end -= i;
            break;
        }
    const char *colon = end && **s != '[' ? memchr(*s, ':', end) : NULL;
    *n = colon ? (size_t)(colon - *s) : end;
}

/* The address at s: its bytes and its host, which may be empty; 0 if there is none. */
static size_t address_at(const char *s, size_t n, const char **host, size_t *host_len)
{
    size_t scheme = prefix(s, n, "https://");
    if (!scheme)
        scheme = prefix(s, n, "http://");
    bool mail = !scheme;
    if (mail)
        scheme = prefix(s, n, "mailto:");
    if (!scheme)
        return 0;
    size_t len = address_length(s, n, scheme);
    *host = s + scheme;
    *host_len = len - scheme;
    if (mail && !memchr(*host, '@', *host_len))
        *host_len = 0; /* "mailto:" in prose */
    host_of(host, host_len);
    return len;
}

static size_t skin_tone(const char *s, size_t n)
{
    return n >= 13 && memcmp(s, ":skin-tone-", 11) == 0 && s[11] >= '1' && s[11] <= '6' && s[12] == ':' ? 13 : 0;
}

void br_render_for_embedding(const char *text, size_t len, struct br_buf *out)
{
    size_t from = 0;
    for (size_t i = 0; i < len;) {
        const char *instead = "";
        size_t skip = 0, instead_len = 0;
        if (text[i] == ':')
            skip = skin_tone(text + i, len - i);
        else if (strchr("hHmM", text[i]) && text[i] && (i == 0 || !is_word(text[i - 1])))
            skip = address_at(text + i, len - i, &instead, &instead_len);
        bool hostless = skip && text[i] != ':' && !instead_len;
        if (!skip || hostless) { /* what has no host stays, and is not searched again */
            i += skip ? skip : 1;
            continue;
        }
        br_buf_add(out, text + from, i - from);
        br_buf_add(out, instead, instead_len);
        i += skip;
        from = i;
    }
    br_buf_add(out, text + from, len - from);
}
