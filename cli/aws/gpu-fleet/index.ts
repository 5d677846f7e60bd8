export { attach } from "./cluster.ts";
export { fleetOf } from "./fleet.ts";
export { part } from "./part.ts";
