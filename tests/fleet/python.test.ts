import { test } from "vitest";
import { PYTEST_MS, pytest } from "../pytest.ts";

test("pytest passes in tests/fleet", () => pytest(["tests/fleet"]), PYTEST_MS);
