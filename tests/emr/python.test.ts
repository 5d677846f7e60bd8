import { test } from "vitest";
import { PYTEST_MS, pytest } from "../pytest.ts";

test("pytest passes in tests/emr", () => pytest(["tests/emr"]), PYTEST_MS);
