import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { auditAnswer } from '../../core/audit.ts';
import { fromHex, sha256, toHex } from '../../core/keccak.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { randomAddress, randomHex32 } from '../support/random.ts';
import { shardOf } from '../support/storage-lane.ts';
import type { FromAgent, Start, ToAgent } from './storage-kills/agent-process.ts';
import { dataOf } from './storage-kills/data.ts';

/**
 * The agent's storage lane and its vault, each killed with -9 at a random moment in each of `--kills=500` lives while shards come and
 * are sealed. After each life all that was acknowledged must be there: it is signed for, and an audit of it is right.
 */
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const KILLS = option('kills', 500);
const MOST_DELAY_MS = 120;
const MOST_BYTES = 200_000;

type Made = { readonly seed: string; readonly bytes: number };
type Agreement = { readonly agreementId: Hex32; readonly acknowledged: Made[]; sealed: boolean };

const folder = await mkdtemp(join(tmpdir(), 'idlemesh-storage-kills-'));
const shared = { folder, consumer: randomAddress(), networkId: randomHex32() };
const agreements: Agreement[] = [];
const lost: string[] = [];
let [kills, acknowledgedShards, audits, wrongAudits] = [0, 0, 0, 0];
const dataUnder = ({ acknowledged }: Agreement): Buffer[] => acknowledged.map(({ seed, bytes }) => dataOf(seed, bytes));

/** One process of the agent, and its end. */
async function life(work: (ask: (message: ToAgent) => Promise<Hex32 | null>, vault: number) => Promise<void>) {
  const start: Start = {
    ...shared,
    agreements: agreements.map(({ agreementId, sealed }) => ({ agreementId, sealed })),
  };
  const child = fork(join(import.meta.dirname, 'storage-kills/agent-process.ts'), [JSON.stringify(start)], {
    stdio: 'ignore',
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const gone = once(child, 'exit');
  const said = async (): Promise<FromAgent | null> => {
    const [message] = await Promise.race([once(child, 'message'), gone.then(() => [null])]);
    return message;
  };
  const first = await said();
  if (first?.kind !== 'ready') throw new Error(`the agent did not start: ${JSON.stringify(first)}`);
  const ask = async (message: ToAgent): Promise<Hex32 | null> => {
    child.send(message, () => undefined);
    const answer = await said();
    if (answer === null) throw new Error('killed');
    if (answer.kind === 'failed') throw new Error(answer.why);
    return answer.kind === 'done' ? answer.answer : null;
  };
  const kill = async (): Promise<void> => {
    await delay(Math.random() * MOST_DELAY_MS);
    // Whichever it is, the other follows: the vault's input ends with the agent, and the bench ends what is left of this life.
    if (Math.random() < 0.5) process.kill(first.vault, 'SIGKILL');
    child.kill('SIGKILL');
    kills += 1;
  };
  return { ask, kill, gone, working: (then: () => void) => work(ask, first.vault).then(then, then) };
}

/** What the last life acknowledged is signed for, and one agreement of any life is audited. */
async function check(ask: (message: ToAgent) => Promise<Hex32 | null>): Promise<void> {
  for (const agreement of agreements.filter(({ sealed, acknowledged }) => !sealed && acknowledged.length > 0)) {
    const shards = dataUnder(agreement).map(shardOf);
    try {
      await ask({ kind: 'seal', agreementId: agreement.agreementId, shards });
      agreement.sealed = true;
    } catch (error) {
      lost.push(String(error));
      agreements.splice(agreements.indexOf(agreement), 1);
    }
  }
  const sealed = agreements.filter((one) => one.sealed);
  const one = sealed[Math.floor(Math.random() * sealed.length)];
  if (one === undefined) return;
  const seed = randomHex32();
  const right = toHex(auditAnswer(fromHex(seed), Buffer.concat(dataUnder(one)), sha256));
  audits += 1;
  if ((await ask({ kind: 'audit', agreementId: one.agreementId, seed })) !== right) wrongAudits += 1;
}

try {
  while (kills < KILLS) {
    const agreement: Agreement = { agreementId: randomHex32(), acknowledged: [], sealed: false };
    const before = [...agreements];
    agreements.push(agreement);
    const run = await life(async (ask) => {
      for (;;) {
        const made = { seed: randomHex32(), bytes: 1 + Math.floor(Math.random() * MOST_BYTES) };
        await ask({ kind: 'put', agreementId: agreement.agreementId, ...made });
        agreement.acknowledged.push(made);
        acknowledgedShards += 1;
      }
    });
    if (before.length > 0) await check(run.ask);
    const worked = run.working(() => undefined);
    await run.kill();
    await Promise.all([worked, run.gone]);
    // An old one that is sealed costs time alone.
    if (agreements.length > 40) agreements.splice(0, 1);
  }
  const end = await life(async () => undefined);
  await check(end.ask);
  await end.kill();
  process.stdout.write(
    `${JSON.stringify({ kills: kills - 1, acknowledgedShards, lostShards: lost.length, audits, wrongAudits, cores: cpus().length })}\n`,
  );
  if (lost.length > 0) process.stderr.write(`${lost.slice(0, 5).join('\n')}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
