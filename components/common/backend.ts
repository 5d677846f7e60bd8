/** Whether a backend's address is that of a project's own folder. */
export const isLocalBackend = (url: string | undefined): boolean => url?.endsWith("/.oneoff/state") ?? false;
