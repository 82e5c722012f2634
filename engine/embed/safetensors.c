/* safetensors.c - a reader of the safetensors format that trusts nothing in the file. */
#include "embed/safetensors.h"

#include "json_load.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES_MAX ((uint64_t)16 << 20)

struct range {
    uint64_t from, to; /* of a tensor's bytes, from data_offset */
};

static bool range_of(const json_t *tensor, uint64_t data, struct range *out)
{
    const json_t *offsets = json_object_get(tensor, "data_offsets"), *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(from) || !json_is_integer(to))
        return false;
    json_int_t a = json_integer_value(from), b = json_integer_value(to);
    *out = (struct range){(uint64_t)a, (uint64_t)b};
    return a >= 0 && b >= a && (uint64_t)b <= data;
}

static int by_from(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

/* Every tensor lies inside the file and none shares bytes with another: no writer makes such files, so one that does is damaged or hostile. */
static enum br_rc check_ranges(const struct br_safetensors *f, struct br_err *err)
{
    struct range *ranges = calloc(json_object_size(f->header) + 1, sizeof *ranges);
    const char *name;
    json_t *tensor;
    size_t n = 0;
    enum br_rc rc = BR_OK;
    if (!ranges)
        return br_fail_nomem(err);
    json_object_foreach(f->header, name, tensor)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (!range_of(tensor, f->map.bytes - f->data_offset, &ranges[n++]))
            BR_TRY(br_fail(err, BR_E_DATA, "%s: tensor %.100s lies outside the file", f->path, name));
    }
    qsort(ranges, n, sizeof *ranges, by_from);
    for (size_t i = 1; i < n; i++)
        if (ranges[i].from < ranges[i - 1].to)
            BR_TRY(br_fail(err, BR_E_DATA, "%s: two of its tensors share bytes", f->path));
err:
    free(ranges);
    return rc;
}

enum br_rc br_safetensors_open(struct br_safetensors *f, const char *path, struct br_err *err)
{
    uint64_t n = 0;
    *f = (struct br_safetensors){.path = path};
    enum br_rc rc = br_file_map_open(&f->map, path, err);
    if (rc != BR_OK)
        return rc;
    const void *p = f->map.at;
    if (f->map.bytes <= 8)
        return br_fail(err, BR_E_DATA, "%s is no safetensors file", path);
    memcpy(&n, p, 8);
    if (n > HEADER_BYTES_MAX || n > f->map.bytes - 8)
        return br_fail(err, BR_E_DATA, "%s is no safetensors file: its header would be %llu bytes", path, (unsigned long long)n);
    f->data_offset = 8 + (size_t)n;
    bool no_memory;
    f->header = br_json_load((const char *)p + 8, (size_t)n, JSON_REJECT_DUPLICATES, &no_memory);
    if (no_memory)
        return br_fail_nomem(err);
    if (!json_is_object(f->header))
        return br_fail(err, BR_E_DATA, "%s is no safetensors file: its header is no JSON object", path);
    return check_ranges(f, err);
}

void br_safetensors_close(struct br_safetensors *f)
{
    br_file_map_close(&f->map);
    json_decref(f->header);
    *f = (struct br_safetensors){0};
}

size_t br_safetensors_rows(const struct br_safetensors *f, const char *name)
{
    json_int_t n = json_integer_value(json_array_get(json_object_get(json_object_get(f->header, name), "shape"), 0));
    return n > 0 ? (size_t)n : 0;
}

static bool has_shape(const json_t *tensor, size_t rows, size_t cols)
{
    const json_t *shape = json_object_get(tensor, "shape");
    return json_array_size(shape) == (cols ? 2 : 1) && json_integer_value(json_array_get(shape, 0)) == (json_int_t)rows &&
           (!cols || json_integer_value(json_array_get(shape, 1)) == (json_int_t)cols);
}

static bool type_of(const json_t *tensor, enum br_tensor_type *type)
{
    static const char *const names[] = {[BR_TENSOR_F32] = "F32", [BR_TENSOR_F16] = "F16", [BR_TENSOR_BF16] = "BF16"};
    const char *name = json_string_value(json_object_get(tensor, "dtype"));
    for (size_t i = 0; name && i < BR_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *type = (enum br_tensor_type)i;
            return true;
        }
    return false;
}

enum br_rc br_safetensors_get(const struct br_safetensors *f, const char *name, size_t rows, size_t cols, struct br_tensor *out, struct br_err *err)
{
    const json_t *t = json_object_get(f->header, name);
    size_t want;
    struct range at;
    if (!t)
        return br_fail(err, BR_E_DATA, "%s has no tensor %s: not a BERT-shaped model", f->path, name);
    *out = (struct br_tensor){.rows = rows, .cols = cols ? cols : 1};
    bool fits = rows && type_of(t, &out->type) && br_tensor_bytes(out, &want) && has_shape(t, rows, cols) &&
                range_of(t, f->map.bytes - f->data_offset, &at) && at.to - at.from == want;
    if (!fits)
        return br_fail(err, BR_E_DATA, "%s: tensor %s is no float tensor of the expected shape, or lies outside the file", f->path, name);
    out->data = (const uint8_t *)f->map.at + f->data_offset + at.from;
    return BR_OK;
}
