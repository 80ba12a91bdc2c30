import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Shard } from '../../cli/vault/places.ts';
import { hashOf, sha256, TokenMaker } from '../../cli/vault/tokens.ts';
import { AUDIT, answersCommitment } from '../../core/audit.ts';
import { fromHex } from '../../core/keccak.ts';
import { type Open, openIn, prove } from './audit/prover.ts';
import { percentile } from './yield/figures.ts';

/**
 * How often an audit finds a loss of 1 %, and what it costs: `--trials=2000`, `--mib=256`. The consumer's own tokens, of shards that
 * go by once; the prover over real files that were just written. In each trial one audit of the whole set, then one of the set
 * without other hundredth of its blocks: spread out, in one row, or whole shards, in turns. Loss is a disk that gives zeros.
 */
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const [TRIALS, MIB] = [option('trials', 2000), option('mib', 256)];
const SHARD_BYTES = 1024 * 1024;
const BLOCKS_A_SHARD = SHARD_BYTES / AUDIT.blockBytes;
const BLOCKS = MIB * BLOCKS_A_SHARD;
const LOST = Math.ceil(BLOCKS / 100);

/** A hundredth of all blocks. */
const LOSSES: readonly ((lost: Set<number>) => void)[] = [
  (lost) => {
    while (lost.size < LOST) lost.add(randomInt(BLOCKS));
  },
  (lost) => {
    const first = randomInt(BLOCKS);
    while (lost.size < LOST) lost.add((first + lost.size) % BLOCKS);
  },
  (lost) => {
    while (lost.size < LOST) {
      const first = randomInt(MIB) * BLOCKS_A_SHARD;
      for (let block = first; block < first + BLOCKS_A_SHARD && lost.size < LOST; block++) lost.add(block);
    }
  },
];

const folder = await mkdtemp(join(tmpdir(), 'idlemesh-audit-bench-'));
const whole = openIn(folder);
const without =
  (lost: ReadonlySet<number>, order: ReadonlyMap<string, number>): Open =>
  async (hash) => {
    const shard = await whole(hash);
    const first = (order.get(hash) ?? 0) * BLOCKS_A_SHARD;
    return {
      close: shard.close,
      read: async (into, at) => {
        const read = await shard.read(into, at);
        for (let from = 0; from < read; from += AUDIT.blockBytes) {
          if (lost.has(first + (at + from) / AUDIT.blockBytes)) into.fill(0, from, from + AUDIT.blockBytes);
        }
        return read;
      },
    };
  };

try {
  const maker = new TokenMaker(
    Array.from({ length: TRIALS }, () => randomBytes(AUDIT.seedBytes)),
    MIB * SHARD_BYTES,
  );
  const shards: Shard[] = [];
  for (let index = 0; index < MIB; index++) {
    const bytes = randomBytes(SHARD_BYTES);
    maker.add(bytes);
    shards.push({ hash: hashOf(bytes), bytes: bytes.length });
    await writeFile(join(folder, hashOf(bytes)), bytes);
  }
  const order = new Map(shards.map(({ hash }, index) => [hash, index]));
  const took: number[] = [];
  const found = LOSSES.map(() => 0);
  let [detected, falseAlarms, answerBytes] = [0, 0, 0];
  for (const [trial, { seed, commitment }] of maker.finish().entries()) {
    const [asked, expected] = [fromHex(seed), fromHex(commitment)];
    const begun = performance.now();
    const right = await prove(shards, asked, whole);
    took.push(performance.now() - begun);
    answerBytes = Math.max(answerBytes, right.length);
    if (!answersCommitment(right, expected, sha256)) falseAlarms += 1;
    const lost = new Set<number>();
    const kind = trial % LOSSES.length;
    LOSSES[kind]?.(lost);
    if (answersCommitment(await prove(shards, asked, without(lost, order)), expected, sha256)) continue;
    detected += 1;
    found[kind] = (found[kind] ?? 0) + 1;
  }
  const figures = {
    ...{ detectionAt1PctLoss: detected / TRIALS, answerBytes },
    ...{ proverP95Ms: Math.round(percentile(took, 95) * 10) / 10, falseAlarms },
    raw: {
      trials: TRIALS,
      mib: MIB,
      foundSpreadInARowInShards: found,
      proverP50Ms: percentile(took, 50),
      cores: cpus().length,
    },
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
