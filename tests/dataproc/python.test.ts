import { test } from "vitest";
import { storageServer } from "../google/storage.ts";
import { PYTEST_MS, pytest } from "../pytest.ts";

test("pytest passes in tests/dataproc", { tags: ["go"], timeout: PYTEST_MS }, async () =>
  pytest(["tests/dataproc"], { ONEOFF_FAKE_GCS: await storageServer() }),
);
