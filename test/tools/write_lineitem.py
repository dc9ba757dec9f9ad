"""Append rows of the lineitem generator to a Delta table, by delta-rs.

write_lineitem.py URI FIRST COUNT FILES [COMPRESSION]

Each of FILES equal parts is one commit with one file. FELDERA_INGEST_LINEITEM names the generator,
FELDERA_INGEST_STORAGE_OPTIONS holds delta-rs's storage options as JSON.
"""

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.csv
from deltalake import WriterProperties, write_deltalake

CENTS = pa.decimal128(15, 2)
SCHEMA = pa.schema(
    [(name, pa.int32()) for name in ("l_orderkey", "l_partkey", "l_suppkey", "l_linenumber")]
    + [(name, CENTS) for name in ("l_quantity", "l_extendedprice", "l_discount", "l_tax")]
    + [(name, pa.string()) for name in ("l_returnflag", "l_linestatus")]
    + [(name, pa.date32()) for name in ("l_shipdate", "l_commitdate", "l_receiptdate")]
    + [(name, pa.string()) for name in ("l_shipinstruct", "l_shipmode", "l_comment")]
)


def rows(first, count):
    generator = subprocess.Popen(
        [os.environ["FELDERA_INGEST_LINEITEM"], "csv", str(first), str(count)], stdout=subprocess.PIPE
    )
    table = pa.csv.read_csv(
        generator.stdout,
        read_options=pa.csv.ReadOptions(column_names=SCHEMA.names, block_size=1 << 24),
        parse_options=pa.csv.ParseOptions(delimiter="|"),
        convert_options=pa.csv.ConvertOptions(column_types=SCHEMA, strings_can_be_null=False),
    )
    if generator.wait() != 0:
        raise SystemExit("the generator failed")
    return table


def main():
    uri, first, count, files = sys.argv[1], *map(int, sys.argv[2:5])
    compression = sys.argv[5] if len(sys.argv) > 5 else "SNAPPY"
    options = json.loads(os.environ.get("FELDERA_INGEST_STORAGE_OPTIONS", "{}"))
    for part in range(files):
        begin, end = first + count * part // files, first + count * (part + 1) // files
        write_deltalake(
            uri,
            rows(begin, end - begin),
            mode="append",
            storage_options=options,
            writer_properties=WriterProperties(compression=compression),
        )


main()
# Without the interpreter's own farewell, in which threads of the libraries may still run and abort the process.
os._exit(0)
