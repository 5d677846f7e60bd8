import { ColumnType } from "../../core/table.ts";
import type { ResultColumn, Value } from "./engine.ts";

/** How values of a type, which a service sends as text, come to the browser. */
export interface Conversion {
  readonly type: ColumnType;
  readonly value: (text: string) => Value;
}

/** A double as JSON carries it. */
export const carried = (value: number): Value => (Number.isFinite(value) ? value : String(value));

export const integer: Conversion = { type: ColumnType.integer, value: Number };
export const double: Conversion = { type: ColumnType.double, value: (text) => carried(Number(text)) };
export const string: Conversion = { type: ColumnType.string, value: (text) => text };
export const boolean: Conversion = { type: ColumnType.boolean, value: (text) => text === "true" };
export const date: Conversion = { type: ColumnType.date, value: (text) => text };

/** How a service describes a column of a result. */
export interface Described {
  readonly name: string;
  /** As `conversions` name it. */
  readonly type: string;
}

/** @throws Error when a type is none that a table may have, or a value can't be told. */
export function typed(
  columns: readonly Described[],
  texts: readonly (readonly (string | null)[])[],
  conversions: Readonly<Record<string, Conversion>>,
): ResultColumn[] {
  return columns.map(({ name, type }, i) => {
    const conversion = conversions[type];
    if (!conversion) {
      throw new Error(`column ${name} has type ${type}; cast it to one of ${Object.keys(ColumnType).join(", ")}`);
    }
    const values = (texts[i] ?? []).map((text) => (text === null ? null : conversion.value(text)));
    return { name, type: conversion.type, values };
  });
}
