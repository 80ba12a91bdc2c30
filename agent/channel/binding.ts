import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { type Address, type Hex32, signature } from '../../core/primitives.ts';
import type { Struct } from '../../core/typed-data.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import { isSignedBy } from '../signatures.ts';

/** Application protocol of a channel (RFC 7301). */
export const PROTOCOL = 'idlemesh/1';
export const HELLO_PATH = '/v1/hello';

/** What each end says of itself, in the body of the hello and of its answer. */
export const hello = z.strictObject({ channelId: z.string(), signature });

/** Of this TLS connection and no other, alike at both ends (RFC 9266, `tls-exporter`). */
export const exporterOf = (tls: TLSSocket): Hex32 =>
  `0x${tls.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)).toString('hex')}`;

type Binding = Struct<'ChannelBinding'>;
type Sign = (name: 'ChannelBinding', value: Binding) => Promise<`0x${string}`>;

export async function bind(sign: Sign, value: Binding): Promise<z.input<typeof hello>> {
  return { channelId: value.channelId, signature: await sign('ChannelBinding', value) };
}

/** Throws UNAUTHORISED: somebody else is at the other end, or between the two. */
export function requireBound(network: NetworkInfo, text: string, value: Binding): void {
  let said: z.output<typeof hello> | null = null;
  try {
    said = hello.parse(JSON.parse(text));
  } catch {
    // Whatever it is, it is no hello.
  }
  if (said === null || said.channelId !== value.channelId) fail('UNAUTHORISED', 'the hello is of another channel');
  else if (!isSignedBy(network, value.holder, 'ChannelBinding', value, said.signature)) {
    fail('UNAUTHORISED', `whoever is at the other end of the channel is not ${value.holder}`);
  }
}

export const bindingOf = (channelId: Hex32, role: Binding['role'], holder: Address, tls: TLSSocket): Binding => ({
  channelId,
  role,
  holder: holder.toLowerCase() as Address,
  exporter: exporterOf(tls),
});
