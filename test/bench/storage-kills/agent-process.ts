import type { Address, Hex32 } from '../../../core/primitives.ts';
import type { KeptShard } from '../../../core/storage-terms.ts';
import { agreementOf, storageStage } from '../../support/storage-lane.ts';
import { TEST_NETWORK, vaultEntry } from '../../support/vault-entry.ts';
import { until } from '../../support/wait.ts';
import { dataOf } from './data.ts';

export type Start = {
  readonly folder: string;
  readonly consumer: Address;
  readonly networkId: Hex32;
  readonly agreements: readonly { readonly agreementId: Hex32; readonly sealed: boolean }[];
};
/** What the bench tells the process that it kills. */
export type ToAgent =
  | { readonly kind: 'put'; readonly agreementId: Hex32; readonly seed: string; readonly bytes: number }
  | { readonly kind: 'seal'; readonly agreementId: Hex32; readonly shards: readonly KeptShard[] }
  | { readonly kind: 'audit'; readonly agreementId: Hex32; readonly seed: Hex32 };
export type FromAgent =
  | { readonly kind: 'ready'; readonly vault: number }
  | { readonly kind: 'done'; readonly answer: Hex32 | null }
  | { readonly kind: 'failed'; readonly why: string };

/** The agent's storage lane over a real vault, in a folder that outlives both. */
const start = JSON.parse(process.argv[2] ?? '') as Start;
const { consumer } = start;
const network = { ...TEST_NETWORK, networkId: start.networkId };
const stage = await storageStage(network, vaultEntry(), undefined, start.folder);
const say = (message: FromAgent): void => void process.send?.(message);
stage.rule();
await until('the vault serves', () => stage.lane().routes() !== null, 60_000);
const known = start.agreements.map((one) => agreementOf(consumer, { ...one, bytes: 2 ** 30 }));
stage.lane().heard({ type: 'agreements', agreements: known, last: true, repairers: [] });
process.on('disconnect', () => process.exit());
process.on('message', (message: ToAgent) => {
  work(message).then(
    (answer) => say({ kind: 'done', answer }),
    (error: unknown) => say({ kind: 'failed', why: String(error) }),
  );
});
say({ kind: 'ready', vault: stage.vaults.at(-1)?.child.pid ?? 0 });

async function work(message: ToAgent): Promise<Hex32 | null> {
  const { agreementId } = message;
  const terms = known.find((one) => one.agreementId === agreementId);
  if (terms === undefined) throw new Error('there is no such agreement');
  if (message.kind === 'put') {
    await stage.put(consumer, terms, dataOf(message.seed, message.bytes));
    return null;
  }
  if (message.kind === 'seal') {
    await stage.seal(consumer, terms, message.shards);
    return null;
  }
  const { seed } = message;
  stage.lane().heard({ type: 'audit', auditId: seed, agreementId, seed, answerBy: Date.now() + 60_000 });
  const answers = () => stage.sent.find((one) => one.type === 'audit-answer' && one.auditId === seed);
  const said = await until('an answer', answers, 60_000);
  return said.type === 'audit-answer' ? said.answer : null;
}
