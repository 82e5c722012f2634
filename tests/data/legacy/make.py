#!/usr/bin/env python3
"""Writes eleven.sql and eleven.db: the same eleven messages as a PostgreSQL dump and as a SQLite file of the earlier design, with
different names, keys and forms in the two. Run by hand; the outputs are committed."""
import json, os, sqlite3

here = os.path.dirname(os.path.abspath(__file__))
USERS = [  # number, Slack id, name, real name, display name, bot
    (1, "U0OLD00001", "ada", "Ada Lovelace", "ada l.", False),
    (2, "U0OLD00002", "bob", "Bob O'Neill", None, False),
    (3, "U0OLD00003", "buildbot", "Build Bot", "", True),
]
CHANNELS = [  # number, Slack id, name, private, topic
    (10, "C0OLD00001", "general", False, "all of us\tand \\everything\\"),
    (11, "C0OLD00002", "random", False, None),
    (12, "G0OLD00003", "board", True, "don't tell"),
]
MESSAGES = [  # number, channel, user, ts, thread, text, edited, deleted
    (101, 10, 1, "1434567890.000100", None, "Good morning everyone", None, False),
    (102, 10, 2, "1434567900.000200", None, "It's Bob's \"quoted\" text, isn't it?", None, False),
    (103, 10, 1, "1434567910.000300", "1434567910.000300", "Where do the road layers come from?", None, False),
    (104, 10, 2, "1434567920.000400", "1434567910.000300", "first line\nsecond line\n\nfourth line", None, False),
    (105, 10, 3, "1434567930.000500", "1434567910.000300", "column one\tcolumn two\tcolumn three", None, False),
    (106, 11, 1, "1434567940.000600", None, "C:\\temp\\new and \\N and \\. and \\x41 stay as they are", None, False),
    (107, 11, 2, "1434567950.000700", None, "snow \u2603, caf\u00e9, \U0001F680 and \U0001F469\u200D\U0001F680", None, False),
    (108, 11, 1, "1434567960.000800", None, "the corrected text", "1434568000.000000", False),
    (109, 12, 2, "1434567970.000900", None, "the confidential plan nobody may read any more", None, True),
    (110, 12, 1, "1434567980.001000", None, "$$dollars$$ and $tag$tags$tag$; -- no comment; /* nor this */", None, False),
    (111, 12, 2, "1434567990.001100", None, "see <https://example.com/roads?a=1&amp;b=2|the map> and <@U0OLD00001>", None, False),
]
REACTIONS = [(1, 101, 2, "wave"), (2, 101, 3, "wave"), (3, 101, 2, "tada"), (4, 104, 1, "+1::skin-tone-2"), (5, 111, 1, "eyes")]


def stamp(ts, zone="+00"):
    import datetime
    t = datetime.datetime.fromtimestamp(int(ts.split(".")[0]), datetime.timezone.utc)
    return t.strftime("%Y-%m-%d %H:%M:%S.") + ts.split(".")[1] + zone


def copy(v):
    if v is None:
        return "\\N"
    if v is True or v is False:
        return "t" if v else "f"
    for a, b in ("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"):
        v = str(v).replace(a, b)
    return v


def literal(v):
    if v is None:
        return "NULL"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return str(v)
    return "E'" + v.replace("\\", "\\\\").replace("'", "''") + "'" if "\\" in v else "'" + v.replace("'", "''") + "'"


def dump():
    out = ["--", "-- PostgreSQL database dump", "--", "", "\\restrict x", "SET statement_timeout = 0;", "SET client_encoding = 'UTF8';",
           "SET standard_conforming_strings = on;", "SELECT pg_catalog.set_config('search_path', '', false);", ""]
    out.append("""CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $_$
BEGIN
  -- INSERT INTO messages VALUES ('not a row');
  NEW.updated_at := now(); RETURN NEW;
END;
$_$;

CREATE TABLE public.alembic_version (version_num character varying(32) NOT NULL);
CREATE TABLE public.channels (
    id integer NOT NULL,
    slack_id text NOT NULL,
    name character varying(80) DEFAULT 'x, y'::character varying NOT NULL,
    is_private boolean DEFAULT false,
    topic text,
    CONSTRAINT name_check CHECK ((length((name)::text) < 81))
);
CREATE TABLE public.messages (
    id bigint NOT NULL,
    channel_id integer,
    user_id integer,
    slack_ts numeric(16,6) NOT NULL,
    thread_ts text,
    text text,
    edited_at timestamp with time zone,
    is_deleted boolean DEFAULT false,
    embedding_id uuid,
    sentiment real
);
CREATE TABLE public.reactions (id integer NOT NULL, message_id bigint, user_id integer, emoji text);
CREATE TABLE public.users (id integer NOT NULL, slack_id text, name text, real_name text, display_name text, is_bot boolean);

COPY public.alembic_version (version_num) FROM stdin;
8f3a
\\.

COPY public.channels (id, slack_id, name, is_private, topic) FROM stdin;""")
    out += ["\t".join(copy(v) for v in c) for c in CHANNELS] + ["\\.", ""]
    out.append("COPY public.messages (id, channel_id, user_id, slack_ts, thread_ts, text, edited_at, is_deleted, embedding_id, sentiment) FROM stdin;")
    for m in MESSAGES[:6]:
        row = m[:6] + (stamp(m[6]) if m[6] else None, m[7], "00000000-0000-0000-0000-000000000000", "0.5")
        out.append("\t".join(copy(v) for v in row))
    out += ["\\.", "", "INSERT INTO public.messages (id, channel_id, user_id, slack_ts, thread_ts, text, edited_at, is_deleted) VALUES"]
    rows = []
    for m in MESSAGES[6:]:
        text = "$quote$" + m[5] + "$quote$" if "$$" in m[5] else literal(m[5])
        rows.append("\t(%d, %d, %d, %s, %s, %s, %s, %s)" % (m[0], m[1], m[2], m[3], literal(m[4]), text,
                    literal(stamp(m[6], "+00:00")) + "::timestamp with time zone" if m[6] else "NULL", literal(m[7])))
    out.append(",\n".join(rows) + ";\n")
    out += ["INSERT INTO public.reactions VALUES (%d, %d, %d, '%s');" % r for r in REACTIONS]
    out += ["INSERT INTO public.\"users\" VALUES (%s);" % ", ".join(literal(v) for v in u) for u in USERS]
    out += ["", "ALTER TABLE ONLY public.messages ADD CONSTRAINT messages_pkey PRIMARY KEY (id);", "\\unrestrict x", ""]
    with open(os.path.join(here, "eleven.sql"), "w", encoding="utf-8") as f:
        f.write("\n".join(out))


def sqlite():
    path = os.path.join(here, "eleven.db")
    if os.path.exists(path):
        os.unlink(path)
    db = sqlite3.connect(path)
    db.executescript("""
CREATE TABLE users(user_id TEXT PRIMARY KEY, username TEXT, real_name TEXT, display_name TEXT, is_bot INTEGER);
CREATE TABLE channels(channel_id TEXT PRIMARY KEY, name TEXT, is_private INTEGER, topic TEXT);
CREATE TABLE messages(id TEXT PRIMARY KEY, channel TEXT, user TEXT, ts REAL, parent_ts TEXT, content TEXT, edited_ts TEXT, deleted_at TEXT)
 WITHOUT ROWID;
CREATE TABLE reactions(channel_id TEXT, ts TEXT, reaction TEXT, users TEXT, count INTEGER);
""")
    uid = {u[0]: u[1] for u in USERS}
    cid = {c[0]: c[1] for c in CHANNELS}
    db.executemany("INSERT INTO users VALUES(?,?,?,?,?)", [u[1:] for u in USERS])
    db.executemany("INSERT INTO channels VALUES(?,?,?,?)", [c[1:] for c in CHANNELS])
    db.executemany("INSERT INTO messages VALUES(?,?,?,?,?,?,?,?)",
                   [("m-%d" % m[0], cid[m[1]], uid[m[2]], float(m[3]), m[4], m[5], m[6], "2015-06-18T00:00:00Z" if m[7] else None) for m in MESSAGES])
    grouped = {}
    for _, m, u, e in REACTIONS:
        grouped.setdefault((m, e), []).append(uid[u])
    by = {m[0]: m for m in MESSAGES}
    db.executemany("INSERT INTO reactions VALUES(?,?,?,?,?)",
                   [(cid[by[m][1]], by[m][3], ":%s:" % e, json.dumps(us), len(us)) for (m, e), us in grouped.items()])
    db.commit()
    db.close()


dump()
sqlite()
