import { test } from "vitest";
import { PYTEST_MS, pytest } from "../pytest.ts";

test("pytest passes in tests/jobs", () => pytest(["tests/jobs"]), PYTEST_MS);
