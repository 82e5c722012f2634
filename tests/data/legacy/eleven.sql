--
-- PostgreSQL database dump
--

\restrict x
SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $_$
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
\.

COPY public.channels (id, slack_id, name, is_private, topic) FROM stdin;
10	C0OLD00001	general	f	all of us\tand \\everything\\
11	C0OLD00002	random	f	\N
12	G0OLD00003	board	t	don't tell
\.

COPY public.messages (id, channel_id, user_id, slack_ts, thread_ts, text, edited_at, is_deleted, embedding_id, sentiment) FROM stdin;
101	10	1	1434567890.000100	\N	Good morning everyone	\N	f	00000000-0000-0000-0000-000000000000	0.5
102	10	2	1434567900.000200	\N	It's Bob's "quoted" text, isn't it?	\N	f	00000000-0000-0000-0000-000000000000	0.5
103	10	1	1434567910.000300	1434567910.000300	Where do the road layers come from?	\N	f	00000000-0000-0000-0000-000000000000	0.5
104	10	2	1434567920.000400	1434567910.000300	first line\nsecond line\n\nfourth line	\N	f	00000000-0000-0000-0000-000000000000	0.5
105	10	3	1434567930.000500	1434567910.000300	column one\tcolumn two\tcolumn three	\N	f	00000000-0000-0000-0000-000000000000	0.5
106	11	1	1434567940.000600	\N	C:\\temp\\new and \\N and \\. and \\x41 stay as they are	\N	f	00000000-0000-0000-0000-000000000000	0.5
\.

INSERT INTO public.messages (id, channel_id, user_id, slack_ts, thread_ts, text, edited_at, is_deleted) VALUES
	(107, 11, 2, 1434567950.000700, NULL, 'snow ☃, café, 🚀 and 👩‍🚀', NULL, false),
	(108, 11, 1, 1434567960.000800, NULL, 'the corrected text', '2015-06-17 19:06:40.000000+00:00'::timestamp with time zone, false),
	(109, 12, 2, 1434567970.000900, NULL, 'the confidential plan nobody may read any more', NULL, true),
	(110, 12, 1, 1434567980.001000, NULL, $quote$$$dollars$$ and $tag$tags$tag$; -- no comment; /* nor this */$quote$, NULL, false),
	(111, 12, 2, 1434567990.001100, NULL, 'see <https://example.com/roads?a=1&amp;b=2|the map> and <@U0OLD00001>', NULL, false);

INSERT INTO public.reactions VALUES (1, 101, 2, 'wave');
INSERT INTO public.reactions VALUES (2, 101, 3, 'wave');
INSERT INTO public.reactions VALUES (3, 101, 2, 'tada');
INSERT INTO public.reactions VALUES (4, 104, 1, '+1::skin-tone-2');
INSERT INTO public.reactions VALUES (5, 111, 1, 'eyes');
INSERT INTO public."users" VALUES (1, 'U0OLD00001', 'ada', 'Ada Lovelace', 'ada l.', false);
INSERT INTO public."users" VALUES (2, 'U0OLD00002', 'bob', 'Bob O''Neill', NULL, false);
INSERT INTO public."users" VALUES (3, 'U0OLD00003', 'buildbot', 'Build Bot', '', true);

ALTER TABLE ONLY public.messages ADD CONSTRAINT messages_pkey PRIMARY KEY (id);
\unrestrict x
