import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { type Hex32, hex32 } from '../../core/primitives.ts';
import type { KeptShard } from '../../core/storage-terms.ts';
import { SHAPE_RULE } from '../../core/stored-file.ts';
import { keptShard } from '../../core/wire-storage.ts';
import type { ChannelRequest, ChannelRoute } from '../channel/routes.ts';
import type { Agreements, Asker } from './agreements.ts';

/** A list of as many shards as a place may have, as JSON. */
const MOST_LIST_BYTES = SHAPE_RULE.mostGroups * 128;
const MOST_SHARD_BYTES = 8 * 1024 * 1024;
const listed = z.strictObject({ shards: z.array(keptShard).min(1).max(SHAPE_RULE.mostGroups) });

/** What is answered over channels of the purpose `storage`. Names are hashes, and what is behind them is encrypted: there is nothing else here to ask for. */
export function storageRoutes(agreements: Agreements): readonly ChannelRoute[] {
  return [
    {
      method: 'PUT',
      path: '/v1/shards/:hash',
      async handle(request) {
        const bytes = Number(request.headers['content-length']);
        if (!Number.isSafeInteger(bytes) || bytes <= 0 || bytes > MOST_SHARD_BYTES) {
          fail('BAD_INPUT', `say how long the shard is: content-length, up to ${MOST_SHARD_BYTES}`);
        }
        const shard = { hash: nameOf(request.params['hash']), bytes };
        await agreements.put(askerOf(request), shard, request.body, request.signal);
        return { status: 201 };
      },
    },
    {
      method: 'GET',
      path: '/v1/shards/:hash',
      async handle(request) {
        const body = await agreements.get(askerOf(request), nameOf(request.params['hash']), request.signal);
        return { status: 200, body };
      },
    },
    {
      method: 'POST',
      path: '/v1/agreements/:id/seal',
      async handle(request) {
        const asker = { consumer: request.consumer, agreementId: nameOf(request.params['id']) };
        const shards = shardsIn(await textOf(request.body));
        return { status: 200, body: Buffer.from(JSON.stringify(await agreements.seal(asker, shards))) };
      },
    },
  ];
}

function nameOf(text: string | undefined): Hex32 {
  const name = hex32.safeParse(text);
  return name.success ? name.data : fail('BAD_INPUT', 'shards and agreements are named by 32 bytes in hex');
}

const askerOf = ({ consumer, headers }: ChannelRequest): Asker => ({
  consumer,
  agreementId: nameOf(headers['idlemesh-agreement']),
});

function shardsIn(text: string): readonly KeptShard[] {
  try {
    return listed.parse(JSON.parse(text)).shards;
  } catch (error) {
    return fail('BAD_INPUT', 'that is no list of shards', {}, error);
  }
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > MOST_LIST_BYTES) fail('BAD_INPUT', 'that is longer than any list of shards');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
