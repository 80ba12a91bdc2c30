import { z } from 'zod';
import { CHUNK_BYTES, MOST_MANIFEST_BYTES } from '../../core/content.ts';
import { type ErrorCode, Failure, fail } from '../../core/errors.ts';
import { type Address, byteCount, type Hex32 } from '../../core/primitives.ts';
import type { Service, ServiceRequest } from '../service.ts';

const SMALL_BYTES = 8 * 1024;
/** A manifest with nothing but hashes, said once more. */
const LIST_BYTES = 2 * MOST_MANIFEST_BYTES;
/** What a person is told of a refusal. */
const SAID_CHARACTERS = 200;

const usage = z.object({
  usedBytes: byteCount,
  budgetBytes: byteCount,
  chunks: byteCount,
  /** Since it was started: what gave way to others, and what had rotted. */
  evicted: byteCount,
  corrupt: byteCount,
});
export type EdgeUsage = z.output<typeof usage>;
const missing = z.object({ missing: z.array(z.string().regex(/^[0-9a-f]{64}$/)) });

/** A chunk, or the manifest that a content is named by, as part of the content of a publisher. */
export type ChunkOf = { readonly hash: Hex32; readonly content: Hex32; readonly publisher: Address };

/**
 * The edge workload behind its door. It alone reads manifests, which come from strangers, and judges which chunks are of which content, and whose that
 * is: REFUSED. Every call throws WORKLOAD_FAILED when it is over, TIMEOUT and CANCELLED.
 */
export type EdgeDoor = {
  /** When it resolves the chunk is on disk. Throws BAD_INPUT (not the bytes of that name) and DISK_FULL. Answers whether it is new. */
  readonly put: (
    chunk: ChunkOf,
    bytes: number,
    body: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ) => Promise<boolean>;
  /** Counts as being asked for. Its last piece only comes when all of it is what its name says. Throws NOT_FOUND. */
  readonly get: (
    chunk: ChunkOf,
    signal?: AbortSignal,
  ) => Promise<{ readonly bytes: number; readonly body: AsyncIterable<Uint8Array> }>;
  /** Chunks of a content that are not here. Throws NOT_FOUND without its manifest. */
  readonly missing: (content: Hex32, publisher: Address) => Promise<readonly Hex32[]>;
  /** Gone already is success. */
  readonly remove: (hash: Hex32) => Promise<void>;
  readonly usage: () => Promise<EdgeUsage>;
  /** What is beyond it goes at once, the least popular first. */
  readonly resize: (budgetBytes: number) => Promise<EdgeUsage>;
};

const CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [400, 'BAD_INPUT'],
  [403, 'REFUSED'],
  [404, 'NOT_FOUND'],
  [413, 'BAD_INPUT'],
  [422, 'BAD_INPUT'],
  [507, 'DISK_FULL'],
]);

export function edgeDoor(service: Pick<Service, 'request'>): EdgeDoor {
  async function ask(wanted: Omit<ServiceRequest, 'maxAnswerBytes'>, maxAnswerBytes = SMALL_BYTES) {
    const answer = await service.request({ ...wanted, maxAnswerBytes });
    const code = CODES.get(answer.status) ?? 'WORKLOAD_FAILED';
    if (answer.status < 300) return answer;
    const said = (await textOf(answer.body)).slice(0, SAID_CHARACTERS);
    throw new Failure(code, `the edge says: ${said}`, { status: answer.status });
  }
  const told = async <T>(
    schema: z.ZodType<T>,
    method: string,
    path: string,
    headers = {},
    most = SMALL_BYTES,
  ): Promise<T> => {
    const answer = await ask({ method, path, headers }, most);
    return schema.parse(JSON.parse(await textOf(answer.body)));
  };
  const path = ({ hash }: Pick<ChunkOf, 'hash'>): string => `/chunks/${hash.slice(2)}`;
  const about = ({ content, publisher }: ChunkOf) => ({
    content: content.slice(2),
    publisher: publisher.toLowerCase(),
  });

  return {
    async put(chunk, bytes, body, signal) {
      // Not `content-length`: a body of another length would be a breach of HTTP/2, and end the service.
      const headers = { ...about(chunk), bytes: String(bytes) };
      const asked = { method: 'PUT', path: path(chunk), headers, body, ...(signal === undefined ? {} : { signal }) };
      const answer = await ask(asked);
      await textOf(answer.body);
      return answer.status === 201;
    },
    async get(chunk, signal) {
      const asked = {
        method: 'GET',
        path: path(chunk),
        headers: about(chunk),
        ...(signal === undefined ? {} : { signal }),
      };
      const most = chunk.hash === chunk.content ? MOST_MANIFEST_BYTES : CHUNK_BYTES;
      const { headers, body } = await ask(asked, most + SMALL_BYTES);
      const bytes = Number(headers['content-length']);
      if (Number.isSafeInteger(bytes) && bytes > 0 && bytes <= most) return { bytes, body };
      await body[Symbol.asyncIterator]().return?.();
      return fail('WORKLOAD_FAILED', 'the edge gave a chunk of no sensible length');
    },
    async missing(content, publisher) {
      const { missing: names } = await told(missing, 'GET', `/missing/${content.slice(2)}`, { publisher }, LIST_BYTES);
      return names.map((name): Hex32 => `0x${name}`);
    },
    async remove(hash) {
      await textOf((await ask({ method: 'DELETE', path: path({ hash }) })).body);
    },
    usage: () => told(usage, 'GET', '/usage'),
    resize: (budgetBytes) => told(usage, 'PUT', `/budget/${budgetBytes}`),
  };
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const part of body) text += decoder.decode(part, { stream: true });
  return text + decoder.decode();
}
