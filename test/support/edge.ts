import { type EdgeDoor, edgeDoor } from '../../agent/edge/door.ts';
import {
  CHUNK_BYTES,
  type ContentFile,
  contentName,
  encodeManifest,
  type Manifest,
  parseManifest,
} from '../../core/content.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import { sha256 } from './device.ts';
import { serviceProcess } from './service-process.ts';

/** The edge workload as a process of its own, over a folder that outlives it. */
export function edgeProcess(folder: string) {
  const { service, close, kill } = serviceProcess('edge', { EDGE_FOLDER: folder });
  const door: EdgeDoor = edgeDoor(service);
  return { door, close, kill };
}
export type EdgeProcess = ReturnType<typeof edgeProcess>;

export type TestContent = {
  readonly content: Hex32;
  readonly manifest: Uint8Array;
  readonly listed: Manifest;
  readonly chunks: ReadonlyMap<Hex32, Uint8Array>;
};

/** Files of a publisher, as they are published. */
export function contentOf(publisher: Address, files: Readonly<Record<string, Uint8Array>>): TestContent {
  const chunks = new Map<Hex32, Uint8Array>();
  const listed = Object.entries(files).map(([path, data]): ContentFile => {
    const hashes: Hex32[] = [];
    for (let at = 0; at < data.length; at += CHUNK_BYTES) {
      const chunk = data.subarray(at, at + CHUNK_BYTES);
      const hash = sha256(chunk);
      chunks.set(hash, chunk);
      hashes.push(hash);
    }
    return { path, bytes: data.length, chunks: hashes };
  });
  const manifest = encodeManifest(publisher, listed);
  return {
    content: contentName(manifest),
    manifest,
    listed: parseManifest(new TextDecoder().decode(manifest)),
    chunks,
  };
}

export async function* inOne(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data;
}

export async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

/** Puts a whole content through the door of an edge. */
export async function fill(door: EdgeDoor, { content, manifest, listed, chunks }: TestContent): Promise<void> {
  const { publisher } = listed;
  await door.put({ hash: content, content, publisher }, manifest.length, inOne(manifest));
  for (const [hash, data] of chunks) await door.put({ hash, content, publisher }, data.length, inOne(data));
}
