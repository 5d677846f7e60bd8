import { test } from "vitest";
import { PYTEST_MS, pytest } from "../pytest.ts";

test("pytest passes in tests/swarm", () => pytest(["tests/swarm"]), PYTEST_MS);
