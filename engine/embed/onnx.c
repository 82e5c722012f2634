/* onnx.c - a walk over the protobuf messages of an ONNX file, as far as weights and topology need it.
 *
 *   message (field: what)
 *   ModelProto      7: graph
 *   GraphProto      1: node (repeated)   5: initializer (repeated)   11: input   12: output
 *   NodeProto       1: input   2: output   4: op_type   5: attribute   7: domain
 *   AttributeProto  1: name   2: f   3: i   4: s   5: t   8: ints
 *   TensorProto     1: dims   2: data_type   4: float_data   8: name   9: raw_data   14: data_location
 *   ValueInfoProto  1: name
 * A message is a run of fields: varint (number << 3 | wire type), then by wire type 0: a varint, 1: 8 bytes, 2: a length and so many bytes,
 * 5: 4 bytes. The walk has a fixed depth, whatever the file says; what it does not know it steps over.
 *
 * Valid when every length lies inside its message, there are no more things than the limits below, no name is made twice, and there is one
 * graph. Subgraphs (If, Loop) are not looked into: what they make is unknown to those who ask. */
#include "embed/onnx.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define THINGS_MAX 200000u /* nodes, tensors, names each */

/* --- Fields --- */

struct field {
    uint32_t number, wire;
    uint64_t value;
    struct br_slice bytes; /* wire types 1, 2 and 5 */
};

static bool varint(struct br_slice *s, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70 && s->n; shift += 7) {
        uint8_t b = *s->at++;
        s->n--;
        if (shift < 64)
            v |= (uint64_t)(b & 127) << shift;
        if (b < 128) {
            *out = v;
            return true;
        }
    }
    return false;
}

/* Takes the next field off the message. 1, 0 at its end, -1 when it is none. */
static int next_field(struct br_slice *s, struct field *f)
{
    uint64_t tag, n = 0;
    if (!s->n)
        return 0;
    if (!varint(s, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
        return -1;
    *f = (struct field){.number = (uint32_t)(tag >> 3), .wire = (uint32_t)(tag & 7)};
    switch (f->wire) {
    case 0:
        return varint(s, &f->value) ? 1 : -1;
    case 1:
        n = 8;
        break;
    case 2:
        if (!varint(s, &n))
            return -1;
        break;
    case 5:
        n = 4;
        break;
    default:
        return -1; /* groups, which ONNX has none of */
    }
    if (n > s->n)
        return -1;
    f->bytes = (struct br_slice){s->at, (size_t)n};
    s->at += n;
    s->n -= (size_t)n;
    return 1;
}

/* --- Tensors --- */

static bool add_dim(struct br_onnx_tensor *t, uint64_t v)
{
    if (t->n_dims == BR_ONNX_DIMS_MAX || v > INT64_MAX)
        return false;
    t->dims[t->n_dims++] = (int64_t)v;
    return true;
}

static bool add_dims(struct br_onnx_tensor *t, const struct field *f)
{
    struct br_slice packed = f->bytes;
    uint64_t v;
    if (f->wire == 0)
        return add_dim(t, f->value);
    while (packed.n)
        if (!varint(&packed, &v) || !add_dim(t, v))
            return false;
    return f->wire == 2;
}

static bool read_tensor(struct br_slice s, struct br_onnx_tensor *t)
{
    struct field f;
    int more;
    *t = (struct br_onnx_tensor){0};
    while ((more = next_field(&s, &f)) > 0) {
        bool ok = true;
        if (f.number == 1)
            ok = add_dims(t, &f);
        else if (f.number == 2 && f.wire == 0)
            t->type = f.value < 100 ? (unsigned)f.value : 0;
        else if (f.number == 8 && f.wire == 2)
            t->name = f.bytes;
        else if ((f.number == 9 && f.wire == 2) || (f.number == 4 && (f.wire == 2 || f.wire == 5)))
            ok = !t->data.n && (t->data = f.bytes, true);
        else if (f.number == 14 && f.wire == 0)
            t->elsewhere = f.value != 0;
        if (!ok)
            return false;
    }
    return more == 0;
}

/* --- Lists --- */

static bool grow(void *list, size_t *room, size_t n, size_t size)
{
    return n < THINGS_MAX && br_array_fit(list, room, n + 1, size);
}

static bool add_value(struct br_onnx *o, struct br_slice name, enum br_onnx_kind kind, size_t index, size_t output)
{
    if (!grow(&o->values, &o->values_room, o->n_values, sizeof *o->values))
        return false;
    o->values[o->n_values++] =
        (struct br_onnx_value){.name = name, .kind = kind, .index = (uint32_t)index, .output = (uint32_t)output};
    return true;
}

static bool add_tensor(struct br_onnx *o, struct br_slice message, struct br_slice name)
{
    struct br_onnx_tensor t;
    if (!read_tensor(message, &t) || !grow(&o->tensors, &o->tensors_room, o->n_tensors, sizeof *o->tensors))
        return false;
    if (name.n)
        t.name = name;
    o->tensors[o->n_tensors++] = t;
    return add_value(o, t.name, BR_ONNX_TENSOR, o->n_tensors - 1, 0);
}

static bool add_slice(struct br_slice **list, size_t *room, size_t *n, struct br_slice s)
{
    if (!grow(list, room, *n, sizeof **list))
        return false;
    (*list)[(*n)++] = s;
    return true;
}

/* --- Attributes --- */

static bool find_attribute(const struct br_onnx_node *n, const char *name, struct br_slice *out)
{
    struct br_slice s = n->whole, inner;
    struct field f, g;
    while (next_field(&s, &f) > 0) {
        if (f.number != 5 || f.wire != 2)
            continue;
        for (inner = f.bytes; next_field(&inner, &g) > 0;)
            if (g.number == 1 && g.wire == 2 && br_slice_is(g.bytes, name)) {
                *out = f.bytes;
                return true;
            }
    }
    return false;
}

size_t br_onnx_ints(const struct br_onnx_node *n, const char *name, int64_t *out, size_t room)
{
    struct br_slice s;
    struct field f;
    size_t count = 0;
    uint64_t v;
    if (!find_attribute(n, name, &s))
        return 0;
    while (next_field(&s, &f) > 0) {
        if ((f.number == 3 || f.number == 8) && f.wire == 0 && count < room)
            out[count++] = (int64_t)f.value;
        else if (f.number == 8 && f.wire == 2)
            while (count < room && varint(&f.bytes, &v))
                out[count++] = (int64_t)v;
    }
    return count;
}

bool br_onnx_float(const struct br_onnx_node *n, const char *name, float *out)
{
    struct br_slice s;
    struct field f;
    if (find_attribute(n, name, &s))
        while (next_field(&s, &f) > 0)
            if (f.number == 2 && f.wire == 5) {
                memcpy(out, f.bytes.at, 4);
                return true;
            }
    return false;
}

bool br_onnx_text(const struct br_onnx_node *n, const char *name, struct br_slice *out)
{
    struct br_slice s;
    struct field f;
    if (find_attribute(n, name, &s))
        while (next_field(&s, &f) > 0)
            if (f.number == 4 && f.wire == 2) {
                *out = f.bytes;
                return true;
            }
    return false;
}

static bool constant_of(const struct br_onnx_node *n, struct br_slice *tensor)
{
    struct br_slice s;
    struct field f;
    if (find_attribute(n, "value", &s))
        while (next_field(&s, &f) > 0)
            if (f.number == 5 && f.wire == 2) {
                *tensor = f.bytes;
                return true;
            }
    return false;
}

/* --- The graph --- */

static bool add_node(struct br_onnx *o, struct br_slice message)
{
    struct br_onnx_node n = {.whole = message, .first_input = (uint32_t)o->n_inputs};
    struct br_slice s = message, tensor, first = {0};
    struct field f;
    size_t outputs = 0;
    int more;
    while ((more = next_field(&s, &f)) > 0) {
        if (f.wire != 2)
            continue;
        if (f.number == 1 && (!add_slice(&o->inputs, &o->inputs_room, &o->n_inputs, f.bytes)))
            return false;
        n.n_inputs += f.number == 1;
        if (f.number == 4)
            n.op = f.bytes;
        else if (f.number == 7)
            n.domain = f.bytes;
    }
    bool constant = more == 0 && br_slice_is(n.op, "Constant") && constant_of(&n, &tensor);
    for (s = message; more == 0 && next_field(&s, &f) > 0;) {
        if (f.number != 2 || f.wire != 2)
            continue;
        first = outputs ? first : f.bytes;
        if (f.bytes.n && !constant && !add_value(o, f.bytes, BR_ONNX_NODE, o->n_nodes, outputs))
            return false;
        outputs++;
    }
    if (more != 0 || !grow(&o->nodes, &o->nodes_room, o->n_nodes, sizeof *o->nodes))
        return false;
    o->nodes[o->n_nodes++] = n;
    return !constant || (first.n && add_tensor(o, tensor, first));
}

static bool name_of(struct br_slice s, struct br_slice *name)
{
    struct field f;
    *name = (struct br_slice){0};
    while (next_field(&s, &f) > 0)
        if (f.number == 1 && f.wire == 2)
            *name = f.bytes;
    return name->n > 0;
}

static bool add_of_graph(struct br_onnx *o, const struct field *f)
{
    struct br_slice name;
    switch (f->wire == 2 ? f->number : 0) {
    case 1:
        return add_node(o, f->bytes);
    case 5:
        return add_tensor(o, f->bytes, (struct br_slice){0});
    case 11:
        return name_of(f->bytes, &name) && add_value(o, name, BR_ONNX_INPUT, 0, 0);
    case 12:
        return name_of(f->bytes, &name) && add_slice(&o->outputs, &o->outputs_room, &o->n_outputs, name);
    default:
        return true;
    }
}

static int by_name(const void *a, const void *b)
{
    const struct br_onnx_value *x = a, *y = b;
    size_t n = BR_MIN(x->name.n, y->name.n);
    int r = n ? memcmp(x->name.at, y->name.at, n) : 0;
    return r ? r : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

static int by_name_and_kind(const void *a, const void *b)
{
    const struct br_onnx_value *x = a, *y = b;
    int r = by_name(a, b);
    return r ? r : (x->kind > y->kind) - (x->kind < y->kind);
}

/* Older files list their initializers among the inputs, too: a tensor of the same name is its value. Else a name is made once. */
static bool settle_names(struct br_onnx *o)
{
    size_t n = 0;
    if (o->n_values)
        qsort(o->values, o->n_values, sizeof *o->values, by_name_and_kind);
    for (size_t i = 0; i < o->n_values; i++) {
        bool again = n && by_name(&o->values[n - 1], &o->values[i]) == 0;
        if (again && (o->values[n - 1].kind != BR_ONNX_INPUT || o->values[i].kind != BR_ONNX_TENSOR))
            return false;
        o->values[again ? n - 1 : n] = o->values[i];
        n += !again;
    }
    o->n_values = n;
    return true;
}

static bool read_graph(struct br_onnx *o, struct br_slice s)
{
    struct field f;
    int more;
    while ((more = next_field(&s, &f)) > 0)
        if (!add_of_graph(o, &f))
            return false;
    return more == 0 && o->n_nodes && o->n_outputs && settle_names(o);
}

enum br_rc br_onnx_open(struct br_onnx *o, const char *path, struct br_err *err)
{
    struct br_slice s, graph = {0};
    struct field f;
    int more, graphs = 0;
    *o = (struct br_onnx){.path = path};
    enum br_rc rc = br_file_map_open(&o->map, path, err);
    if (rc != BR_OK)
        return rc;
    for (s = (struct br_slice){o->map.at, o->map.bytes}; (more = next_field(&s, &f)) > 0;)
        if (f.number == 7 && f.wire == 2) {
            graph = f.bytes;
            graphs++;
        }
    if (more != 0 || graphs != 1 || !read_graph(o, graph))
        return br_fail(err, BR_E_DATA, "%s is no ONNX file, or is damaged", path);
    return BR_OK;
}

void br_onnx_forget(struct br_onnx *o)
{
    free(o->nodes);
    free(o->tensors);
    free(o->inputs);
    free(o->outputs);
    free(o->values);
    *o = (struct br_onnx){.map = o->map, .path = o->path};
}

void br_onnx_close(struct br_onnx *o)
{
    br_onnx_forget(o);
    br_file_map_close(&o->map);
}

struct br_onnx_value br_onnx_find(const struct br_onnx *o, struct br_slice name)
{
    const struct br_onnx_value key = {.name = name};
    const struct br_onnx_value *v =
        o->n_values && name.n ? bsearch(&key, o->values, o->n_values, sizeof *o->values, by_name) : NULL;
    return v ? *v : (struct br_onnx_value){.name = name};
}

struct br_slice br_onnx_input(const struct br_onnx *o, const struct br_onnx_node *n, size_t i)
{
    return i < n->n_inputs ? o->inputs[n->first_input + i] : (struct br_slice){0};
}
