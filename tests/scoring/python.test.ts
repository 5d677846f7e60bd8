import { test } from "vitest";
import { PYTEST_MS, pytest } from "../pytest.ts";

test("pytest passes in tests/scoring", () => pytest(["tests/scoring"]), PYTEST_MS);
