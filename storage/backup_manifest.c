/* backup_manifest.c - MANIFEST, the first member of a backup: lines of text, in this order, each "key value\n".
 *
 *   key        value
 *   backread-backup  1, the format's version
 *   program    version of the program that wrote it
 *   workspace  id
 *   name       label; bytes outside printable ASCII, and %, as %XX; may be empty
 *   uuid       of the store, 32 hex digits
 *   generation of the logs
 *   created_at microseconds since 1970
 *   metadata.db, content, vectors   size in bytes, a space, XXH3-128 as 32 hex digits; one line each
 *   manifest   XXH3-128 of all lines before
 * It is valid when all of these are there, once and in this order, every number is a plain one and the last line agrees. */
#include "backup_int.h"
#include "store_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT 1

static const char *const member_keys[BR_MEMBERS] = {"metadata.db", "content", "vectors"};

void br_manifest_member_name(const struct br_manifest *m, enum br_backup_member i, char out[64])
{
    if (i == BR_MEMBER_METADATA)
        snprintf(out, 64, "metadata.db");
    else
        snprintf(out, 64, "%s.%llu", member_keys[i], (unsigned long long)m->generation);
}

static void add_hex(struct br_buf *b, const uint8_t bytes[16])
{
    for (size_t i = 0; i < 16; i++)
        br_buf_addf(b, "%02x", bytes[i]);
}

static void add_text(struct br_buf *b, const char *key, const char *text)
{
    br_buf_addf(b, "%s ", key);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p > 0x20 && *p < 0x7f && *p != '%')
            br_buf_addc(b, (char)*p);
        else
            br_buf_addf(b, "%%%02X", *p);
    }
    br_buf_addc(b, '\n');
}

enum br_rc br_manifest_write(const struct br_manifest *m, struct br_buf *out, struct br_err *err)
{
    uint8_t hash[16];
    br_buf_addf(out, "backread-backup %d\n", FORMAT);
    add_text(out, "program", m->program);
    add_text(out, "workspace", m->workspace_id);
    add_text(out, "name", m->name);
    br_buf_adds(out, "uuid ");
    add_hex(out, m->uuid);
    br_buf_addf(out, "\ngeneration %llu\ncreated_at %lld\n", (unsigned long long)m->generation, (long long)m->created_at);
    for (size_t i = 0; i < BR_MEMBERS; i++) {
        br_buf_addf(out, "%s %llu ", member_keys[i], (unsigned long long)m->members[i].size);
        add_hex(out, m->members[i].hash);
        br_buf_addc(out, '\n');
    }
    br_content_hash(br_buf_str(out), out->len, hash);
    br_buf_adds(out, "manifest ");
    add_hex(out, hash);
    br_buf_addc(out, '\n');
    return br_buf_status(out, err);
}

/* --- Reading --- */

struct parser {
    char *at; /* the rest, NUL-terminated */
    bool bad;
};

/* The value of the next line, which must have this key. */
static const char *value_of(struct parser *p, const char *key)
{
    size_t n = strlen(key);
    char *line = p->at, *end = strchr(line, '\n');
    if (p->bad || !end || strncmp(line, key, n) != 0 || line[n] != ' ') {
        p->bad = true;
        return "";
    }
    *end = 0;
    p->at = end + 1;
    return line + n + 1;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void parse_hex(struct parser *p, const char *text, uint8_t out[16])
{
    for (size_t i = 0; i < 16; i++) {
        int high = digit_of(text[0]), low = high < 0 ? -1 : digit_of(text[1]);
        if (low < 0) {
            p->bad = true;
            return;
        }
        out[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    p->bad |= *text != 0;
}

/* Decimal, at most `max`; *end is what follows. */
static uint64_t parse_number(struct parser *p, const char *text, uint64_t max, const char **end)
{
    uint64_t v = 0;
    const char *c = text;
    for (; *c >= '0' && *c <= '9'; c++) {
        if (v > (max - (uint64_t)(*c - '0')) / 10) {
            p->bad = true;
            return 0;
        }
        v = v * 10 + (uint64_t)(*c - '0');
    }
    p->bad |= c == text;
    if (end)
        *end = c;
    else
        p->bad |= *c != 0;
    return v;
}

static void parse_text(struct parser *p, const char *text, char *out, size_t n)
{
    size_t len = 0;
    for (; *text; text++) {
        int c = (unsigned char)*text;
        if (c == '%') {
            int high = digit_of(text[1]), low = high < 0 ? -1 : digit_of(text[2]);
            c = low < 0 ? 0 : high << 4 | low;
            text += low < 0 ? 0 : 2;
        }
        if (c == 0 || len + 1 >= n) {
            p->bad = true;
            break;
        }
        out[len++] = (char)c;
    }
    out[len] = 0;
}

enum br_rc br_manifest_parse(char *text, size_t n, const char *path, struct br_manifest *m, struct br_err *err)
{
    struct parser p = {.at = text};
    uint8_t want[16] = {0}, have[16];
    char *last = NULL;
    *m = (struct br_manifest){0};
    p.bad = strlen(text) != n; /* a NUL inside */
    for (char *at = text; !p.bad && (at = strstr(at, "\nmanifest ")) != NULL; at++)
        last = at + 1;
    if (last)
        br_content_hash(text, (size_t)(last - text), have);
    const char *version = value_of(&p, "backread-backup");
    if (!p.bad && strcmp(version, "1") != 0)
        return br_fail(err, BR_E_DATA, "the backup %s is of format version %.20s, this program knows %d: use a newer program", path,
                       version, FORMAT);
    parse_text(&p, value_of(&p, "program"), m->program, sizeof(m->program));
    parse_text(&p, value_of(&p, "workspace"), m->workspace_id, sizeof(m->workspace_id));
    parse_text(&p, value_of(&p, "name"), m->name, sizeof(m->name));
    parse_hex(&p, value_of(&p, "uuid"), m->uuid);
    m->generation = parse_number(&p, value_of(&p, "generation"), INT64_MAX, NULL);
    m->created_at = (int64_t)parse_number(&p, value_of(&p, "created_at"), INT64_MAX, NULL);
    for (size_t i = 0; i < BR_MEMBERS; i++) {
        const char *rest = "";
        m->members[i].size = parse_number(&p, value_of(&p, member_keys[i]), INT64_MAX / 8, &rest);
        p.bad |= *rest != ' ';
        if (!p.bad)
            parse_hex(&p, rest + 1, m->members[i].hash);
    }
    parse_hex(&p, value_of(&p, "manifest"), want);
    if (p.bad || *p.at || !last || !br_workspace_id_ok(m->workspace_id) || m->generation < 1)
        return br_fail(err, BR_E_DATA, "%s is no backup of this program: its manifest makes no sense", path);
    if (memcmp(want, have, 16) != 0)
        return br_fail(err, BR_E_DATA, "the backup %s is damaged: its manifest fails its checksum", path);
    return BR_OK;
}
