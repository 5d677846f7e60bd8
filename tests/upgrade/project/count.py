"""A step that uses all that the module `oneoff` has for steps."""

from __future__ import annotations

import oneoff
import pyarrow as pa
from pyspark.sql import SparkSession

WORDS = ["and", "or", "not"]


def main() -> None:
    parser = oneoff.ArgumentParser(description=__doc__)
    for folder in ["--words", "--scratch", "--lake"]:
        parser.add_argument(folder, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--rows", type=oneoff.count, required=True)
    args = parser.parse_args()
    spark = SparkSession.builder.getOrCreate()

    oneoff.progress("words", 0, args.rows)
    lengths = oneoff.collect(spark.sparkContext.parallelize(WORDS, 1).map(len), "lengths")
    table = pa.table({"word": WORDS, "occurrences": pa.array(lengths, pa.int64())})
    oneoff.write_part(table, f"{args.scratch}/part", "part-0")
    again = oneoff.read_table(f"{args.scratch}/part", ["word", "occurrences"])
    assert again is not None
    assert again.num_rows == args.rows
    assert oneoff.digest(f"{args.scratch}/part", ["word", "occurrences"])[0] == args.rows
    oneoff.put(f"{args.scratch}/note.txt", b"read me")
    [(address, size)] = oneoff.list_files(f"{args.scratch}/note.txt")
    with oneoff.open_file(address) as file:
        assert file.read() == b"read me"
        assert size == file.size()
    oneoff.write_part(again, args.words, "part-0")
    oneoff.progress("words", args.rows, args.rows)
    spark.stop()


if __name__ == "__main__":
    main()
