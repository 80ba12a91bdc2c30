import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { keccakMany } from '../../coordinator/keccak.ts';
import { type Entitlement, merkleTree } from '../../core/merkle.ts';
import type { Address } from '../../core/primitives.ts';
import { percentile } from './yield/figures.ts';

/**
 * How fast the tree of an epoch is built, beside OpenZeppelin's own, in turns: `--owners=100000`, `--rounds=3`; and once over a
 * million owners. Root, order and every proof of the first round are compared.
 */
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const [OWNERS, ROUNDS, MILLION] = [option('owners', 100_000), option('rounds', 3), option('many', 1_000_000)];

const owners = (count: number): readonly Entitlement[] =>
  Array.from({ length: count }, () => ({
    owner: `0x${randomBytes(20).toString('hex')}` as Address,
    cumulative: BigInt(`0x${randomBytes(10).toString('hex')}`),
  }));
const seconds = (begun: number): number => (performance.now() - begun) / 1000;

const hash = await keccakMany();
const [ours, theirs]: [number[], number[]] = [[], []];
let identical = true;
for (let round = 0; round < ROUNDS; round++) {
  const list = owners(OWNERS);
  const plain = list.map(({ owner, cumulative }) => [owner, cumulative.toString()]);
  let begun = performance.now();
  const mine = merkleTree(list, hash);
  ours.push(seconds(begun));
  begun = performance.now();
  const other = StandardMerkleTree.of(plain, ['address', 'uint256']);
  theirs.push(seconds(begun));
  identical &&= mine.root === other.root;
  if (round > 0) continue;
  for (const [index, [owner = '']] of other.entries()) {
    identical &&= JSON.stringify(mine.proofOf(owner as Address)) === JSON.stringify(other.getProof(index));
  }
}
const many = owners(MILLION);
const begun = performance.now();
merkleTree(many, hash);
const millionSeconds = Math.round(seconds(begun) * 100) / 100;
const [own, its] = [percentile(ours, 50), percentile(theirs, 50)];
const figures = {
  ...{ ratio: Math.round((its / own) * 10) / 10, identical, millionSeconds },
  raw: { ours, theirs, owners: OWNERS, many: MILLION, proofsCompared: OWNERS, cores: cpus().length },
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
