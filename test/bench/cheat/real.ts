import { account } from '../../../coordinator/ledger.ts';
import { DEFAULT_POLICY, requirePolicy } from '../../../coordinator/verification/policy.ts';
import { PRICE } from '../../support/network.ts';
import { Random } from '../../support/sim/random.ts';
import type { WorldDevice } from '../../support/verify-device.ts';
import { HOUR_MS, PAY, VerifyWorld } from '../../support/verify-world.ts';
import { COST_SHARE } from './arms.ts';

/**
 * The scenario of the simulation in small, through the coordinator's own sessions, dispatcher and books on the embedded database. Lanes are
 * shorter than by default, since some thousand jobs have to show what a hundred thousand do.
 */
const POLICY = requirePolicy({
  ...DEFAULT_POLICY,
  ...{ trustedAfter: 3, leastReplicated: 0.06, canaries: 0.06, recheckAtOnce: 10 },
  maturity: { jobs: 80, leastMs: HOUR_MS, mostMs: 96 * HOUR_MS, bond: 1 },
  rest: { firstMs: HOUR_MS, mostMs: 24 * HOUR_MS },
});
const HONEST = 10;
const RATES = [0.05, 0.2, 1] as const;
const BATCH = 120;

type Member = { readonly device: WorldDevice; readonly rate: number; readonly sleeper: boolean };

export async function realFigures(seed: number, scale: number) {
  const begun = performance.now();
  const random = new Random(seed, 'real');
  const world = await VerifyWorld.open(POLICY);
  try {
    await world.fundChecks();
    const members: Member[] = [];
    const trusted = new Set<WorldDevice>();
    for (let n = 0; n < HONEST; n++) members.push({ device: await world.device(), rate: 0, sleeper: false });
    for (const rate of RATES) {
      for (const sleeper of [false, true]) {
        const device = await world.device();
        device.lies = () => (!sleeper || trusted.has(device)) && random.chance(rate);
        members.push({ device, rate, sleeper });
      }
    }
    const batches = Math.ceil(12 * scale);
    for (let batch = 0; batch < batches; batch++) {
      await world.order(BATCH);
      await world.settle();
      await world.report();
      world.now += HOUR_MS;
      // Both calculators and the balance of the books, or it throws.
      await world.epoch();
      for (const { device } of members) {
        if (await world.isTrusted(device)) trusted.add(device);
        else trusted.delete(device);
      }
    }
    for (let rounds = 0; rounds < 100 && (await world.suspected()) > 0; rounds++) await world.settle();
    await world.report();
    world.now += POLICY.maturity.mostMs;
    await world.epoch();

    const price = Number(PRICE);
    const rows = await Promise.all(
      members.map(async ({ device, rate, sleeper }) => {
        const [faked, done] = [device.lied.size, device.leases.length];
        const pay = Number(await world.balance(account.matured(device.owner.address))) / price;
        const cost = COST_SHARE * (done - faked);
        return { rate, sleeper, done, faked, pay, net: pay - cost, clawed: await world.clawed(device) };
      }),
    );
    const honest = rows.filter(({ rate }) => rate === 0);
    const fair = honest.reduce((sum, { net }) => sum + net, 0) / honest.length;
    const extra = await world.count(`FROM leases WHERE state <> 'gone'`);
    const jobs = await world.count('FROM jobs WHERE about IS NULL');
    const rejected = async ({ device }: Member) =>
      await world.count(`FROM leases WHERE device = $1 AND state = 'rejected'`, [device.address]);
    const punished = await Promise.all(
      members.filter(({ rate }) => rate === 0).map(async (member) => (await rejected(member)) > 0),
    );
    return {
      worstCheaterPayRatio: Math.max(...rows.flatMap(({ rate, net }) => (rate === 0 ? [] : [net / fair]))),
      falsePunishedPct:
        (100 * (honest.filter(({ clawed }) => clawed > 0).length + punished.filter(Boolean).length)) / HONEST,
      raw: {
        ...{ seed, jobs, copies: extra, fairNet: fair, payOfOne: Number(PAY) / price, rows },
        seconds: Math.round((performance.now() - begun) / 100) / 10,
      },
    };
  } finally {
    await world.close();
  }
}
