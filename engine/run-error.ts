/** Stands in for Pulumi's class of this name where there is no Pulumi: in the bundles. */
export class RunError extends Error {}
