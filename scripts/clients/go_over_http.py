#!/usr/bin/env python3
"""Makes clickhouse-go's own tests speak HTTP alone: there is no native port here.  usage: go_over_http.py FOLDER"""
import pathlib
import sys

file = pathlib.Path(sys.argv[1]) / "tests/utils.go"
text = file.read_text()


def replace(before, after):
    global text
    if before not in text:
        sys.exit(f"{file}: this version has no {before!r}; look at its helpers and put this script right")
    text = text.replace(before, after, 1)


# The server's version, and the test's own database.
replace("\tport := env.Port\n\tvar tlsConfig", "\tport := env.HttpPort\n\tvar tlsConfig")
replace("\tconn, err := clickhouse.Open(&clickhouse.Options{\n", "\tconn, err := clickhouse.Open(&clickhouse.Options{\n\t\tProtocol: clickhouse.HTTP,\n")
# Whatever asks for a connection gets one over HTTP.
replace(
    "\treturn getConnectionWithMutator(env, database, settings, tlsConfig, compression, nil)\n",
    '\treturn getHTTPConnection(env, "", database, settings, tlsConfig, compression)\n',
)
file.write_text(text)

# Tests that know the native protocol alone go over HTTP, too; those with both have a subtest called Native.
for test in (file.parent / "std").glob("*_test.go"):
    text = test.read_text()
    if "clickhouse.Native:" not in text:
        test.write_text(text.replace("clickhouse.Native", "clickhouse.HTTP"))
