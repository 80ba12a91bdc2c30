import { parentPort, workerData } from 'node:worker_threads';
import { fastKeccak } from '../../../coordinator/keccak.ts';
import { CHANGES, changed, ethersVerdict, newKey, ownVerdict, validMessage } from './messages.ts';

/** Compares our verdict with ethers' on so many messages, every other one changed, and tells where they differ. */
export type Compared = {
  readonly messages: number;
  readonly differing: readonly string[];
  /** Of each kind: how many, and how many of them name a signer. */
  readonly kinds: Readonly<Record<string, readonly [number, number]>>;
};

const count = Number(workerData);
const keccak = await fastKeccak();
const names = Object.keys(CHANGES);
const kinds: Record<string, [number, number]> = {};
const differing: string[] = [];
let key = newKey();
for (let at = 0; at < count; at++) {
  if (at % 100 === 0) key = newKey();
  const message = at % 2 === 0 ? validMessage(key) : changed(names[(at >> 1) % names.length] ?? '', key);
  const [mine, theirs] = [ownVerdict(message, keccak), ethersVerdict(message)];
  if (mine !== theirs) differing.push(`${message.kind}: ${mine} and not ${theirs}, of ${message.signature}`);
  if (message.kind === 'valid' && theirs !== key.address) differing.push('a valid message is nobody’s');
  const seen = kinds[message.kind] ?? [0, 0];
  kinds[message.kind] = seen;
  seen[0] += 1;
  if (theirs !== null) seen[1] += 1;
}
const compared: Compared = { messages: count, differing, kinds };
parentPort?.postMessage(compared);
