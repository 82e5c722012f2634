/* t_equal_text_keeps_its_vector.c - what is found for a text is the vector of a living slot of that very text, whatever became of others.
 *
 * A vector here tells the slot it was made for: each is different, so it can be asked whether that slot lives and has the text. */
#include "store_test.h"

#include <math.h>

#define TEXTS 40
#define SLOTS_MAX 20000

static struct made {
    int text;
    bool live, committed; /* as the writer sees it; was its coming committed */
    bool gone;            /* was its going */
    uint64_t slot, content;
    float vector[DIM];
} made[SLOTS_MAX];
static size_t n_made;

static struct br_store *create(const char *tmp)
{
    struct br_err err = {0};
    char dir[300];
    struct br_store *s;
    const struct br_store_spec spec = {.workspace_id = "T0TEST", .model_id = "m", .dim = DIM};
    snprintf(dir, sizeof(dir), "%s/ws", tmp);
    OK(br_store_create(&br_io_posix, dir, &spec, &s, &err));
    return s;
}

static struct br_store *reader(const char *tmp)
{
    struct br_err err = {0};
    char dir[300];
    struct br_store *s;
    snprintf(dir, sizeof(dir), "%s/ws", tmp);
    OK(br_store_open(&br_io_posix, dir, BR_STORE_READ, &s, &err));
    return s;
}

static void text_of(int text, char out[32])
{
    snprintf(out, 32, "text number %d", text);
}

static void put(struct br_store *s, int text)
{
    struct br_err err = {0};
    char bytes[32];
    struct made *m = &made[n_made];
    text_of(text, bytes);
    *m = (struct made){.text = text, .live = true};
    double angle = 1e-4 * (double)n_made;
    m->vector[0] = (float)cos(angle);
    m->vector[1] = (float)sin(angle);
    n_made++;
    OK(br_store_add_content(s, bytes, strlen(bytes), &m->content, &err));
    OK(br_store_add_slot(s, m->content, m->vector, &m->slot, &err));
}

static struct made *newest(int text)
{
    for (size_t i = n_made; i-- > 0;)
        if (made[i].text == text)
            return &made[i];
    return NULL;
}

/* Looks a text up. What is found must be right; strict: the newest slot of a text is found if it lives. */
static bool look(struct br_store *s, int text, bool own, bool strict)
{
    struct br_err err = {0};
    char bytes[32];
    float v[DIM];
    bool found;
    const struct made *m = newest(text);
    text_of(text, bytes);
    OK(br_store_vector_of_text(s, bytes, strlen(bytes), v, &found, &err));
    if (found) {
        bool right = false;
        for (size_t i = 0; i < n_made && !right; i++)
            right = made[i].text == text && (own ? made[i].live : made[i].committed && !made[i].gone) &&
                    memcmp(made[i].vector, v, sizeof(v)) == 0;
        assert_true(right);
    } else if (strict && m && m->live && (own || m->committed)) {
        fail_msg("text %d was not found although slot %d has it", text, (int)m->slot);
    }
    return found;
}

static void kill_some(struct br_store *s)
{
    struct br_err err = {0};
    for (int i = 0; i < 3 && n_made > 0; i++) {
        struct made *m = &made[(size_t)rand() % n_made];
        if (!m->live)
            continue;
        OK(br_store_kill_slot(s, m->slot, &err));
        if (rand() % 2)
            OK(br_store_kill_content(s, m->content, &err));
        m->live = false;
    }
}

static void whatever_is_written(void **state)
{
    struct br_err err = {0};
    const char *dir = *state;
    struct br_store *w = create(dir), *r = reader(dir);
    n_made = 0;
    srand(1);
    for (int round = 0; round < 400; round++) {
        size_t before = n_made;
        static struct made was[SLOTS_MAX];
        memcpy(was, made, n_made * sizeof(made[0]));
        OK(br_store_begin(w, &err));
        for (int i = rand() % 6; i > 0; i--)
            put(w, rand() % TEXTS);
        kill_some(w);
        if (rand() % 2)
            look(w, rand() % TEXTS, true, true); /* within the batch */
        look(r, rand() % TEXTS, false, false);
        if (rand() % 3) {
            OK(br_store_commit(w, NULL, &err));
            for (size_t i = 0; i < n_made; i++) {
                made[i].committed = true;
                made[i].gone = !made[i].live;
            }
        } else {
            br_store_rollback(w);
            n_made = before;
            memcpy(made, was, n_made * sizeof(made[0]));
        }
        if (rand() % 20 == 0) { /* a handle that knows nothing yet */
            br_store_close(r);
            r = reader(dir);
        }
        for (int text = 0; text < TEXTS && round % 10 == 0; text++) {
            look(w, text, false, true);
            look(r, text, false, true);
        }
    }
    int found = 0;
    for (int text = 0; text < TEXTS; text++)
        found += look(r, text, false, true);
    assert_true(found > TEXTS / 2);
    assert_false(look(r, TEXTS, false, true));
    br_store_close(r);
    br_store_close(w);
}

/* Of a store that is larger than what one call goes through, a call that finds nothing makes the next find more. */
static void the_oldest_text_is_found_too(void **state)
{
    struct br_err err = {0};
    const char *dir = *state;
    struct br_store *w = create(dir), *r;
    n_made = 0;
    OK(br_store_begin(w, &err));
    for (int i = 0; i < 10000; i++)
        put(w, i);
    OK(br_store_commit(w, NULL, &err));
    for (size_t i = 0; i < n_made; i++)
        made[i].committed = true;
    br_store_close(w);
    r = reader(dir);
    assert_true(look(r, 9999, false, true));
    int calls = 1;
    while (!look(r, 0, false, false))
        assert_true(++calls < 10);
    assert_true(calls > 1);
    for (int i = 0; i < 10000; i += 7)
        look(r, i, false, true);
    br_store_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_is_written, make_tmp, remove_tmp),
        cmocka_unit_test_setup_teardown(the_oldest_text_is_found_too, make_tmp, remove_tmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
