/** Every row of a table by its key, a page at a time. */
export async function* pages<T>(
  size: number,
  keyOf: (row: T) => string,
  read: (after: string, most: number) => Promise<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  let after = '';
  for (;;) {
    const rows = await read(after, size);
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < size) return;
    after = keyOf(last);
  }
}
