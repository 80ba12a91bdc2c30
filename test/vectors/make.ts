import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { TypedDataEncoder } from 'ethers';
import { keccakText } from '../../core/keccak.ts';
import { type Address, type Hex32, ZERO_HASH } from '../../core/primitives.ts';
import {
  clawedHash,
  domainOf,
  fieldsOf,
  itemsHash,
  outcomesHash,
  paramsHash,
  type Struct,
  type StructName,
} from '../../core/typed-data.ts';
import { encodeWire } from '../../core/wire.ts';

/**
 * Writes the golden vectors: `node test/vectors/make.ts`. Digests come from ethers and trees from OpenZeppelin's own library,
 * never from the code that is tested with them. A change of a shipped vector is a change of the protocol.
 */
const account = (digit: string): Address => `0x${digit.repeat(40)}`;
const hash = (text: string): Hex32 => keccakText(text);
const domain = domainOf(31337, account('d'));

const values: { readonly [N in StructName]: Struct<N> } = {
  Enrollment: { owner: account('a'), device: account('b'), issuedAt: 1_700_000_000_000, expiresAt: 1_800_000_000_000 },
  Session: { device: account('b'), networkId: hash('network'), nonce: hash('nonce'), issuedAt: 1_700_000_000_001 },
  Access: { account: account('c'), networkId: hash('network'), issuedAt: 1_700_000_000_002 },
  JobOrder: {
    consumer: account('c'),
    workload: 'transcode',
    paramsHash: paramsHash({ height: '720', codec: 'h264' }),
    inputHash: hash('input'),
    inputBytes: 123_456_789,
    maxPrice: 1_500_000_000_000_000_000n,
    nonce: hash('order'),
    expiresAt: 1_700_000_600_000,
  },
  Result: {
    leaseId: hash('lease'),
    device: account('b'),
    outputHash: hash('output'),
    outputBytes: 9_876,
    startedAt: 1_700_000_000_003,
    finishedAt: 1_700_000_010_003,
  },
  Results: { device: account('b'), resultsHash: hash('results'), resultCount: 20 },
  Report: {
    owner: account('a'),
    device: account('b'),
    sequence: 1,
    previous: ZERO_HASH,
    periodStart: 1_700_000_000_000,
    periodEnd: 1_700_000_060_000,
    itemsHash: itemsHash([{ leaseId: hash('lease'), outputHash: hash('output'), amount: 2n ** 200n + 1n }]),
    itemCount: 1,
    total: 2n ** 200n + 1n,
  },
  Receipt: {
    reportHash: hash('report'),
    owner: account('a'),
    device: account('b'),
    sequence: 1,
    outcomesHash: outcomesHash([
      { leaseId: hash('lease'), kind: 'credited', amount: 7n },
      { leaseId: hash('other'), kind: 'refused', reason: 'not-verified' },
    ]),
    credited: 7n,
    cumulative: 99n,
    issuedAt: 1_700_000_060_001,
  },
  ClawBack: {
    owner: account('a'),
    itemsHash: clawedHash([{ leaseId: hash('lease'), amount: 7n }]),
    itemCount: 1,
    total: 7n,
    why: 'another result of the device was false',
    issuedAt: 1_700_000_060_002,
  },
  Claim: { owner: account('a'), recipient: account('e'), amount: 99n, fee: 1n, deadline: 1_700_003_600 },
  AdminAction: {
    ...{ admin: account('f'), networkId: hash('network'), action: 'disable', subject: 'transcode@1.0.0' },
    ...{ why: 'it fails on some cards', issuedAt: 1_700_000_060_003 },
  },
  ChannelBinding: { channelId: hash('channel'), role: 'consumer', holder: account('c'), exporter: hash('exporter') },
  TransferReceipt: {
    ...{ session: hash('session'), consumer: account('e'), device: account('a'), content: hash('content') },
    ...{ bytes: 4_194_304, price: 5_000_000_000n, issuedAt: 1_700_000_000_000 },
  },
  Kept: {
    agreementId: hash('agreement'),
    device: account('e'),
    shardsHash: hash('shards'),
    bytes: 268_435_456,
    issuedAt: 1_700_000_700_000,
  },
  Grant: { content: hash('content'), publisher: account('c'), reader: account('d'), expiresAt: 1_700_000_600_000 },
};

const names = Object.keys(values) as readonly StructName[];
const typedData = names.map((name) => ({
  name,
  value: values[name],
  structHash: TypedDataEncoder.hashStruct(name, fieldsOf(name), values[name]),
  digest: TypedDataEncoder.hash(domain, fieldsOf(name), values[name]),
}));

const trees = [1, 2, 3, 7, 64].map((size) => {
  const leaves = Array.from({ length: size }, (_, i): [string, bigint] => [
    `0x${hash(`owner ${i}`).slice(26)}`,
    BigInt(i) ** 12n + 1n,
  ]);
  const tree = StandardMerkleTree.of(leaves, ['address', 'uint256']);
  return {
    root: tree.root,
    leaves: leaves.map(([owner, cumulative], i) => ({
      owner,
      cumulative,
      leaf: tree.leafHash(leaves[i] ?? ['', 0n]),
      proof: tree.getProof(i),
    })),
  };
});

/** Audits, by the letter of docs/decisions/0030. The data's byte at i is the highest of i × 0x9e3779b1 in 32 bits. */
const digest = (...parts: readonly Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const audits = [1, 1024, 5000, 512 * 1024, 512 * 1024 + 1, 2_097_452, 2 ** 40].map((totalBytes) => {
  const seed = digest(Buffer.from(`seed ${totalBytes}`));
  const [blocks, blockBytes] = [512, 1024];
  const count = Math.ceil(totalBytes / blockBytes);
  const drawn: number[] = [];
  for (let turn = 0; drawn.length < Math.min(blocks, count); turn++) {
    const number = Buffer.from(turn.toString(16).padStart(8, '0'), 'hex');
    const candidate = Number(BigInt(`0x${digest(seed, number).toString('hex').slice(0, 16)}`) % BigInt(count));
    if (!drawn.includes(candidate)) drawn.push(candidate);
  }
  const positions = drawn.toSorted((a, b) => a - b);
  const bytes = positions.flatMap((block) =>
    Array.from({ length: Math.min(blockBytes, totalBytes - block * blockBytes) }, (_, at) =>
      totalBytes > 2 ** 31 ? 0 : Math.imul(block * blockBytes + at, 0x9e3779b1) >>> 24,
    ),
  );
  const answer = totalBytes > 2 ** 31 ? null : `0x${digest(seed, Uint8Array.from(bytes)).toString('hex')}`;
  return { seed: `0x${seed.toString('hex')}`, totalBytes, blocks, blockBytes, positions, answer };
});
await writeFile(
  join(import.meta.dirname, 'audit.json'),
  `${audits.map((audit, at) => `${at === 0 ? '[' : ' '}${JSON.stringify(audit)}`).join(',\n')}]\n`,
);

await writeFile(
  join(import.meta.dirname, 'vectors.json'),
  `${JSON.stringify(JSON.parse(encodeWire({ domain, typedData, trees })), null, 1)}\n`,
);
