import { structHash, typedDigest } from './eip712.ts';
import { canonicalJson, concat, fromHex, type Keccak, keccak, keccakHex, keccakText, toHex } from './keccak.ts';
import type { Amount } from './money.ts';
import type { Address, Hex32 } from './primitives.ts';

/** EIP-712 domain of one network: its chain and its distributor contract. */
export type Domain = {
  readonly name: 'Idlemesh';
  readonly version: '1';
  readonly chainId: number;
  readonly verifyingContract: Address;
};

export const domainOf = (chainId: number, distributor: Address): Domain => ({
  name: 'Idlemesh',
  version: '1',
  chainId,
  verifyingContract: distributor,
});

type Field = { readonly name: string; readonly type: string };

/** Every struct that is ever signed. Field order is part of the encoding: append-only, golden vectors pin it. */
export const TYPES = {
  Enrollment: [
    { name: 'owner', type: 'address' },
    { name: 'device', type: 'address' },
    { name: 'issuedAt', type: 'uint64' },
    { name: 'expiresAt', type: 'uint64' },
  ],
  Session: [
    { name: 'device', type: 'address' },
    { name: 'networkId', type: 'bytes32' },
    { name: 'nonce', type: 'bytes32' },
    { name: 'issuedAt', type: 'uint64' },
  ],
  Access: [
    { name: 'account', type: 'address' },
    { name: 'networkId', type: 'bytes32' },
    { name: 'issuedAt', type: 'uint64' },
  ],
  JobOrder: [
    { name: 'consumer', type: 'address' },
    { name: 'workload', type: 'string' },
    { name: 'paramsHash', type: 'bytes32' },
    { name: 'inputHash', type: 'bytes32' },
    { name: 'inputBytes', type: 'uint64' },
    { name: 'maxPrice', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
    { name: 'expiresAt', type: 'uint64' },
  ],
  Result: [
    { name: 'leaseId', type: 'bytes32' },
    { name: 'device', type: 'address' },
    { name: 'outputHash', type: 'bytes32' },
    { name: 'outputBytes', type: 'uint64' },
    { name: 'startedAt', type: 'uint64' },
    { name: 'finishedAt', type: 'uint64' },
  ],
  Results: [
    { name: 'device', type: 'address' },
    { name: 'resultsHash', type: 'bytes32' },
    { name: 'resultCount', type: 'uint32' },
  ],
  Report: [
    { name: 'owner', type: 'address' },
    { name: 'device', type: 'address' },
    { name: 'sequence', type: 'uint64' },
    { name: 'previous', type: 'bytes32' },
    { name: 'periodStart', type: 'uint64' },
    { name: 'periodEnd', type: 'uint64' },
    { name: 'itemsHash', type: 'bytes32' },
    { name: 'itemCount', type: 'uint32' },
    { name: 'total', type: 'uint256' },
  ],
  Receipt: [
    { name: 'reportHash', type: 'bytes32' },
    { name: 'owner', type: 'address' },
    { name: 'device', type: 'address' },
    { name: 'sequence', type: 'uint64' },
    { name: 'outcomesHash', type: 'bytes32' },
    { name: 'credited', type: 'uint256' },
    { name: 'cumulative', type: 'uint256' },
    { name: 'issuedAt', type: 'uint64' },
  ],
  ClawBack: [
    { name: 'owner', type: 'address' },
    { name: 'itemsHash', type: 'bytes32' },
    { name: 'itemCount', type: 'uint32' },
    { name: 'total', type: 'uint256' },
    { name: 'why', type: 'string' },
    { name: 'issuedAt', type: 'uint64' },
  ],
  Claim: [
    { name: 'owner', type: 'address' },
    { name: 'recipient', type: 'address' },
    { name: 'amount', type: 'uint256' },
    { name: 'fee', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
  AdminAction: [
    { name: 'admin', type: 'address' },
    { name: 'networkId', type: 'bytes32' },
    { name: 'action', type: 'string' },
    { name: 'subject', type: 'string' },
    { name: 'why', type: 'string' },
    { name: 'issuedAt', type: 'uint64' },
  ],
  ChannelBinding: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'role', type: 'string' },
    { name: 'holder', type: 'address' },
    { name: 'exporter', type: 'bytes32' },
  ],
  Grant: [
    { name: 'content', type: 'bytes32' },
    { name: 'publisher', type: 'address' },
    { name: 'reader', type: 'address' },
    { name: 'expiresAt', type: 'uint64' },
  ],
  TransferReceipt: [
    { name: 'session', type: 'bytes32' },
    { name: 'consumer', type: 'address' },
    { name: 'device', type: 'address' },
    { name: 'content', type: 'bytes32' },
    { name: 'bytes', type: 'uint64' },
    { name: 'price', type: 'uint256' },
    { name: 'issuedAt', type: 'uint64' },
  ],
  Kept: [
    { name: 'agreementId', type: 'bytes32' },
    { name: 'device', type: 'address' },
    { name: 'shardsHash', type: 'bytes32' },
    { name: 'bytes', type: 'uint64' },
    { name: 'issuedAt', type: 'uint64' },
  ],
} as const satisfies Readonly<Record<string, readonly Field[]>>;

export type StructName = keyof typeof TYPES;

/** Times are Unix milliseconds, but for Claim.deadline: Unix seconds, the chain's unit. */
export type Structs = {
  Enrollment: { owner: Address; device: Address; issuedAt: number; expiresAt: number };
  Session: { device: Address; networkId: Hex32; nonce: Hex32; issuedAt: number };
  Access: { account: Address; networkId: Hex32; issuedAt: number };
  JobOrder: {
    consumer: Address;
    workload: string;
    paramsHash: Hex32;
    inputHash: Hex32;
    inputBytes: number;
    maxPrice: Amount;
    nonce: Hex32;
    expiresAt: number;
  };
  Result: {
    leaseId: Hex32;
    device: Address;
    outputHash: Hex32;
    outputBytes: number;
    startedAt: number;
    finishedAt: number;
  };
  /** Many results under one signature. */
  Results: { device: Address; resultsHash: Hex32; resultCount: number };
  Report: {
    owner: Address;
    device: Address;
    sequence: number;
    previous: Hex32;
    periodStart: number;
    periodEnd: number;
    itemsHash: Hex32;
    itemCount: number;
    total: Amount;
  };
  Receipt: {
    reportHash: Hex32;
    owner: Address;
    device: Address;
    sequence: number;
    outcomesHash: Hex32;
    credited: Amount;
    cumulative: Amount;
    issuedAt: number;
  };
  /** What was credited, or was to be, and is not owed any more. */
  ClawBack: { owner: Address; itemsHash: Hex32; itemCount: number; total: Amount; why: string; issuedAt: number };
  /** `amount` is the cumulative entitlement of the leaf; what moves is its difference to what was claimed. */
  Claim: { owner: Address; recipient: Address; amount: Amount; fee: Amount; deadline: number };
  /** An order of who runs the network; see core/admin.ts. */
  AdminAction: { admin: Address; networkId: Hex32; action: string; subject: string; why: string; issuedAt: number };
  /** One end of a channel: `exporter` is of its TLS connection alone (RFC 9266), so that nobody in between can pass it on. */
  ChannelBinding: { channelId: Hex32; role: 'consumer' | 'device'; holder: Address; exporter: Hex32 };
  /** Lets `reader` read what `publisher` published; a reader of zeros is anybody. */
  Grant: { content: Hex32; publisher: Address; reader: Address; expiresAt: number };
  /** So many bytes of a content, all of the session together, were had from the device. `price`: base units a MiB. */
  TransferReceipt: {
    session: Hex32;
    consumer: Address;
    device: Address;
    content: Hex32;
    bytes: number;
    price: Amount;
    issuedAt: number;
  };
  /** A device says that it has all shards of an agreement on its disk; see core/storage-terms.ts. */
  Kept: { agreementId: Hex32; device: Address; shardsHash: Hex32; bytes: number; issuedAt: number };
};

export type Struct<N extends StructName> = Readonly<Structs[N]>;

/** The fields of one struct in the form ethers signs and verifies. */
export const fieldsOf = (name: StructName): Record<string, Field[]> => ({ [name]: [...TYPES[name]] });

/** EIP-712 digest that is signed. */
export const digestOf = <N extends StructName>(
  domain: Domain,
  name: N,
  value: Struct<N>,
  hash: Keccak = keccak,
): Hex32 => typedDigest(domain, name, TYPES[name], value, hash);

/** Hash of a report, by which the next one and its receipt name it: its EIP-712 struct hash, free of the domain. */
export const reportHash = (report: Struct<'Report'>): Hex32 => toHex(structHash('Report', TYPES.Report, report));

export const clawBackHash = (value: Struct<'ClawBack'>): Hex32 => toHex(structHash('ClawBack', TYPES.ClawBack, value));

export const paramsHash = (params: Readonly<Record<string, string>>): Hex32 => keccakText(canonicalJson(params));

/** What a report says of one lease. */
export type ReportItem = { readonly leaseId: Hex32; readonly outputHash: Hex32; readonly amount: Amount };

/** What the coordinator answers to one item. */
export const REFUSALS = [
  'unknown-lease',
  'other-device',
  'not-verified',
  'already-credited',
  'amount-differs',
] as const;
export type Refusal = (typeof REFUSALS)[number];
export type ItemOutcome =
  | { readonly leaseId: Hex32; readonly kind: 'credited'; readonly amount: Amount }
  | { readonly leaseId: Hex32; readonly kind: 'refused'; readonly reason: Refusal };

/** One of many results; the device is named once for all of them. */
export type ResultItem = Omit<Struct<'Result'>, 'device'>;

const word = (value: Amount): Uint8Array => fromHex(`0x${value.toString(16).padStart(64, '0')}`);

/** keccak over the items in order, 96 bytes each: leaseId ‖ outputHash ‖ amount as uint256. */
export const itemsHash = (items: readonly ReportItem[]): Hex32 =>
  keccakHex(concat(...items.flatMap((item) => [fromHex(item.leaseId), fromHex(item.outputHash), word(item.amount)])));

export type ClawedItem = { readonly leaseId: Hex32; readonly amount: Amount };

/** keccak over the items in order, 64 bytes each: leaseId ‖ amount as uint256. */
export const clawedHash = (items: readonly ClawedItem[]): Hex32 =>
  keccakHex(concat(...items.flatMap((item) => [fromHex(item.leaseId), word(item.amount)])));

/** keccak over the results in order, 160 bytes each: leaseId ‖ outputHash ‖ outputBytes ‖ startedAt ‖ finishedAt, as words. */
export const resultsHash = (results: readonly ResultItem[]): Hex32 =>
  keccakHex(
    concat(
      ...results.flatMap((one) => [
        fromHex(one.leaseId),
        fromHex(one.outputHash),
        ...[one.outputBytes, one.startedAt, one.finishedAt].map((value) => word(BigInt(value))),
      ]),
    ),
  );

/** keccak over the outcomes in order, 96 bytes each: leaseId ‖ keccak(reason or "credited") ‖ amount as uint256. */
export const outcomesHash = (outcomes: readonly ItemOutcome[]): Hex32 =>
  keccakHex(
    concat(
      ...outcomes.flatMap((outcome) => [
        fromHex(outcome.leaseId),
        fromHex(keccakText(outcome.kind === 'credited' ? 'credited' : outcome.reason)),
        word(outcome.kind === 'credited' ? outcome.amount : 0n),
      ]),
    ),
  );
