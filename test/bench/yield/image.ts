import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CatalogueEntry, workloadManifest } from '../../../core/catalogue.ts';
import { buildImage } from '../../support/build-image.ts';
import { doorEntry } from '../../support/transcode.ts';

const folder = join(import.meta.dirname, '../spinner');

/** Builds the spinner's image as a workload's is built; answers the entries of a catalogue with it, once per lane. */
export async function spinnerEntries(): Promise<readonly CatalogueEntry[]> {
  const image = await buildImage(folder, 'idlemesh/bench-spinner:0.1.0');
  const manifest = workloadManifest.parse(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')));
  const entry = { ...manifest, image, pull: null };
  return [await doorEntry(), entry, { ...entry, id: 'spinner-gpu', lane: 'gpu' }];
}
