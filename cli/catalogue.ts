import { readFile } from 'node:fs/promises';
import { type Catalogue, catalogue } from '../core/catalogue.ts';
import { fail } from '../core/errors.ts';

/** Reads and checks a catalogue file. Throws NOT_FOUND or BAD_INPUT naming the file. */
export async function loadCatalogue(path: string): Promise<Catalogue> {
  const text = await readFile(path, 'utf8').catch((error: unknown) =>
    fail('NOT_FOUND', `no catalogue at ${path}; run npm start once, it builds the workload images`, { path }, error),
  );
  try {
    return catalogue.parse(JSON.parse(text));
  } catch (error) {
    return fail('BAD_INPUT', `the catalogue ${path} is not valid`, { path }, error);
  }
}
