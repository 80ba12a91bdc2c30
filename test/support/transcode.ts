import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type CatalogueEntry, workloadManifest } from '../../core/catalogue.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

const idOf = async (tag: string): Promise<string> =>
  (await run('docker', ['image', 'inspect', '-f', '{{.Id}}', tag])).stdout.trim();

/** A folder of workloads bound to the image that is built of it on this machine. */
export async function workload(name: string): Promise<CatalogueEntry> {
  const text = await readFile(join(root, 'workloads', name, 'manifest.json'), 'utf8');
  const manifest = workloadManifest.parse(JSON.parse(text));
  return { ...manifest, image: await idOf(`idlemesh/${name}:${manifest.version}`), pull: null };
}

export const transcodeWorkload = () => workload('transcode');

/** The supervisor that ends work with its agent, as a catalogue lists it. */
export const doorEntry = () => workload('door');
export const doorImage = async (): Promise<string> => (await doorEntry()).image;

export const seccompProfile = (): Promise<string> => readFile(join(root, 'resources/seccomp.json'), 'utf8');

/** A test picture with a tone, as a file that ffmpeg makes. */
export async function makeClip(path: string, seconds: number, size = '640x360'): Promise<void> {
  await run('ffmpeg', [
    ...['-loglevel', 'error', '-y', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25:duration=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac', path],
  ]);
}

/** A clip as a recorder that pipes leaves it: its file does not say how long it is. */
export async function makePipedClip(seconds: number): Promise<Buffer> {
  const { stdout } = await run(
    'ffmpeg',
    [
      ...['-loglevel', 'error', '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${seconds}`],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-f', 'matroska', 'pipe:1'],
    ],
    { encoding: 'buffer', maxBuffer: 64 * 2 ** 20 },
  );
  return stdout;
}

/** Codec names and height of a media file, as ffprobe reads them. */
export async function probe(path: string): Promise<{ codecs: readonly string[]; height: number; seconds: number }> {
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', '-of', 'json', '-show_entries', 'stream=codec_name,height:format=duration', path],
  ]);
  const read = JSON.parse(stdout) as {
    readonly streams: readonly { readonly codec_name: string; readonly height?: number }[];
    readonly format: { readonly duration: string };
  };
  return {
    codecs: read.streams.map((stream) => stream.codec_name),
    height: read.streams.find((stream) => stream.height !== undefined)?.height ?? 0,
    seconds: Number(read.format.duration),
  };
}
