import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { baseImage, inspectImage, refusal, streamError } from '../../../scripts/lib/base-image.mjs';
import { answeringEngine, callEngine } from '../../../scripts/lib/engine.mjs';
import { tarFolder } from '../../../scripts/lib/tar.mjs';

const TAG = 'idlemesh/bench-spinner:0.1.0';
const folder = join(import.meta.dirname, '../spinner');

/** Builds the spinner's image as a workload's is built; answers a catalogue with it, once per lane. */
export async function spinnerCatalogue(): Promise<string> {
  const place = await answeringEngine();
  if (place === undefined) throw new Error('no engine answers');
  await baseImage(place);
  const query = new URLSearchParams({ t: TAG, forcerm: '1', version: '1' });
  const call = { body: tarFolder(folder), timeoutMs: 120_000 };
  const { status, text } = await callEngine(place, 'POST', `/build?${query}`, call);
  const error = streamError(text) ?? (status === 200 ? undefined : refusal(text));
  const image = await inspectImage(place, TAG);
  if (error !== undefined || image === undefined) throw new Error(`the spinner was not built: ${error ?? text}`);
  const manifest: object = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'));
  const entries = [
    { ...manifest, image: image.Id },
    { ...manifest, id: 'spinner-gpu', lane: 'gpu', image: image.Id },
  ];
  return JSON.stringify({ version: 1, entries });
}
