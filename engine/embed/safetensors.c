/* safetensors.c - a reader of the safetensors format that trusts nothing in the file. */
#include "embed/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES_MAX ((uint64_t)16 << 20)

enum br_rc br_safetensors_open(struct br_safetensors *f, const char *path, struct br_err *err)
{
    struct stat st;
    uint64_t n = 0;
    *f = (struct br_safetensors){.path = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return br_fail_errno(err, errno, "cannot open %s", path);
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 8;
    void *p = ok ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (p == MAP_FAILED)
        return br_fail(err, BR_E_DATA, "%s is no safetensors file", path);
    f->map = p;
    f->bytes = (size_t)st.st_size;
    memcpy(&n, p, 8);
    if (n > HEADER_BYTES_MAX || n > f->bytes - 8)
        return br_fail(err, BR_E_DATA, "%s is no safetensors file: its header would be %llu bytes", path, (unsigned long long)n);
    f->data_offset = 8 + (size_t)n;
    f->header = json_loadb((const char *)p + 8, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(f->header))
        return br_fail(err, BR_E_DATA, "%s is no safetensors file: its header is no JSON object", path);
    return BR_OK;
}

void br_safetensors_close(struct br_safetensors *f)
{
    if (f->map)
        munmap(f->map, f->bytes);
    json_decref(f->header);
    *f = (struct br_safetensors){0};
}

size_t br_safetensors_rows(const struct br_safetensors *f, const char *name)
{
    json_int_t n = json_integer_value(json_array_get(json_object_get(json_object_get(f->header, name), "shape"), 0));
    return n > 0 ? (size_t)n : 0;
}

enum br_rc br_safetensors_get(const struct br_safetensors *f, const char *name, size_t rows, size_t cols, const float **out, struct br_err *err)
{
    const json_t *t = json_object_get(f->header, name), *shape = json_object_get(t, "shape"), *range = json_object_get(t, "data_offsets");
    const char *dtype = json_string_value(json_object_get(t, "dtype"));
    if (!t)
        return br_fail(err, BR_E_DATA, "%s has no tensor %s: not a BERT-shaped model", f->path, name);
    size_t dims = cols ? 2 : 1;
    bool fits = dtype && strcmp(dtype, "F32") == 0 && json_array_size(shape) == dims &&
                json_integer_value(json_array_get(shape, 0)) == (json_int_t)rows &&
                (!cols || json_integer_value(json_array_get(shape, 1)) == (json_int_t)cols);
    json_int_t from = json_integer_value(json_array_get(range, 0)), to = json_integer_value(json_array_get(range, 1));
    size_t data = f->bytes - f->data_offset, want = rows * (cols ? cols : 1) * sizeof(float);
    fits = fits && from >= 0 && to >= from && (uint64_t)to <= data && (uint64_t)(to - from) == want;
    const char *p = (const char *)f->map + f->data_offset + from;
    if (!fits || (uintptr_t)p % sizeof(float))
        return br_fail(err, BR_E_DATA, "%s: tensor %s is not float32 of the expected shape, or lies outside the file", f->path, name);
    *out = (const float *)(const void *)p;
    return BR_OK;
}
