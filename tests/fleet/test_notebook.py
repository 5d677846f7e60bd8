"""What a notebook's kernels ask Spark for: what the fleet says when their Spark starts, by the image's entrypoint."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ENTRYPOINT = Path(__file__).resolve().parents[2] / "assets/images/spark/entrypoint"
STARTS = """
show() { spark-submit --version > /dev/null 2>&1 && grep gpu "$SPARK_CONF_DIR/spark-defaults.conf"; echo .; }
show
echo 'spark.executor.resource.gpu.amount 1' > "$ONEOFF_SPARK_CONF"
show
echo 'spark.executor.cores 2' > "$ONEOFF_SPARK_CONF"
show
grep -c hush "$SPARK_CONF_DIR/spark-defaults.conf"
stat -c %a "$SPARK_CONF_DIR/spark-defaults.conf"
"""


def test_settings_are_read_when_spark_starts(tmp_path: Path) -> None:
    secret = tmp_path / "run/secrets/spark"
    secret.parent.mkdir(parents=True)
    secret.write_text("hush")
    env = {
        **{name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ},
        **{"HOME": str(tmp_path), "ONEOFF_ROOT": str(tmp_path), "ONEOFF_PYTHON": sys.executable},
        **{"ONEOFF_ADDRESS": "127.0.0.1", "ONEOFF_SPARK_CONF": str(tmp_path / "spark.conf")},
    }
    done = subprocess.run([ENTRYPOINT, "sh", "-c", STARTS], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == [".", "spark.executor.resource.gpu.amount 1", ".", ".", "1", "600", ""]
