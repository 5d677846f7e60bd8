/** In one call; when that fails one by one, so that one that can't be ended doesn't keep the others alive. */
export async function inBatches<T extends { readonly id: string }>(
  all: readonly T[],
  size: number,
  end: (ids: string[]) => Promise<unknown>,
): Promise<readonly { readonly one: T; readonly error?: unknown }[]> {
  const attempt = async (some: readonly T[]): Promise<readonly { one: T; error?: unknown }[]> => {
    try {
      await end(some.map(({ id }) => id));
      return some.map((one) => ({ one }));
    } catch (error) {
      if (some.length > 1) return (await Promise.all(some.map((one) => attempt([one])))).flat();
      return some.map((one) => ({ one, error }));
    }
  };
  const done: { one: T; error?: unknown }[] = [];
  for (let at = 0; at < all.length; at += size) done.push(...(await attempt(all.slice(at, at + size))));
  return done;
}
