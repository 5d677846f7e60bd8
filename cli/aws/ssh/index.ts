/** Apart from the rest of the platform, as each connection of ssh loads it. */
export { carrySsh } from "../session.ts";
