/* t_render_text.c - a Slack message reads as people wrote it: exact texts for mrkdwn, blocks, attachments, files
 * and for what the model is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "emoji.h"
#include "render.h"

static const char *user_name(void *ctx, const char *id)
{
    (void)ctx;
    return strcmp(id, "U1") == 0 ? "ada" : strcmp(id, "W2") == 0 ? "grace" : NULL;
}

static const char *channel_name(void *ctx, const char *id)
{
    (void)ctx;
    return strcmp(id, "C1") == 0 ? "general" : NULL;
}

static const struct br_names names = {.user = user_name, .channel = channel_name};

struct text_case {
    const char *in, *out;
};

static const struct text_case mrkdwn_cases[] = {
    {"", ""},
    {"plain", "plain"},
    /* tokens */
    {"<@U1> and <@W2|x>", "@ada and @grace"},
    {"<@U9> <@U9|lin> <@U9|@lin>", "@U9 @lin @lin"},
    {"<#C1> <#C1|old-name> <#C9|> <#G9|secret>", "#general #general #C9 #secret"},
    {"<!here> <!channel|channel> <!everyone|@everyone>", "@here @channel @everyone"},
    {"<!subteam^S1|@ops> <!subteam^S1>", "@ops @S1"},
    {"<!date^1392734382^{date_num}^https://a.example|Feb 18, 2014>", "Feb 18, 2014"},
    {"<!date^1392734382^{date_num}>", "2014-02-18"},
    {"<!foo^bar|shown>", "shown"},
    {"<https://a.example/x?a=1&amp;b=2>", "https://a.example/x?a=1&b=2"},
    {"see <https://a.example/x|the docs>.", "see the docs (https://a.example/x)."},
    {"<https://a.example|https://a.example> <http://a.example/|a.example>", "https://a.example http://a.example/"},
    {"<mailto:bob@a.example|bob@a.example> <mailto:bob@a.example|Bob>", "bob@a.example Bob (mailto:bob@a.example)"},
    {"<https://a.example/my_file_*x*|the_label_ *x*>", "the_label_ *x* (https://a.example/my_file_*x*)"},
    {"<unconvertable> a < b > c <std::string> <!-- x --> <", "<unconvertable> a < b > c <std::string> <!-- x --> <"},
    /* entities: after the tokens, once, and no others */
    {"&lt;@U1&gt;", "<@U1>"},
    {"&amp;lt; &amp;amp;lt; &nbsp; &quot; &", "&lt; &amp;lt; &nbsp; &quot; &"},
    {"a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"},
    /* marks */
    {"*bold* _italic_ ~struck~", "bold italic struck"},
    {"*_both_* (*x*), \"_y_\"; *z*!", "both (x), \"y\"; z!"},
    {"_snake_case inside_", "snake_case inside"},
    {"snake_case_names __init__ 2*3*4 a * b * c * d", "snake_case_names __init__ 2*3*4 a * b * c * d"},
    {"*.c and *.h, (*.c|*.h)\nfoo.*bar.*", "*.c and *.h, (*.c|*.h)\nfoo.*bar.*"},
    {"~/bin and ~/lib ~5 /usr/_x_/y", "~/bin and ~/lib ~5 /usr/_x_/y"},
    {"\xc2\xaf\\_(\xe3\x83\x84)_/\xc2\xaf", "\xc2\xaf\\_(\xe3\x83\x84)_/\xc2\xaf"},
    {"*not\nbold*", "*not\nbold*"},
    {"**doubled**", "**doubled**"},
    {"\xe2\x80\x9c*quoted*\xe2\x80\x9d \xe5\xad\x97*\xe5\xad\x97*",
        "\xe2\x80\x9cquoted\xe2\x80\x9d \xe5\xad\x97*\xe5\xad\x97*"},
    {"*<https://a.example|link>* _<@U1>_", "link (https://a.example) @ada"},
    {"http://a.example/_x_/b_c *http://a.example/y*", "http://a.example/_x_/b_c http://a.example/y"},
    /* code */
    {"run `a *b* _c_ &lt;@U1&gt; :tada:` now", "run a *b* _c_ <@U1> :tada: now"},
    {"`<@U1>` `<https://a.example|a.example>`", "<@U1> a.example"},
    {"```\n*a*\n\n&gt; b\n```\n*c*", "*a*\n\n> b\nc"},
    {"x ```y *z*``` w", "x y *z* w"},
    {"``` open *bold*", "``` open bold"},
    {"` open *bold*", "` open bold"},
    {"`` ``````", "`` ``````"},
    /* quotes */
    {"&gt; quoted *bold*\n&gt;again\nnot &gt; this", "quoted bold\nagain\nnot > this"},
    {"&gt;&gt;&gt; all\nof it", "all\nof it"},
    {"&gt;= 5\n&gt;_&lt;\n&gt;_x_", ">= 5\n>_<\nx"},
    /* emoji */
    {":tada: done :+1::skin-tone-3: :my_own:",
        ":tada:\xf0\x9f\x8e\x89 done :+1::skin-tone-3:\xf0\x9f\x91\x8d :my_own:"},
    {"at 10:100:5, :100:", "at 10:100:5, :100:\xf0\x9f\x92\xaf"},
};

static void mrkdwn_reads_as_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < BR_COUNT(mrkdwn_cases); i++) {
        struct br_buf b;
        br_buf_init(&b, 1 << 16);
        br_render_mrkdwn(mrkdwn_cases[i].in, &names, &b);
        assert_string_equal(br_buf_str(&b), mrkdwn_cases[i].out);
        br_buf_free(&b);
    }
}

#define RICH(elements) "{'blocks':[{'type':'rich_text','elements':[" elements "]}]}"
#define RICH_SECTION(elements) RICH("{'type':'rich_text_section','elements':[" elements "]}")

/* JSON with ' for ". */
static const struct text_case message_cases[] = {
    {"{}", ""},
    {"{'text':''}", ""},
    {"{'text':' \\n \\n'}", ""},
    {"{'text':'\\n\\n  a\\r\\n\\n\\n\\n\\nb  \\n'}", "  a\n\nb"},
    {"{'text':'*a*','mrkdwn':false}", "*a*"},
    /* rich_text is not escaped */
    {RICH_SECTION("{'type':'text','text':'a &amp; *b* <@U1>'}"), "a &amp; *b* <@U1>"},
    {RICH_SECTION("{'type':'link','url':'https://a.example','text':'docs'},{'type':'text','text':' '},"
                  "{'type':'link','url':'https://a.example'}"),
        "docs (https://a.example) https://a.example"},
    {RICH_SECTION("{'type':'emoji','name':'zebra_x','unicode':'1f993'},{'type':'emoji','name':'+1','unicode':"
                  "'1f44d-1f3fd','skin_tone':4},{'type':'emoji','name':'own'}"),
        ":zebra_x:\xf0\x9f\xa6\x93:+1::skin-tone-4:\xf0\x9f\x91\x8d:own:"},
    {RICH_SECTION("{'type':'user','user_id':'U1'},{'type':'channel','channel_id':'C1'},{'type':'user','user_id':'U7'},"
                  "{'type':'usergroup','usergroup_id':'S1'},{'type':'broadcast','range':'here'},"
                  "{'type':'color','value':'#fff'},{'type':'date','timestamp':0,'format':'x'},"
                  "{'type':'date','timestamp':0,'fallback':'then'}"),
        "@ada#general@U7@S1@here#fff1970-01-01then"},
    {RICH("{'type':'rich_text_section','elements':[{'type':'text','text':'todo:\\n'}]},"
          "{'type':'rich_text_list','style':'bullet','elements':[{'type':'rich_text_section','elements':["
          "{'type':'text','text':'one'}]},{'type':'rich_text_section','elements':[]}]},"
          "{'type':'rich_text_list','style':'ordered','indent':1,'elements':[{'type':'rich_text_section','elements':["
          "{'type':'text','text':'two'}]}]},"
          "{'type':'rich_text_quote','elements':[{'type':'text','text':'said'}]},"
          "{'type':'rich_text_preformatted','elements':[{'type':'text','text':'int *x;\\n  y'}]}"),
        "todo:\n\u2022 one\n    a. two\nsaid\nint *x;\n  y"},
    /* text and blocks that say the same are said once; else text comes first */
    {"{'text':'*hi* :tada:\\n\u2022 a &amp; b','blocks':[{'type':'rich_text','elements':[{'type':'rich_text_section',"
     "'elements':[{'type':'text','text':'hi '},{'type':'emoji','name':'tada'}]},{'type':'rich_text_list',"
     "'style':'bullet',"
     "'elements':[{'type':'rich_text_section','elements':[{'type':'text','text':'a & b'}]}]}]}]}",
        "hi :tada:\xf0\x9f\x8e\x89\n\u2022 a & b"},
    {"{'text':'stub','blocks':[{'type':'section','text':{'type':'mrkdwn','text':'*real*'}}]}", "stub\nreal"},
    {"{'text':'?','blocks':[{'type':'header','text':{'type':'plain_text','text':'Title'}}]}", "?\nTitle"},
    {"{'text':'<!subteam^S1|@ops> <@U7|lin>','blocks':[{'type':'rich_text','elements':[{'type':'rich_text_section',"
     "'elements':[{'type':'usergroup','usergroup_id':'S1'},{'type':'text','text':' '},{'type':'user',"
     "'user_id':'U7'}]}]}]}",
        "@ops @lin"},
    /* other blocks */
    {"{'blocks':[{'type':'section','text':{'type':'mrkdwn','text':'*a*'},'fields':[{'type':'mrkdwn','text':'_f_'},"
     "{'type':'plain_text','text':'_g_ &amp;'}]},{'type':'divider'},{'type':'context','elements':[{'type':'image',"
     "'alt_text':'cat'},{'type':'mrkdwn','text':'by <@U1>'}]},{'type':'actions','elements':[{'type':'button','text':"
     "{'type':'plain_text','text':'Approve'}}]}]}",
        "a\nf\n_g_ &\ncat by @ada"},
    {"{'blocks':[{'type':'image','title':{'type':'plain_text','text':'T'},'alt_text':'A'},{'type':'image','title':"
     "{'type':'plain_text','text':'S'},'alt_text':'S'},{'type':'video','title':{'type':'plain_text','text':'V'},"
     "'description':{'type':'plain_text','text':'D'}},{'type':'markdown','text':'**m** &amp;'},{'type':'input','label':"
     "{'type':'plain_text','text':'L'}}]}",
        "T\nA\nS\nV\nD\n**m** &amp;\nL"},
    {"{'blocks':[{'type':'table','rows':[[{'type':'raw_text','text':'a\\nb'},{'type':'rich_text','elements':[{'type':"
     "'rich_text_section','elements':[{'type':'text','text':'c'}]}]}],[{'type':'raw_text','text':'d'}]]}]}",
        "a b\tc\nd"},
    {"{'blocks':[{'type':'carousel','elements':[{'type':'card','title':{'type':'mrkdwn',"
     "'text':'*t*'},'subtitle':{'type':"
     "'mrkdwn','text':'s'},'body':{'type':'mrkdwn','text':'b'}}]},{'type':'plan','title':'p',"
     "'tasks':[{'type':'task_card',"
     "'title':'q'}]},{'type':'alert','text':{'type':'mrkdwn','text':'!'}}]}",
        "t\ns\nb\np\nq\n!"},
    {"{'blocks':[{'type':'new_thing','title':'t','id':'no','inner':[{'text':{'type':'mrkdwn',"
     "'text':'*x*'}},{'alt_text':"
     "'y'}]}]}",
        "t\nx\ny"},
    /* attachments */
    {"{'text':'','attachments':[{'fallback':'f','pretext':'*p*','author_name':'au','title':' T ','title_link':"
     "'https://a.example/?a&amp;b','text':'_x_','fields':[{'title':'k','value':'v'},{'title':'only'},{'value':'w'}],"
     "'footer':'foot','from_url':'https://b.example'}]}",
        "p\nau\nT (https://a.example/?a&b)\nx\nk: v\nonly\nw\nfoot\nhttps://b.example"},
    {"{'text':'a','attachments':[{'fallback':'f &amp; g'},{'fallback':'no','text':'yes'}]}", "a\nf & g\nyes"},
    {"{'text':'<https://a.example/x>','attachments':[{'title':'T','title_link':'https://a.example/x','from_url':"
     "'https://a.example/x','fallback':'f'}]}",
        "https://a.example/x\nT"},
    {"{'text':'<https://a.example/xy>','attachments':[{'title':'T','title_link':'https://a.example/x'}]}",
        "https://a.example/xy\nT (https://a.example/x)"},
    {"{'attachments':[{'fallback':'[no preview]','blocks':[{'type':'section','text':{'type':'mrkdwn','text':'in'}}]}]}",
        "in"},
    /* files */
    {"{'text':'look','files':[{'title':'Plan','name':'plan.pdf'},{'title':'x.c','name':'x.c','mode':'snippet',"
     "'preview':"
     "'int *x*;'},{'mode':'tombstone'},{'title':'N','name':'N','mode':'space','preview':'<p>'}]}",
        "look\nPlan\nplan.pdf\nx.c\nint *x*;\nN"},
    {"{'text':'<@U1> commented on a file <https://a.example/f|cat.png>: nice one','file':{'title':'cat.png','name':"
     "'cat.png'},'comment':{'comment':'nice *one*'}}",
        "@ada commented on a file cat.png (https://a.example/f): nice one"},
    {"{'text':'commented on a file','file':{'title':'cat.png'},'comment':{'comment':'nice one'}}",
        "commented on a file\nnice one\ncat.png"},
};

static json_t *parse(const char *quoted)
{
    char *text = strdup(quoted);
    json_error_t e;
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *v = json_loads(text, 0, &e);
    if (!v)
        fail_msg("%s: %s", e.text, text);
    free(text);
    return v;
}

static void messages_read_as_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < BR_COUNT(message_cases); i++) {
        struct br_buf b;
        bool truncated = true;
        json_t *msg = parse(message_cases[i].in);
        br_buf_init(&b, 1 << 16);
        br_buf_adds(&b, "|"); /* appends, and looks at nothing before */
        br_render_message(msg, &names, &b, &truncated);
        assert_string_equal(br_buf_str(&b) + 1, message_cases[i].out);
        assert_false(truncated);
        assert_false(b.failed);
        br_buf_free(&b);
        json_decref(msg);
    }
}

static const struct text_case embedding_cases[] = {
    {"", ""},
    {"nothing to do: 10:30, http, mail to", "nothing to do: 10:30, http, mail to"},
    {"docs (https://www.a.example/x/y?z=1) and more", "docs (www.a.example) and more"},
    {"HTTP://me:pw@a.example:8080/x.", "a.example."},
    {"(https://a.example/Foo_(bar)), https://a.example", "(a.example), a.example"},
    {"Bob (mailto:bob@a.example?subject=x) bob@a.example", "Bob (a.example) bob@a.example"},
    {"mailto: http:// https://", "mailto: http:// https://"},
    {"https://a.example/x\xe3\x81\x93\xe3\x82\x8c", "a.example\xe3\x81\x93\xe3\x82\x8c"},
    {":+1::skin-tone-3:\xf0\x9f\x91\x8d :skin-tone-9: :tada:", ":+1:\xf0\x9f\x91\x8d :skin-tone-9: :tada:"},
};

static void model_gets_hosts_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < BR_COUNT(embedding_cases); i++) {
        struct br_buf b, again;
        br_buf_init(&b, 1 << 16);
        br_buf_init(&again, 1 << 16);
        br_render_for_embedding(embedding_cases[i].in, strlen(embedding_cases[i].in), &b);
        assert_string_equal(br_buf_str(&b), embedding_cases[i].out);
        br_render_for_embedding(br_buf_str(&b), b.len, &again);
        assert_string_equal(br_buf_str(&again), embedding_cases[i].out);
        br_buf_free(&b);
        br_buf_free(&again);
    }
}

static void every_emoji_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < br_emoji_count(); i++) {
        const char *name = br_emoji_name(i);
        assert_true(i == 0 || strcmp(br_emoji_name(i - 1), name) < 0);
        assert_non_null(br_emoji_character(name, strlen(name)));
    }
    assert_null(br_emoji_character("tad", 3));
    assert_null(br_emoji_character("tadaa", 5));
    assert_null(br_emoji_character("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mrkdwn_reads_as_shown),
        cmocka_unit_test(messages_read_as_shown),
        cmocka_unit_test(model_gets_hosts_only),
        cmocka_unit_test(every_emoji_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
