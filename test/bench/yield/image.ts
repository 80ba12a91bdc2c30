import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildImage } from '../../support/build-image.ts';
import { doorEntry } from '../../support/transcode.ts';

const folder = join(import.meta.dirname, '../spinner');

/** Builds the spinner's image as a workload's is built; answers a catalogue with it, once per lane. */
export async function spinnerCatalogue(): Promise<string> {
  const image = await buildImage(folder, 'idlemesh/bench-spinner:0.1.0');
  const manifest: object = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'));
  const entries = [await doorEntry(), { ...manifest, image }, { ...manifest, id: 'spinner-gpu', lane: 'gpu', image }];
  return JSON.stringify({ version: 1, entries });
}
