/** Draws a panel of Kibana's as it does: what the store answers goes into `data.values`, and `format` stays. */
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

export interface Drawn {
  /** Rows as the marks have them. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly svg: string;
}

/** What takes a specification of Vega-Lite: of which major it is. */
export type Compile = typeof compile;

export async function draw(
  spec: { readonly data: { readonly format: object } },
  answer: object,
  by: Compile = compile,
): Promise<Drawn> {
  const warnings: unknown[] = [];
  const quiet = () => logger;
  const note = (...told: readonly unknown[]) => {
    warnings.push(...told);
    return logger;
  };
  const logger = { level: quiet, warn: note, error: note, info: quiet, debug: quiet };
  const filled = { ...spec, width: 400, height: 200, data: { values: answer, format: spec.data.format } };
  const compiled = by(filled as unknown as TopLevelSpec, { logger: logger as never }).spec;
  if (warnings.length > 0) throw new Error(`Vega-Lite warns: ${warnings.join("; ")}`);
  const view = new View(parse(compiled), { renderer: "none" });
  await view.runAsync();
  const marks = compiled.marks?.[0];
  const source = marks?.from as { data?: string; facet?: { data: string } } | undefined;
  const rows = view.data(source?.facet?.data ?? (source?.data as string));
  return { rows, svg: await view.toSVG() };
}
