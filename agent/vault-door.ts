import { z } from 'zod';
import { type ErrorCode, Failure, fail } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { Service, ServiceAnswer } from './service.ts';

const LIST_PAGE = 1_000;
/** One line of a list names a shard in less. */
const LINE_BYTES = 128;
const SMALL_BYTES = 8 * 1024;
const ANSWER_BYTES = 32;

const usage = z.object({
  usedBytes: z.number().int().nonnegative(),
  quotaBytes: z.number().int().nonnegative(),
  shards: z.number().int().nonnegative(),
  corrupt: z.number().int().nonnegative(),
});
export type VaultUsage = z.output<typeof usage>;
const listed = z.array(z.object({ hash: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.number().int().positive() }));

export type ShardRef = { readonly hash: Hex32; readonly bytes: number };
export type AuditQuestion = {
  /** In their order. */
  readonly shards: readonly ShardRef[];
  readonly seed: Hex32;
  readonly blocks: number;
  readonly blockBytes: number;
};

/** The vault workload behind its door. Every call throws WORKLOAD_FAILED when the vault is over, TIMEOUT and CANCELLED. */
export type VaultDoor = {
  /** When it resolves the shard is on disk. Throws DISK_FULL (beyond the quota) and BAD_INPUT (not the bytes of that name). */
  readonly put: (shard: ShardRef, body: AsyncIterable<Uint8Array>, signal?: AbortSignal) => Promise<void>;
  /** Throws NOT_FOUND. */
  readonly get: (shard: ShardRef, signal?: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
  /** Gone already is success. */
  readonly remove: (hash: Hex32) => Promise<void>;
  readonly list: () => Promise<readonly ShardRef[]>;
  readonly usage: () => Promise<VaultUsage>;
  /** 32 bytes, as hex. Throws NOT_FOUND when something of it is missing. */
  readonly audit: (question: AuditQuestion) => Promise<Hex32>;
  /** Below what is used nothing is lost, and nothing more comes in. */
  readonly resize: (quotaBytes: number) => Promise<VaultUsage>;
};

const CODES: Readonly<Record<number, ErrorCode>> = {
  ...{ 400: 'BAD_INPUT', 404: 'NOT_FOUND', 413: 'BAD_INPUT', 416: 'BAD_INPUT', 422: 'BAD_INPUT', 507: 'DISK_FULL' },
};
const nameOf = (hash: Hex32): string => hash.slice(2);

export function vaultDoor(service: Pick<Service, 'request'>): VaultDoor {
  async function ask(
    method: string,
    path: string,
    more: Omit<Parameters<Service['request']>[0], 'method' | 'path' | 'maxAnswerBytes'> & {
      readonly most?: number;
    } = {},
  ): Promise<ServiceAnswer> {
    const { most = SMALL_BYTES, ...rest } = more;
    const answer = await service.request({ method, path, maxAnswerBytes: most, ...rest });
    if (answer.status < 400) return answer;
    const said = (await bytesOf(answer.body)).toString('utf8').slice(0, 200);
    throw new Failure(CODES[answer.status] ?? 'WORKLOAD_FAILED', `the vault says: ${said}`, { status: answer.status });
  }
  const read = async <T extends z.ZodType>(schema: T, answer: ServiceAnswer): Promise<z.output<T>> => {
    const said = schema.safeParse(JSON.parse((await bytesOf(answer.body)).toString('utf8')));
    return said.success ? said.data : fail('WORKLOAD_FAILED', 'the vault said what no vault says');
  };
  const done = async (answer: ServiceAnswer): Promise<void> => void (await bytesOf(answer.body));

  return {
    async put({ hash, bytes }, body, signal) {
      const headers = { bytes: String(bytes) };
      const asked = { headers, body, ...(signal === undefined ? {} : { signal }) };
      await done(await ask('PUT', `/shards/${nameOf(hash)}`, asked));
    },
    async get({ hash, bytes }, signal) {
      const most = bytes + SMALL_BYTES;
      return (await ask('GET', `/shards/${nameOf(hash)}`, { most, ...(signal === undefined ? {} : { signal }) })).body;
    },
    remove: async (hash) => done(await ask('DELETE', `/shards/${nameOf(hash)}`)),
    async list() {
      const all: ShardRef[] = [];
      for (let after = ''; ; ) {
        const path = after === '' ? '/shards' : `/after/${after}`;
        const page = await read(listed, await ask('GET', path, { most: LIST_PAGE * LINE_BYTES }));
        all.push(...page.map(({ hash, bytes }): ShardRef => ({ hash: `0x${hash}`, bytes })));
        const last = page.at(-1);
        if (page.length < LIST_PAGE || last === undefined) return all;
        after = last.hash;
      }
    },
    usage: async () => read(usage, await ask('GET', '/usage')),
    async audit({ shards, seed, blocks, blockBytes }) {
      const names = shards.map(({ hash, bytes }) => ({ hash: nameOf(hash), bytes }));
      const answer = await ask('POST', '/audit', { body: once({ shards: names, seed, blocks, blockBytes }) });
      const said = await bytesOf(answer.body);
      if (said.length !== ANSWER_BYTES) fail('WORKLOAD_FAILED', 'the vault answered an audit with something else');
      return `0x${said.toString('hex')}`;
    },
    resize: async (quotaBytes) => read(usage, await ask('PUT', '/quota', { body: once({ quotaBytes }) })),
  };
}

async function* once(value: unknown): AsyncGenerator<Uint8Array> {
  yield Buffer.from(JSON.stringify(value));
}

async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}
