"""Reads one shard of a report the way a Python program would: a raw zlib stream
of gzip framing, then csv, then the percent-decoding of the key. Prints
one JSON line per row, [key, size], and fails on anything irregular."""

import csv
import io
import json
import sys
import urllib.parse
import zlib

columns = sys.argv[2].split(", ")
with open(sys.argv[1], "rb") as f:
    stored = f.read()
inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
text = inflate.decompress(stored) + inflate.flush()
if not inflate.eof or inflate.unused_data:
    sys.exit("not exactly one complete gzip member")
for row in csv.reader(io.StringIO(text.decode("utf-8"), newline=""), strict=True):
    if len(row) != len(columns):
        sys.exit(f"{len(row)} values for {len(columns)} columns: {row}")
    record = dict(zip(columns, row))
    print(json.dumps([urllib.parse.unquote(record["Key"], errors="strict"), int(record["Size"])]))
