"""A client from outside: inserts, queries with parameters, reads errors.  usage: client.py PORT"""
import datetime
import sys

import clickhouse_connect
from clickhouse_connect.driver.exceptions import DatabaseError

port = int(sys.argv[1])


def connect(**more):
    return clickhouse_connect.get_client(host="127.0.0.1", port=port, **more)


writer = connect(username="writer", password="secret", database="lastwords")
at = datetime.datetime(2026, 11, 20, 15, 2, 11, 123000, tzinfo=datetime.timezone.utc)
planned = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)
columns = ["Timestamp", "Host", "Device", "Mean", "Row", "Planned"]
rows = [[at, f"wörd {n % 7}", "eth0", n / 4, n, planned] for n in range(50_000)]
writer.insert("samples", rows, column_names=columns)
assert writer.command("SELECT count() FROM samples") == 50_000

client = connect(username="reader", password="only", database="lastwords")
found = client.query("SELECT Row, Timestamp, Host, Mean FROM samples WHERE Row >= {least:UInt64} AND Host = {word:String} ORDER BY Row",
                     parameters={"least": 49_990, "word": "wörd 5"}).result_rows
assert [row[0] for row in found] == [49_992, 49_999], found
assert found[0] == (49_992, at.replace(tzinfo=None), "wörd 5", 12_498.0) or found[0] == (49_992, at, "wörd 5", 12_498.0), found
quoted = client.query("SELECT {a:String}", parameters={"a": "it's \\ a\ttab\nand a line"}).result_rows
assert quoted == [("it's \\ a\ttab\nand a line",)], quoted

everything = client.query("SELECT Row, Host FROM samples ORDER BY Row").result_rows
assert len(everything) == 50_000 and everything[-1] == (49_999, "wörd 5"), everything[-1]
with client.query_row_block_stream("SELECT number FROM numbers(2000000)") as stream:
    assert sum(len(block) for block in stream) == 2_000_000

plain = connect(username="reader", password="only", compress=False)
assert plain.query("SELECT 1 + 1").result_rows == [(2,)]
assert plain.query("SELECT count() FROM logs", settings={"max_threads": 1}).result_rows == [(0,)]

for text, code in (("SELECT nothing FROM logs", 47), ("SELEC 1", 497), ("SELECT * FROM url('http://127.0.0.1/')", 497)):
    try:
        client.query(text)
        raise SystemExit(f"no error from {text}")
    except DatabaseError as error:
        assert f"{code}" in str(error), error
for name, password in (("writer", "wrong"), ("reader", ""), ("default", ""), ("", "")):
    try:
        connect(username=name, password=password)
        raise SystemExit(f"{name} came in with the password {password!r}")
    except DatabaseError as error:
        assert "516" in str(error) or "Authentication" in str(error), error

for user in (client, writer):
    for text in ("DROP TABLE samples", "CREATE TABLE t (a Int8) ENGINE = Memory", "ALTER TABLE samples DELETE WHERE 1", "SYSTEM SHUTDOWN"):
        try:
            user.command(text)
            raise SystemExit(f"taken: {text}")
        except DatabaseError:
            pass
try:
    client.insert("samples", rows[:1], column_names=columns)
    raise SystemExit("a reader inserted")
except DatabaseError:
    pass
assert client.command("SELECT count() FROM samples") == 50_000
print("all as expected")
