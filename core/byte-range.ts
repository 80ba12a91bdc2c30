/** From `start` to before `end`, in bytes. */
export type ByteRange = { readonly start: number; readonly end: number };

const ONE_RANGE = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i;

/**
 * What a Range field asks of something with so many bytes (RFC 9110, 14.1.2). null: all of it; a field that asks for several ranges, or for
 * nothing that is known, is passed over, as the standard allows. `unsatisfiable`: there are no such bytes.
 */
export function rangeOf(field: string | undefined, bytes: number): ByteRange | 'unsatisfiable' | null {
  const [, first = '', last = ''] = ONE_RANGE.exec(field ?? '') ?? [];
  if (first === '' && last === '') return null;
  if (first === '') {
    const start = Math.max(0, bytes - Number(last));
    return start < bytes ? { start, end: bytes } : 'unsatisfiable';
  }
  if (last !== '' && Number(last) < Number(first)) return null;
  if (Number(first) >= bytes) return 'unsatisfiable';
  return { start: Number(first), end: last === '' ? bytes : Math.min(Number(last) + 1, bytes) };
}
