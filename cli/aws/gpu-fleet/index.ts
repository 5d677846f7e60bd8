export { attach } from "./cluster.ts";
export { fleetOf } from "./fleet.ts";
