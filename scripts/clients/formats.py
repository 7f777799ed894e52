#!/usr/bin/env python3
"""Asks for 200,000 rows in every format of answers that can be read here, and compares them with what they should be,
value by value.  usage: formats.py PORT [USER PASSWORD]   (needs pyarrow, polars and msgpack)"""
import csv
import io
import json
import struct
import sys
import urllib.parse
import urllib.request
from xml.etree import ElementTree

import msgpack
import polars
import pyarrow
import pyarrow.ipc
import pyarrow.parquet

ROWS = 200_000
PORT, USER, PASSWORD = (sys.argv[1:] + ["", ""])[:3]
SQL = f"SELECT number AS n, concat('a,\"b\"\\t<', toString(number % 97), '>\\n') AS text, number / 4 AS x FROM numbers({ROWS})"
NAMES, TYPES = ["n", "text", "x"], ["UInt64", "String", "Float64"]


def ask(name):
    query = {"default_format": name, "max_block_size": 1000, "output_format_json_quote_64bit_integers": 0}
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/?{urllib.parse.urlencode(query)}", SQL.encode())
    if USER:
        request.add_header("X-ClickHouse-User", USER)
        request.add_header("X-ClickHouse-Key", PASSWORD)
    with urllib.request.urlopen(request) as reply:
        return reply.read()


def row(n):
    return n, f'a,"b"\t<{n % 97}>\n', n / 4


def compare(rows, convert=lambda row: row):
    count = 0
    for n, found in enumerate(rows):
        found, wanted = tuple(convert(found)), row(n)
        assert (int(found[0]), found[1], float(found[2])) == wanted, f"row {n}: {found} and not {wanted}"
        count += 1
    assert count == ROWS, f"{count} rows"


def tsv(text, headers, raw=False):
    unescape = (lambda cell: cell) if raw else (lambda cell: cell.encode().decode("unicode_escape"))
    lines = text.decode().removesuffix("\n").split("\n")
    assert [line.split("\t") for line in lines[:len(headers)]] == headers, lines[:2]
    compare(lines[len(headers):], lambda line: map(unescape, line.split("\t")))


def comma(text, headers):
    lines = list(csv.reader(io.StringIO(text.decode(), newline="")))
    assert lines[:len(headers)] == headers, lines[:2]
    compare(lines[len(headers):])


def jsons(text, headers=0, convert=lambda row: row):
    lines = [json.loads(line) for line in text.decode().splitlines()]
    assert lines[:headers] == [NAMES, TYPES][:headers]
    compare(lines[headers:], convert)


def document(text, convert=lambda row: row):
    whole = json.loads(text)
    assert whole["rows"] == ROWS and [column["name"] for column in whole["meta"]] == NAMES
    compare(whole["data"], convert)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def string(data, at):
    length, at = varint(data, at)
    return data[at:at + length].decode(), at + length


def binary(data, headers=0):
    at, found = 0, []
    if headers:
        columns, at = varint(data, 0)
        assert columns == 3
        for wanted in [NAMES, TYPES][:headers]:
            for name in wanted:
                text, at = string(data, at)
                assert text == name, text
    while at < len(data):
        (n,), at = struct.unpack_from("<Q", data, at), at + 8
        text, at = string(data, at)
        (x,), at = struct.unpack_from("<d", data, at), at + 8
        found.append((n, text, x))
    compare(found)


def native(data):
    at, found = 0, []
    while at < len(data):
        columns, at = varint(data, at)
        rows, at = varint(data, at)
        assert columns == 3
        values = []
        for name, kind in zip(NAMES, TYPES):
            for wanted in (name, kind):
                text, at = string(data, at)
                assert text == wanted, text
            if kind == "String":
                texts = []
                for _ in range(rows):
                    text, at = string(data, at)
                    texts.append(text)
                values.append(texts)
            else:
                values.append(struct.unpack_from(f"<{rows}{'Q' if kind == 'UInt64' else 'd'}", data, at))
                at += 8 * rows
        found.extend(zip(*values))
    compare(found)


def text_of(value):
    return value.decode() if isinstance(value, bytes) else value


def arrow(table):
    compare(zip(*[map(text_of, table[name].to_pylist()) for name in NAMES]))


def both(data, read, read_polars):
    arrow(read(io.BytesIO(data)))
    table = read_polars(io.BytesIO(data))
    compare(zip(*[map(text_of, table[name].to_list()) for name in NAMES]))


def xml(data):
    found = ElementTree.fromstring(data).find("data").findall("row")
    compare(found, lambda row: [row.find(name).text for name in NAMES])


def pairs(row):
    return [row[name] for name in NAMES]


def values(data):
    text = data.decode().replace("\\t", "\t").replace("\\n", "\n")
    found = [line.rsplit(",", 1) for line in text[1:-1].split("),(")]
    compare(found, lambda parts: (*parts[0].split(",", 1)[:1], parts[0].split(",", 1)[1][1:-1], parts[1]))


def packed(data):
    unpacker = msgpack.Unpacker(io.BytesIO(data), raw=False, max_buffer_size=1 << 30)
    flat = list(unpacker)
    compare(zip(*[map(text_of, flat[place::3]) for place in range(3)]))


def tskv(data):
    unescape = lambda cell: cell.encode().decode("unicode_escape")
    compare(data.decode().removesuffix("\n").split("\n"), lambda line: [unescape(cell.split("=", 1)[1]) for cell in line.split("\t")])


READERS = {
    "Arrow": lambda data: both(data, lambda file: pyarrow.ipc.open_file(file).read_all(), polars.read_ipc),
    "ArrowStream": lambda data: both(data, lambda file: pyarrow.ipc.open_stream(file).read_all(), polars.read_ipc_stream),
    "Parquet": lambda data: both(data, pyarrow.parquet.read_table, polars.read_parquet),
    "CSV": lambda data: comma(data, []),
    "CSVWithNames": lambda data: comma(data, [NAMES]),
    "CSVWithNamesAndTypes": lambda data: comma(data, [NAMES, TYPES]),
    "TSV": lambda data: tsv(data, []),
    "TSVWithNames": lambda data: tsv(data, [NAMES]),
    "TabSeparatedWithNamesAndTypes": lambda data: tsv(data, [NAMES, TYPES]),
    "JSON": lambda data: document(data, pairs),
    "JSONStrings": lambda data: document(data, pairs),
    "JSONCompact": document,
    "JSONCompactStrings": document,
    "JSONColumns": lambda data: compare(zip(*pairs(json.loads(data)))),
    "JSONColumnsWithMetadata": lambda data: compare(zip(*pairs(json.loads(data)["data"]))),
    "JSONCompactColumns": lambda data: compare(zip(*json.loads(data))),
    "JSONObjectEachRow": lambda data: compare(json.loads(data).values(), pairs),
    "JSONEachRow": lambda data: jsons(data, 0, pairs),
    "JSONLines": lambda data: jsons(data, 0, pairs),
    "NDJSON": lambda data: jsons(data, 0, pairs),
    "JSONStringsEachRow": lambda data: jsons(data, 0, pairs),
    "JSONCompactEachRow": jsons,
    "JSONCompactEachRowWithNames": lambda data: jsons(data, 1),
    "JSONCompactEachRowWithNamesAndTypes": lambda data: jsons(data, 2),
    "JSONCompactStringsEachRowWithNamesAndTypes": lambda data: jsons(data, 2),
    "RowBinary": binary,
    "RowBinaryWithNames": lambda data: binary(data, 1),
    "RowBinaryWithNamesAndTypes": lambda data: binary(data, 2),
    "Native": native,
    "MsgPack": packed,
    "TSKV": tskv,
    "Values": values,
    "XML": xml,
}

failed = 0
for name, read in READERS.items():
    try:
        read(ask(name))
        print(f"{name}: {ROWS} rows as they should be")
    except Exception as error:  # Whatever a reader says about a broken document.
        failed += 1
        print(f"{name}: {type(error).__name__}: {str(error)[:300]}")
sys.exit(1 if failed else 0)
