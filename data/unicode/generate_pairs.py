#!/usr/bin/env python3
"""generate_pairs.py - writes ingest/decompose_table.c: the characters that are a letter and a mark in one.

    python3 data/unicode/generate_pairs.py [OUT]      (OUT: default ingest/decompose_table.c, "-" for stdout)

Canonical decompositions of 16-bit characters into two, from the Unicode 14.0 database inside Python 3.11. Left out:
singletons (macOS keeps them in file names) and Hangul, which needs no table.
"""
import os
import sys
import unicodedata

assert unicodedata.unidata_version == "14.0.0", "run it with Python 3.11"


def pairs():
    for c in range(0x80, 0x10000):
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            yield c, int(parts[0], 16), int(parts[1], 16)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "..", "ingest", "decompose_table.c")
    lines = ["/* decompose_table.c - made by data/unicode/generate_pairs.py from Unicode 14.0; do not edit. */",
             '#include "decompose.h"', "", "const struct br_pair br_pairs[] = {"]
    rows = ["{0x%04X, 0x%04X, 0x%04X}," % p for p in pairs()]
    lines += ["    " + " ".join(rows[i:i + 4]) for i in range(0, len(rows), 4)]
    lines += ["};", "const size_t br_n_pairs = BR_COUNT(br_pairs);", ""]
    text = "\n".join(lines)
    if out == "-":
        sys.stdout.write(text)
    else:
        with open(out, "w") as f:
            f.write(text)


main()
