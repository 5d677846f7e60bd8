import { test } from "vitest";
import { PYTEST_MS, pytest } from "../pytest.ts";

test("pytest passes in tests/streaming", () => pytest(["tests/streaming"]), PYTEST_MS);
