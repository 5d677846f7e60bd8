/** Tables that jobs have in common which train networks: what networks.py and networks_onnx.py leave. */
import type { Table } from "../../core/table.ts";

/** @param about what is detected, among what. */
export const roc = (about: string): Table => ({
  name: "roc",
  about,
  columns: [
    { name: "model", type: "string" },
    { name: "false_alarms", type: "double" },
    { name: "detected", type: "double" },
  ],
});

/** @param examples what networks look at: flows. */
export const curves = (examples: string): Table => ({
  name: "curves",
  about: `What a network has yet to learn after so many looks at all ${examples}`,
  columns: [
    { name: "model", type: "string" },
    { name: "epoch", type: "integer" },
    { name: "training_loss", type: "double" },
    { name: "held_out_loss", type: "double" },
  ],
});

export const networks = (): Table => ({
  name: "networks",
  about: "A trained network as an ONNX file, with what goes into it, what has to come out, and whose terms it is under",
  columns: [
    { name: "model", type: "string" },
    // The file, in base64.
    { name: "onnx", type: "string" },
    { name: "sha256", type: "string" },
    { name: "onnx_bytes", type: "integer", unit: "B" },
    // JSON.
    { name: "input_schema", type: "string" },
    { name: "golden", type: "string" },
    // A score above it is an alarm: at 1 % false alarms on what is held out.
    { name: "threshold", type: "double" },
    { name: "licence", type: "string" },
    // How far ONNX Runtime was off the framework at most.
    { name: "off", type: "double", measured: true },
    { name: "seconds", type: "double", unit: "s", measured: true },
  ],
});
