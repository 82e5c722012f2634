/* redact.c - takes secrets out of a JSON value, in place: tokens in Slack's file links, and credentials that people
 * pasted. */
#include "slack_object.h"

#include <ctype.h>
#include <string.h>

#define REPLACEMENT "[redacted]"

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_';
}

static bool is_slack_token_char(char c)
{
    return is_token_char(c) || c == '%'; /* cookies are percent-encoded */
}

static size_t span(const char *s, bool (*in)(char))
{
    size_t n = 0;
    while (s[n] && in(s[n]))
        n++;
    return n;
}

static bool is_upper_alnum(char c)
{
    return isupper((unsigned char)c) || isdigit((unsigned char)c);
}

static bool is_base64(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '/' || c == '=';
}

static bool is_path_char(char c)
{
    return isalnum((unsigned char)c) || strchr("/-_.%", c) != NULL;
}

/* xoxb-..., xoxe.xoxp-..., xapp-..., in any case: length of the token at s, 0 for none. */
static size_t slack_token(const char *s)
{
    size_t prefix = 0;
    if (strncasecmp(s, "xapp-", 5) == 0)
        prefix = 5;
    else if (strncasecmp(s, "xoxe.xox", 8) == 0 && isalpha((unsigned char)s[8]) && s[9] == '-')
        prefix = 10;
    else if (strncasecmp(s, "xox", 3) == 0 && isalpha((unsigned char)s[3]) && s[4] == '-')
        prefix = 5;
    size_t n = prefix ? span(s + prefix, is_slack_token_char) : 0;
    return n >= 6 ? prefix + n : 0;
}

static size_t prefixed(const char *s, const char *prefix, bool (*in)(char), size_t least)
{
    size_t p = strlen(prefix);
    size_t n = strncmp(s, prefix, p) == 0 ? span(s + p, in) : 0;
    return n >= least ? p + n : 0;
}

/* aws_secret_access_key = "..." and AccountKey=...: *skip is what stays, the name. */
static size_t named_key(const char *s, const char *name, size_t least, size_t *skip)
{
    size_t p = strlen(name);
    if (strncasecmp(s, name, p) != 0)
        return 0;
    while (s[p] && strchr(" \t\"':=", s[p]) && p < strlen(name) + 8)
        p++;
    size_t n = span(s + p, is_base64);
    *skip = p;
    return n >= least ? n : 0;
}

static size_t private_key(const char *s)
{
    if (strncmp(s, "-----BEGIN ", 11) != 0)
        return 0;
    const char *label_end = strstr(s + 11, "-----");
    if (!label_end || label_end - s > 60 || !memmem(s, (size_t)(label_end - s), "PRIVATE KEY", 11))
        return 0;
    const char *end = strstr(label_end + 5, "-----END ");
    const char *close = end ? strstr(end + 9, "-----") : NULL;
    return close ? (size_t)(close + 5 - s) : strlen(s);
}

static size_t webhook(const char *s, size_t *skip)
{
    static const char *const hosts[] = {"hooks.slack.com/", "hooks.slack-gov.com/"};
    for (size_t i = 0; i < BR_COUNT(hosts); i++) {
        *skip = strlen(hosts[i]);
        size_t n = strncasecmp(s, hosts[i], *skip) == 0 ? span(s + *skip, is_path_char) : 0;
        if (n >= 8)
            return n;
    }
    return 0;
}

/* Length of the secret at s, after *skip bytes that stay. */
static size_t secret_at(const char *s, size_t *skip)
{
    size_t n;
    *skip = 0;
    switch (s[0]) {
    case 'x':
    case 'X':
        return slack_token(s);
    case 'A':
        if ((n = prefixed(s, "AKIA", is_upper_alnum, 16)) || (n = prefixed(s, "ASIA", is_upper_alnum, 16)) ||
            (n = prefixed(s, "AIza", is_token_char, 35)))
            return n;
        n = named_key(s, "AccountKey", 40, skip);
        return n ? n : named_key(s, "aws_secret_access_key", 40, skip);
    case 'a':
        return named_key(s, "aws_secret_access_key", 40, skip);
    case 'g':
        if ((n = prefixed(s, "github_pat_", is_token_char, 22)))
            return n;
        return s[1] == 'h' && s[2] && strchr("pousr", s[2]) && s[3] == '_' && (n = span(s + 4, is_token_char)) >= 36
                   ? n + 4
                   : 0;
    case 's':
        return prefixed(s, "sk_live_", is_token_char, 16);
    case '-':
        return private_key(s);
    case 'h':
    case 'H':
        return webhook(s, skip);
    default:
        return 0;
    }
}

/* "?t=xoxe-..." at s: bytes to drop, so that the link stays a link. */
static size_t link_token(const char *s)
{
    if ((s[0] != '?' && s[0] != '&') || strncmp(s + 1, "t=xox", 5) != 0)
        return 0;
    size_t n = 6;
    while (s[n] && s[n] != '&' && !strchr(" \t\n>|\"#", s[n]))
        n++;
    return n;
}

static bool is_candidate(const char *s)
{
    switch (s[0]) {
    case 'x':
    case 'X':
        return strncasecmp(s, "xox", 3) == 0 || strncasecmp(s, "xap", 3) == 0;
    case 'A':
        return s[1] && strchr("KSIcWw", s[1]);
    case 'a':
        return strncasecmp(s, "aws", 3) == 0;
    case 'g':
        return s[1] == 'h' || s[1] == 'i';
    case 's':
        return s[1] == 'k' && s[2] == '_';
    case '-':
        return s[1] == '-' && s[2] == '-';
    case 'h':
    case 'H':
        return strncasecmp(s, "hoo", 3) == 0;
    case '?':
    case '&':
        return s[1] == 't' && s[2] == '=';
    default:
        return false;
    }
}

/* Rewrites s into out; returns the number of pasted secrets. */
static uint64_t redact_text(const char *s, struct br_buf *out)
{
    uint64_t found = 0;
    const char *start = s;
    for (size_t skip; *s;) {
        size_t n = link_token(s);
        if (n) {
            if (*s == '?' && s[n] == '&') { /* more parameters follow: the next one takes the question mark */
                br_buf_addc(out, '?');
                n++;
            }
            s += n;
            continue;
        }
        bool inside_word = s > start && isalnum((unsigned char)s[-1]);
        n = inside_word && *s != 'x' && *s != 'X' ? 0 : secret_at(s, &skip);
        if (n) {
            br_buf_add(out, s, skip);
            br_buf_adds(out, REPLACEMENT);
            s += skip + n;
            found++;
            continue;
        }
        br_buf_addc(out, *s++);
    }
    return found;
}

static bool has_candidate(const char *s)
{
    while (*s && !is_candidate(s))
        s++;
    return *s != 0;
}

static bool redact_string(json_t *value, uint64_t *found)
{
    if (!has_candidate(json_string_value(value)))
        return true;
    struct br_buf out;
    br_buf_init(&out, 4 * json_string_length(value) + 64);
    *found += redact_text(json_string_value(value), &out);
    /* Without memory for the clean text, none is kept rather than the secret. */
    bool ok = !out.failed && (strcmp(br_buf_str(&out), json_string_value(value)) == 0 ||
                              json_string_setn_nocheck(value, br_buf_str(&out), out.len) == 0);
    if (!ok)
        (void)json_string_setn_nocheck(value, "", 0);
    br_buf_free(&out);
    return ok;
}

/* Members whose name is a secret get a clean one, behind the others. */
static bool redact_keys(json_t *object, uint64_t *found)
{
    bool ok = true;
    const char *key;
    json_t *v, *renamed = NULL;
    void *next;
    json_object_foreach_safe(object, next, key, v)
    {
        struct br_buf out;
        if (!has_candidate(key))
            continue;
        br_buf_init(&out, 4 * strlen(key) + 64);
        *found += redact_text(key, &out);
        if (out.failed || strcmp(br_buf_str(&out), key) != 0) {
            if (!renamed)
                renamed = json_object();
            /* Without memory the member is dropped rather than kept. */
            ok &= renamed && !out.failed && json_object_set(renamed, br_buf_str(&out), v) == 0;
            (void)json_object_del(object, key);
        }
        br_buf_free(&out);
    }
    if (renamed)
        ok &= json_object_update_missing(object, renamed) == 0;
    json_decref(renamed);
    return ok;
}

bool br_redact(json_t *value, uint64_t *found)
{
    bool ok = true;
    size_t i;
    json_t *v;
    const char *key;
    switch (json_typeof(value)) {
    case JSON_STRING:
        return redact_string(value, found);
    case JSON_ARRAY:
        json_array_foreach(value, i, v) ok &= br_redact(v, found);
        return ok;
    case JSON_OBJECT:
        json_object_foreach(value, key, v) ok &= br_redact(v, found);
        return redact_keys(value, found) && ok;
    default:
        return true;
    }
}
