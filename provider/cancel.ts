const controller = new AbortController();

/** Aborted when the user breaks off what the engine is doing (Ctrl-C): what waits may end now, with what it has. */
export const cancelled: AbortSignal = controller.signal;

/** What the engine asks a provider for then; the process ends soon after. */
export async function cancel(): Promise<void> {
  controller.abort();
}
