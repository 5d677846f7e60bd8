"""Other clients of Athena: reads `{"client": ..., "sql": ...}` line by line and answers with the seconds each took."""

import json
import sys
import time
from collections.abc import Callable

import awswrangler as wr
import pyathena

OUTPUT = "s3://lake/_results/"


def main() -> None:
    connection = pyathena.connect(s3_staging_dir=OUTPUT, region_name="us-west-2", schema_name="lake")

    def by_pyathena(sql: str) -> int:
        with connection.cursor() as cursor:
            return len(cursor.execute(sql).fetchall())

    def by_awswrangler(sql: str) -> int:
        return len(wr.athena.read_sql_query(sql, database="lake", s3_output=OUTPUT))

    def by_awswrangler_without_ctas(sql: str) -> int:
        return len(wr.athena.read_sql_query(sql, database="lake", s3_output=OUTPUT, ctas_approach=False))

    clients: dict[str, Callable[[str], int]] = {
        "PyAthena": by_pyathena,
        "awswrangler": by_awswrangler,
        "awswrangler, ctas_approach=False": by_awswrangler_without_ctas,
    }
    for line in sys.stdin:
        order = json.loads(line)
        started = time.perf_counter()
        rows = clients[order["client"]](order["sql"])
        print(json.dumps({"seconds": time.perf_counter() - started, "rows": rows}), flush=True)


main()
