/* out_explain.c - how an answer came about: a table for people, an object for programs. */
#include <inttypes.h>

#include "cli.h"

static void add_number(json_t *j, const char *key, double x)
{
    json_object_set_new(j, key, json_real(x));
}

static json_t *json_rank(size_t rank)
{
    return rank ? json_count(rank) : json_null();
}

json_t *json_explain_hit(const struct br_explain_hit *x)
{
    json_t *j = json_object();
    json_object_set_new(j, "semantic_rank", json_rank(x->semantic_rank));
    json_object_set_new(j, "semantic_passage_rank", json_rank(x->semantic_passage_rank));
    json_object_set_new(j, "keyword_rank", json_rank(x->keyword_rank));
    json_object_set_new(j, "keyword_passage_rank", json_rank(x->keyword_passage_rank));
    add_number(j, "message_similarity", x->message_similarity);
    add_number(j, "passage_similarity", x->passage_similarity);
    add_number(j, "opening_similarity", x->opening_similarity);
    add_number(j, "opening_weight", x->opening_weight);
    add_number(j, "bm25", x->words);
    add_number(j, "bm25_most", x->most_words);
    add_number(j, "keyword_part", x->keyword_part);
    add_number(j, "semantic_part", x->semantic_part);
    json_object_set_new(j, "further", json_boolean(x->further));
    json_object_set_new(j, "lowered", json_boolean(x->lowered));
    return j;
}

static json_t *json_filters(const struct br_explain *x)
{
    json_t *filters = json_array();
    for (size_t i = 0; i < x->n_filters; i++) {
        const struct br_explain_filter *f = &x->filters[i];
        json_array_append_new(filters, json_pack("{ss so so sb so so}", "key", f->key, "value", json_text(f->value), "id", json_text(f->id),
                                                 "excluded", f->excluded, "messages", json_count(f->messages), "passages",
                                                 json_count(f->passages)));
    }
    return filters;
}

json_t *json_explain(const struct br_explain *x)
{
    json_t *terms = json_array(), *ms = json_object();
    for (size_t i = 0; i < x->n_terms; i++)
        json_array_append_new(terms, json_text(x->terms[i]));
    add_number(ms, "parse", x->ms.parse);
    add_number(ms, "filter", x->ms.filter);
    add_number(ms, "embed", x->ms.embed);
    add_number(ms, "semantic", x->ms.semantic);
    add_number(ms, "keyword", x->ms.keyword);
    add_number(ms, "fuse", x->ms.fuse);
    add_number(ms, "enrich", x->ms.enrich);
    add_number(ms, "total", x->ms.total);
    add_number(ms, "explain", x->ms.explain);
    return json_pack("{s{so so so} so sb s{so so} s{so so} s{so so so so so so so} s{so so so so so so so} s{sb sb sb} so}", "query", "text",
                     json_text(x->text), "terms", terms, "match", json_text(x->match), "filters", json_filters(x), "filtered", x->filtered,
                     "searchable", "messages", json_count(x->messages), "passages", json_count(x->passages), "pass", "messages",
                     json_count(x->messages_pass), "passages", json_count(x->passages_pass), "index", "taken", json_text(x->index), "why",
                     json_text(x->index_why), "graph_nodes", json_count(x->graph_nodes), "graph_matches", json_count(x->graph_matches), "tail",
                     json_count(x->tail), "ef", json_count(x->ef), "rounds", json_count(x->rounds), "candidates", "semantic",
                     json_count(x->semantic), "keyword_messages", json_count(x->keyword_messages), "keyword_passages",
                     json_count(x->keyword_passages), "matched_messages", json_count(x->matched_messages), "matched_passages",
                     json_count(x->matched_passages), "conversations", json_count(x->conversations), "scored", json_count(x->scored), "cache",
                     "answer", x->answer_remembered, "vector", x->vector_remembered, "filter", x->filter_remembered, "ms", ms);
}

/* ---- for people ---- */

static void label(const struct term *t, const char *name)
{
    fprintf(t->file, "  %s%-11s%s", term_style(t, STYLE_DIM), name, term_style(t, STYLE_NONE));
}

static void put_share(const struct term *t, uint64_t n, uint64_t of)
{
    double share = of ? 100.0 * (double)n / (double)of : 0;
    fprintf(t->file, n == of || !n ? " (%.0f %%)" : share < 10 ? " (%.2g %%)" : " (%.0f %%)", share);
}

static void put_passing(const struct term *t, const struct br_explain *x, uint64_t messages, uint64_t passages)
{
    char a[32], b[32];
    fprintf(t->file, "%s of %s messages", format_count(messages, a), format_count(x->messages, b));
    put_share(t, messages, x->messages);
    fprintf(t->file, ", %s of %s passages", format_count(passages, a), format_count(x->passages, b));
}

static void put_query(const struct term *t, const struct br_explain *x)
{
    label(t, "words");
    for (size_t i = 0; i < x->n_terms; i++) {
        fputs(i ? ", " : "", t->file);
        term_puts(t->file, x->terms[i]);
    }
    fputs(x->n_terms ? "\n" : "none\n", t->file);
    for (size_t i = 0; i < x->n_filters; i++) {
        const struct br_explain_filter *f = &x->filters[i];
        label(t, i ? "" : "filters");
        fprintf(t->file, "%s%s: ", f->excluded ? "not " : "", f->key);
        term_puts(t->file, f->value);
        if (f->id) {
            fputs(" [", t->file);
            term_puts(t->file, f->id);
            putc(']', t->file);
        }
        fputs("  ", t->file);
        put_passing(t, x, f->messages, f->passages);
        putc('\n', t->file);
    }
    label(t, "searched");
    put_passing(t, x, x->messages_pass, x->passages_pass);
    putc('\n', t->file);
}

static void put_index(const struct term *t, const struct br_explain *x)
{
    char a[32], b[32];
    if (!x->index)
        return;
    label(t, x->rounds ? "semantic" : "ranked by");
    fprintf(t->file, "%s: %s\n", x->index, x->index_why);
    if (x->graph_nodes) {
        label(t, "");
        fprintf(t->file, "%s of %s nodes pass", format_count(x->graph_matches, a), format_count(x->graph_nodes, b));
        if (x->ef)
            fprintf(t->file, ", beam %zu", x->ef);
        fprintf(t->file, ", %s newer vectors looked through\n", format_count(x->tail, a));
    }
}

static void put_candidates(const struct term *t, const struct br_explain *x)
{
    char a[32], b[32];
    if (x->match) {
        label(t, "keyword");
        fprintf(t->file, "FTS5, any of the words: %s messages and %s passages have one\n", format_count(x->matched_messages, a),
                format_count(x->matched_passages, b));
    }
    if (!x->rounds)
        return;
    label(t, "candidates");
    fprintf(t->file, "%zu by meaning, %zu messages and %zu passages by words; %zu conversation%s, %zu scored in full", x->semantic,
            x->keyword_messages, x->keyword_passages, x->conversations, plural(x->conversations), x->scored);
    if (x->rounds > 1)
        fprintf(t->file, "; %zu rounds", x->rounds);
    putc('\n', t->file);
}

static void put_rank(const struct term *t, size_t rank)
{
    if (rank)
        fprintf(t->file, " %5zu", rank);
    else
        fprintf(t->file, " %5s", "-");
}

static void put_near(const struct term *t, const struct br_explain *x, double similarity)
{
    if (x->semantic)
        fprintf(t->file, " %5.2f", similarity);
    else
        fprintf(t->file, " %5s", "-");
}

static void put_hits(const struct term *t, const struct br_search_results *r)
{
    if (!r->count || !r->hits[0].explain)
        return;
    fprintf(t->file, "\n  %s      --------- by meaning ---------   ----- by words -----%s\n", term_style(t, STYLE_DIM), term_style(t, STYLE_NONE));
    fprintf(t->file, "  %s hit  rank  near  rank  near  begins   rank  rank    BM25   meaning + words = score%s\n", term_style(t, STYLE_DIM),
            term_style(t, STYLE_NONE));
    for (size_t i = 0; i < r->count; i++) {
        const struct br_explain_hit *x = r->hits[i].explain;
        if (!x)
            continue;
        fprintf(t->file, "  %4zu", r->hits[i].rank);
        put_rank(t, x->semantic_rank);
        put_near(t, r->explain, x->message_similarity);
        put_rank(t, x->semantic_passage_rank);
        put_near(t, r->explain, x->passage_similarity);
        fputs("  ", t->file);
        put_near(t, r->explain, x->opening_similarity);
        putc(' ', t->file);
        put_rank(t, x->keyword_rank);
        put_rank(t, x->keyword_passage_rank);
        fprintf(t->file, " %7.2f   %7.3f + %5.3f = %.3f%s%s\n", x->words, x->semantic_part, x->keyword_part, r->hits[i].score,
                x->further ? " further message" : "", x->lowered ? " (lowered to the hit before)" : "");
    }
    fprintf(t->file,
            "  %srank, near: of the best message, then of the best passage; a thread's message that its list lacks is as near as its last;"
            " begins: how near the conversation's beginning is; without passages, all are the message's%s\n",
            term_style(t, STYLE_DIM), term_style(t, STYLE_NONE));
}

void text_explain(const struct cli *cli, const struct br_search_results *r)
{
    const struct term *t = &cli->out;
    const struct br_explain *x = r->explain;
    fprintf(t->file, "%s%sHow this was found%s\n", r->count ? "\n" : "", term_style(t, STYLE_BOLD), term_style(t, STYLE_NONE));
    put_query(t, x);
    put_index(t, x);
    put_candidates(t, x);
    label(t, "cache");
    if (x->ms.embed > 0)
        fprintf(t->file, "query vector %s; ", x->vector_remembered ? "remembered" : "made anew");
    if (x->filter_remembered)
        fprintf(t->file, "what passes remembered; ");
    fprintf(t->file, "answer %s\n", x->answer_remembered ? "remembered, made anew to explain it" : "not remembered");
    label(t, "ms");
    fprintf(t->file, "parse %.2f, filter %.2f, embed %.2f, semantic %.2f, keyword %.2f, fuse %.2f, enrich %.2f; total %.2f\n", x->ms.parse,
            x->ms.filter, x->ms.embed, x->ms.semantic, x->ms.keyword, x->ms.fuse, x->ms.enrich, x->ms.total);
    put_hits(t, r);
    fflush(t->file);
}
