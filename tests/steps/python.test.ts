import { test } from "vitest";
import { PYTEST_MS, pytest } from "../pytest.ts";

test("pytest passes in tests/steps", () => pytest(["tests/steps"]), PYTEST_MS);
