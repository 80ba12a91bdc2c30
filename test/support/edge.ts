import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { systemClock } from '../../agent/adapters/clock.ts';
import { linesOf } from '../../agent/adapters/docker-stream.ts';
import { type EdgeDoor, edgeDoor } from '../../agent/edge/door.ts';
import type { ContainerRun } from '../../agent/ports.ts';
import { openService } from '../../agent/service.ts';
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

const MAIN = join(import.meta.dirname, '../../workloads/edge/main.mjs');

/** The edge workload as a process of its own, without a container around it, over a folder that outlives it. */
export function edgeProcess(folder: string) {
  const child = spawn(process.execPath, [MAIN], { env: { EDGE_FOLDER: folder }, stdio: 'pipe' });
  const { stdin, stdout, stderr } = child;
  stdin.on('error', () => undefined);
  const exited = once(child, 'exit').then(([code]) => ({ code: Number(code ?? 137), outOfMemory: false }));
  const run: ContainerRun = {
    containerId: 'edge',
    async write(chunk) {
      if (!stdin.write(chunk)) await Promise.race([once(stdin, 'drain'), exited]);
    },
    shut: () => void stdin.end(),
    stdout,
    stderr: linesOf(stderr),
    exited,
  };
  const service = openService(run, { clock: systemClock });
  const door: EdgeDoor = edgeDoor(service);
  return {
    door,
    /** In good order: its input ends. */
    async close() {
      service.close();
      await exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
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
