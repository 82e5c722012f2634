#!/usr/bin/env python3
"""generate.py - writes engine/embed/unicode_table.c: what the BERT normaliser does to each code point.

    python3 data/unicode/generate.py [OUT]      (OUT: default engine/embed/unicode_table.c, "-" for stdout)

Input: the Unicode 14.0 database inside Python 3.11 (Debian 12), and the differences listed below; nothing else.

The reference tokenizer mixes Unicode versions: general categories of 8.0, canonical decompositions of 9.0, lower case
of 17.0, white space of any. The lists turn 14.0 into that mixture. They were found by asking the reference
(Hugging Face tokenizers 0.23.3) for the normal form of every scalar value. Their reasons stand beside them.

Per code point, in the reference's order:
  1. U+0000, U+FFFD and categories Cc, Cf, Co are dropped, but tab, LF and CR are spaces; White_Space becomes a space;
  2. "Chinese" code points (the reference's ranges, its typing error 2B920 included) stand alone;
  3. canonical decomposition, then Mn is dropped (Hangul: by arithmetic, in the C code);
  4. lower case, a code point at a time, without the final-sigma rule;
  5. what is now one ASCII punctuation character or one of category P* stands alone.

Canonical reordering is left out: it moves only characters with a combining class, the few of which that survive step 3
occur in no token, so a word holding one is [UNK] in any order.
"""
import os
import sys
import unicodedata

NEEDED = "14.0.0"
BLOCK = 128  # code points a block of the second stage

# Of category Mn, Cf or P* in 14.0, but assigned after 8.0: unassigned to the reference, hence kept and not split off.
UNASSIGNED = """
61D 7FD 890-891 898-89F 8CA-8E2 9FD-9FE A76 AFA-AFF B55 C04 C3C C77 C84 D00 D3B-D3C D81 EBA 180F 1885-1886 1ABF-1ACE
1B7D-1B7E 1DF6-1DFB 2E43-2E4F 2E52-2E5D A82C A8C5 A8FF A9BD 10D24-10D27 10EAB-10EAD 10F46-10F50 10F55-10F59
10F82-10F89 11070 11073-11074 110C2 110CD 111CF 1123E 1133B 11438-1143F 11442-11444 11446 1144B-1144F 1145A-1145B
1145D-1145E 11660-1166C 116B9 1182F-11837 11839-1183B 1193B-1193C 1193E 11943-11946 119D4-119D7 119DA-119DB 119E0
119E2 11A01-11A0A 11A33-11A38 11A3B-11A47 11A51-11A56 11A59-11A5B 11A8A-11A96 11A98-11A9C 11A9E-11AA2 11C30-11C36
11C38-11C3D 11C3F 11C41-11C45 11C70-11C71 11C92-11CA7 11CAA-11CB0 11CB2-11CB3 11CB5-11CB6 11D31-11D36 11D3A
11D3C-11D3D 11D3F-11D45 11D47 11D90-11D91 11D95 11D97 11EF3-11EF4 11EF7-11EF8 11FFF 12FF1-12FF2 13430-13438
16E97-16E9A 16F4F 16FE2 16FE4 1CF00-1CF2D 1CF30-1CF46 1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024 1E026-1E02A
1E130-1E136 1E2AE 1E2EC-1E2EF 1E944-1E94A 1E95E-1E95F
"""

# Category in 8.0 where it was another one than in 14.0.
CATEGORY = {
    0x166D: "Po",   # Canadian Syllabics chi sign: So since 12.0
    0x1734: "Mn",   # Hanunoo sign pamudpod: Mc since 14.0
    0x111C9: "Po",  # Sharada sandhi mark: Mn since 11.0
}

# Decomposed in 14.0, but not in 9.0.
NOT_DECOMPOSED = {0x11938}  # Dives Akuru vowel sign o, 13.0

# Lower case of letters that came after 14.0: first, last, offset.
LOWER = [
    (0x1C89, 0x1C89, 1),
    (0xA7CB, 0xA7CB, -42343),
    (0xA7CC, 0xA7CC, 1),
    (0xA7CE, 0xA7CE, 1),
    (0xA7D2, 0xA7D2, 1),
    (0xA7D4, 0xA7D4, 1),
    (0xA7DA, 0xA7DA, 1),
    (0xA7DC, 0xA7DC, -42561),
    (0x10D50, 0x10D65, 32),
    (0x16EA0, 0x16EB8, 27),
]

CHINESE = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
           (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]  # 2B920 for 2B820: the reference's, keep it
WHITE_SPACE = {0x09, 0x0A, 0x0D, 0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}

# Entries; the same numbers are in unicode_table.h.
KEEP, DROP, SPACE, ALONE, HANGUL, POOL = range(6)


def ranges(text):
    for word in text.split():
        first, _, last = word.partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


unassigned = set(ranges(UNASSIGNED))
lower_new = {c: chr(c + offset) for first, last, offset in LOWER for c in range(first, last + 1)}


def category(c):
    return "Cn" if c in unassigned else CATEGORY.get(c) or unicodedata.category(chr(c))


def normalise(c):
    """(text, stands alone); the text is " " for white space and "" for what is dropped."""
    if c in WHITE_SPACE:
        return " ", False
    if c in (0, 0xFFFD) or category(c) in ("Cc", "Cf", "Co"):
        return "", False
    text = chr(c) if c in NOT_DECOMPOSED else unicodedata.normalize("NFD", chr(c))
    text = "".join(t for t in text if category(ord(t)) != "Mn")
    text = "".join(lower_new.get(ord(t)) or t.lower() for t in text)
    alone = any(first <= c <= last for first, last in CHINESE)
    if len(text) == 1:
        ascii_punctuation = 0x21 <= ord(text) <= 0x7E and not text.isalnum()
        alone = alone or ascii_punctuation or category(ord(text)).startswith("P")
    assert not alone or len(text) == 1, hex(c)
    return text, alone


def main():
    if unicodedata.unidata_version != NEEDED:
        sys.exit(f"generate.py: this Python carries Unicode {unicodedata.unidata_version}, the lists are for {NEEDED}")
    pool, pool_at, entries = bytearray(), {}, []
    for c in range(0x110000):
        if 0xD800 <= c <= 0xDFFF:
            entries.append(DROP)  # never decoded
        elif 0xAC00 <= c <= 0xD7A3:
            entries.append(HANGUL)
        else:
            text, alone = normalise(c)
            if text == "":
                entries.append(DROP)
            elif text == " ":
                entries.append(SPACE)
            elif text == chr(c):
                entries.append(ALONE if alone else KEEP)
            else:
                raw = text.encode()
                assert len(text) <= 3 and len(raw) <= 12
                item = bytes([alone << 7 | len(text) << 4 | len(raw)]) + raw
                if item not in pool_at:
                    pool_at[item] = len(pool)
                    pool += item
                entries.append(POOL + pool_at[item])
    assert max(entries) < 0x10000

    stage1, stage2, block_at = [], [], {}
    for start in range(0, len(entries), BLOCK):
        block = tuple(entries[start:start + BLOCK])
        if block not in block_at:
            block_at[block] = len(block_at)
            stage2 += block
        stage1.append(block_at[block])
    assert len(block_at) < 0x10000

    def array(kind, name, values):
        lines, line = [f"const {kind} {name}[{len(values)}] = {{"], "   "
        for v in values:
            word = f" {v},"
            if len(line) + len(word) > 120:
                lines.append(line)
                line = "   "
            line += word
        return "\n".join(lines + [line, "};", ""])

    out = ["/* unicode_table.c - what the BERT normaliser does to each code point, as a two-stage table.",
           " * Generated by data/unicode/generate.py from Unicode 14.0 with listed differences; do not edit. */",
           '#include "embed/unicode_table.h"', "",
           array("uint16_t", "br_unicode_stage1", stage1),
           array("uint16_t", "br_unicode_stage2", stage2),
           array("uint8_t", "br_unicode_pool", pool)]
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../../engine/embed/unicode_table.c")
    with (sys.stdout if path == "-" else open(path, "w", encoding="ascii", newline="\n")) as f:
        f.write("\n".join(out))
    print(f"{len(block_at)} blocks, {2 * (len(stage1) + len(stage2)) + len(pool)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
