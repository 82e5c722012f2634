/* fixture_model.c - see fuzz.h: the smallest model the format allows that still has every part. */
#include "fuzz.h"

#include "base/crc32c.h"
#include "embed/model_file.h"

#include <stdio.h>

#define FFN 16
#define POSITIONS 32

static uint64_t random_state = 5;
static uint32_t draw(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(random_state >> 33);
}

static float small_float(float base)
{
    return base + ((float)(draw() % 2001) - 1000) / 4000;
}

const char *fuzz_model_vocabulary(size_t *n)
{
    static const char words[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\nlake\nbuild\nbroke\nagain\nserver\ndeploy\ndata\nmeeting\nlunch\ntoday\n##s\n##ing\n";
    static struct br_buf text;
    if (!text.len) {
        br_buf_init(&text, 4096);
        br_buf_adds(&text, words);
        for (char c = 'a'; c <= 'z'; c++)
            br_buf_addf(&text, "%c\n##%c\n", c, c);
        for (char c = '0'; c <= '9'; c++)
            br_buf_addf(&text, "%c\n##%c\n", c, c);
        br_buf_adds(&text, ".\n,\n:\n?\n!\n-\n'\n\xC3\xA9\n");
    }
    *n = text.len;
    return text.data;
}

/* ---- the .brm file ---- */

static _Alignas(64) uint8_t file[64 << 10];
static size_t file_len;

static void *section(enum br_section_tag tag, size_t bytes)
{
    struct br_model_header *h = (void *)file;
    size_t at = (file_len + 63) & ~(size_t)63;
    BR_ASSERT(at + bytes <= sizeof file);
    h->sections[h->n_sections++] = (struct br_section){.tag = tag, .offset = at, .bytes = bytes};
    file_len = at + bytes;
    return file + at;
}

static void floats(float *p, size_t n, float base)
{
    for (size_t i = 0; i < n; i++)
        p[i] = small_float(base);
}

static void linear(enum br_section_tag tag, size_t in, size_t out)
{
    uint8_t *bytes = section(tag, BR_LINEAR_BYTES(in, out, BR_LINEAR_PARTS(tag, in)));
    struct br_linear l;
    br_linear_point(&l, BR_MODEL_VERSION, tag, bytes, in, out);
    int32_t *sums = (int32_t *)(uintptr_t)l.sums;
    for (size_t i = 0; i < in * out; i++) { /* panels [out/16][in/4][16][4] */
        int8_t w = (int8_t)((int)(draw() % 127) - 63);
        bytes[i] = (uint8_t)w;
        sums[i % (16 * in) / 64 * 4 / l.part * out + i / (16 * in) * 16 + i / 4 % 16] += w;
    }
    floats((float *)(uintptr_t)l.bias, out, 0);
    for (size_t i = 0; i < in / l.part * out; i++)
        ((float *)(uintptr_t)l.scale)[i] = 0.01f;
    for (size_t i = 0; i < in; i++)
        ((float *)(uintptr_t)l.smooth_inv)[i] = 1;
}

/* Text files without a last newline have one token more than newlines. */
static uint32_t tokens(const char *text, size_t n)
{
    uint32_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

static void make(void)
{
    struct br_model_header *h = (void *)file;
    size_t n;
    const char *vocab = fuzz_model_vocabulary(&n);
    memcpy(h->magic, "BRMODEL1", 8);
    h->endian = 0x01020304;
    h->version = BR_MODEL_VERSION;
    h->hidden = FUZZ_DIM;
    h->layers = 1;
    h->heads = 2;
    h->ffn = FFN;
    h->vocab = tokens(vocab, n);
    h->max_seq = h->positions = POSITIONS;
    h->pooling = 1;
    strcpy(h->name, "fuzz");
    memset(h->id, 'a', 64);
    memset(h->source_sha256, 'b', 64);
    file_len = sizeof *h;
    memcpy(section(BR_SEC_VOCAB, n), vocab, n);
    uint8_t *words = section(BR_SEC_WORDS, h->vocab * FUZZ_DIM);
    for (size_t i = 0; i < h->vocab * FUZZ_DIM; i++)
        words[i] = (uint8_t)draw();
    float *scales = section(BR_SEC_WORD_SCALES, 4 * h->vocab);
    for (size_t i = 0; i < h->vocab; i++)
        scales[i] = 0.01f;
    floats(section(BR_SEC_POSITIONS, 4 * POSITIONS * FUZZ_DIM), POSITIONS * FUZZ_DIM, 0);
    float *ln = section(BR_SEC_EMBEDDING_LN, 8 * FUZZ_DIM);
    floats(ln, FUZZ_DIM, 1);
    floats(ln + FUZZ_DIM, FUZZ_DIM, 0);
    linear(BR_SEC_QKV, FUZZ_DIM, 3 * FUZZ_DIM);
    linear(BR_SEC_ATTENTION_OUT, FUZZ_DIM, FUZZ_DIM);
    linear(BR_SEC_FFN_UP, FUZZ_DIM, FFN);
    linear(BR_SEC_FFN_DOWN, FFN, FUZZ_DIM);
    ln = section(BR_SEC_LAYER_LN, 16 * FUZZ_DIM);
    for (int i = 0; i < 4; i++)
        floats(ln + i * FUZZ_DIM, FUZZ_DIM, i % 2 ? 0 : 1);
    fuzz_model_fix(file, file_len);
}

void fuzz_model_fix(uint8_t *bytes, size_t n)
{
    struct br_model_header *h = (void *)bytes;
    if (n < sizeof *h)
        return;
    h->file_bytes = n;
    for (uint32_t i = 0; i < BR_SECTIONS_MAX && i < h->n_sections; i++) {
        struct br_section *s = &h->sections[i];
        if (s->offset <= n && s->bytes <= n - s->offset && s->offset >= sizeof *h)
            s->crc = br_crc32c(0, bytes + s->offset, s->bytes);
    }
    h->header_crc = 0;
    h->header_crc = br_crc32c(0, h, sizeof *h);
}

const uint8_t *fuzz_model_bytes(size_t *n)
{
    if (!file_len)
        make();
    *n = file_len;
    return file;
}
