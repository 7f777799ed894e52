"""A client from outside: creates a table, inserts, queries with parameters, reads errors.  usage: client.py PORT"""
import datetime
import sys

import clickhouse_connect
from clickhouse_connect.driver.exceptions import DatabaseError

port = int(sys.argv[1])


def connect(**more):
    return clickhouse_connect.get_client(host="127.0.0.1", port=port, **more)


client = connect(username="op", password="secret", database="lastwords")
client.command("CREATE TABLE numbers_seen (n UInt64, at DateTime64(3, 'UTC'), word LowCardinality(String), maybe Nullable(Float64)) ENGINE = MergeTree ORDER BY n")
at = datetime.datetime(2026, 11, 20, 15, 2, 11, 123000, tzinfo=datetime.timezone.utc)
rows = [[n, at, f"wörd {n % 7}", None if n % 2 else n / 4] for n in range(50_000)]
client.insert("numbers_seen", rows, column_names=["n", "at", "word", "maybe"])
assert client.command("SELECT count() FROM numbers_seen") == 50_000

found = client.query("SELECT n, at, word, maybe FROM numbers_seen WHERE n >= {least:UInt64} AND word = {word:String} ORDER BY n",
                     parameters={"least": 49_990, "word": "wörd 5"}).result_rows
assert [row[0] for row in found] == [49_992, 49_999], found
assert found[0] == (49_992, at.replace(tzinfo=None), "wörd 5", 12_498.0) or found[0] == (49_992, at, "wörd 5", 12_498.0), found
assert found[1][3] is None, found
quoted = client.query("SELECT {a:String}", parameters={"a": "it's \\ a\ttab\nand a line"}).result_rows
assert quoted == [("it's \\ a\ttab\nand a line",)], quoted

everything = client.query("SELECT n, word FROM numbers_seen ORDER BY n").result_rows
assert len(everything) == 50_000 and everything[-1] == (49_999, "wörd 5"), everything[-1]
with client.query_row_block_stream("SELECT number FROM numbers(2000000)") as stream:
    assert sum(len(block) for block in stream) == 2_000_000

plain = connect(username="op", password="secret", compress=False)
assert plain.query("SELECT 1 + 1").result_rows == [(2,)]
assert plain.query("SELECT getSetting('max_threads')", settings={"max_threads": 1}).result_rows == [(1,)]

for text, code in (("SELECT * FROM nowhere", 60), ("SELEC 1", 62), ("SELECT * FROM url('http://127.0.0.1/')", 497)):
    try:
        client.query(text)
        raise SystemExit(f"no error from {text}")
    except DatabaseError as error:
        assert f"{code}" in str(error), error
try:
    connect(username="op", password="wrong")
    raise SystemExit("a wrong password was taken")
except DatabaseError as error:
    assert "516" in str(error) or "Authentication" in str(error), error

eye = connect(username="eye", password="only", database="lastwords")
assert eye.query("SELECT count() FROM numbers_seen").result_rows == [(50_000,)]
try:
    eye.command("DROP TABLE numbers_seen")
    raise SystemExit("a reader dropped a table")
except DatabaseError:
    pass
print("all as expected")
