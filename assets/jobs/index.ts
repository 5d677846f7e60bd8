/** The jobs that come with the package. */
export { type FailuresArgs, failures } from "./failures/index.ts";
export { type LondonPowerArgs, londonPower } from "./london-power/index.ts";
export { type NidsArgs, nids } from "./nids/index.ts";
export { type ScoreArgs, scoreStep, scores } from "./nids/score.ts";
export { type StreamingRegressionArgs, streamingRegression } from "./streaming-regression/index.ts";
export { type KibanaArgs, type KibanaObject, kibanaObjects, ndjson } from "./streaming-regression/kibana/index.ts";
export { type ProduceArgs, produceOptions } from "./streaming-regression/produce.ts";
export { type XoArgs, xo } from "./xo/index.ts";
