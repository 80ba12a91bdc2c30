import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../../coordinator/db.ts';
import { firstDifference } from '../../../coordinator/epochs.ts';
import { booksBalance, owedByLedger } from '../../../coordinator/ledger.ts';
import { owedByReceipts } from '../../../coordinator/recount.ts';
import type { SentReport } from '../../../coordinator/report-chain.ts';
import { Reports } from '../../../coordinator/report-groups.ts';
import { Signer } from '../../../coordinator/signing.ts';
import { sum } from '../../../core/money.ts';
import { type Hex32, ZERO_HASH } from '../../../core/primitives.ts';
import { domainOf, itemsHash, reportHash } from '../../../core/typed-data.ts';
import { newAccount } from '../../support/chain.ts';
import { randomHex32 } from '../../support/random.ts';
import { ReportStage } from '../../support/report-stage.ts';
import { openTestDb } from '../../support/store.ts';

const KINDS = ['next', 'next', 'next', 'next', 'again', 'early', 'fork', 'items', 'total', 'previous'] as const;
type Send = {
  readonly device: number;
  readonly kind: (typeof KINDS)[number];
  readonly leases: readonly number[];
  /** One of its items says something else than the books. */
  readonly twist: 'none' | 'unknown' | 'amount' | 'output';
};

const sends: fc.Arbitrary<readonly Send[]> = fc.array(
  fc.record({
    device: fc.nat({ max: 5 }),
    kind: fc.constantFrom(...KINDS),
    // Its own mostly, and others' and the same twice.
    leases: fc.array(fc.nat({ max: 35 }), { minLength: 1, maxLength: 4 }),
    twist: fc.constantFrom('none', 'none', 'none', 'unknown', 'amount', 'output'),
  }),
  { minLength: 2, maxLength: 24, size: 'max' },
);

describe('reports in groups', () => {
  let db: Db;
  let dir: string;
  let stage: ReportStage;
  const signer = new Signer(newAccount().privateKey, domainOf(1, newAccount().address));
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'idlemesh-groups-'));
    db = await openTestDb(dir);
    stage = new ReportStage(db, signer);
    await stage.open(6);
  }, 120_000);
  afterAll(async () => {
    await db.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** Each as its device would send it, had all before it been taken. */
  function written(history: readonly Send[]): readonly SentReport[] {
    const last = new Map<number, SentReport>();
    return history.map((send): SentReport => {
      const before = last.get(send.device);
      if (send.kind === 'again' && before !== undefined) return before;
      const report = { ...fresh(send, before), signature: `0x${'11'.repeat(65)}` as const };
      if (send.kind === 'next') last.set(send.device, report);
      return report;
    });
  }

  function fresh({ device, kind, leases, twist }: Send, before: SentReport | undefined) {
    const items = leases.map((number, at) => {
      // Three of four are the device's own.
      const lease = stage.leases[number % 4 === 0 ? number : device * 6 + (number % 6)];
      const twisted = at === 0 ? twist : 'none';
      return {
        leaseId: lease === undefined || twisted === 'unknown' ? randomHex32() : lease.id,
        outputHash: twisted === 'output' ? randomHex32() : ZERO_HASH,
        amount: (lease?.pay ?? 1n) + (twisted === 'amount' ? 1n : 0n),
      };
    });
    const sequence = (before?.value.sequence ?? 0) + (kind === 'early' ? 2 : kind === 'fork' ? 0 : 1);
    const previous: Hex32 = before === undefined ? ZERO_HASH : reportHash(before.value);
    const value = {
      ...{ owner: stage.ownerOf(device), device: stage.devices[device] ?? '0x', sequence: Math.max(1, sequence) },
      ...{ previous: kind === 'previous' ? randomHex32() : previous, periodStart: 1, periodEnd: 2 },
      ...{ itemsHash: kind === 'items' ? randomHex32() : itemsHash(items), itemCount: items.length },
      total: sum(items.map(({ amount }) => amount)) + (kind === 'total' ? 1n : 0n),
    } as const;
    return { value, items };
  }

  it('are answered and booked as if each had come alone, however they are grouped', async () => {
    const seen = new Map<string, number>();
    const together = fc.asyncProperty(
      sends,
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      async (history, sizes) => {
        const reports = written(history);
        const alone = await stage.tried(reports.map((report) => [report]));
        const groups: SentReport[][] = [];
        for (let from = 0; from < reports.length; from += groups.at(-1)?.length ?? 0) {
          groups.push(reports.slice(from, from + (sizes.next().value ?? 1)));
        }
        const grouped = await stage.tried(groups);
        expect(grouped.answers).toEqual(alone.answers);
        expect(grouped.books).toEqual(alone.books);
        for (const answer of alone.answers) {
          const what = answer.kind === 'refused' ? answer.failure.code : answer.kind;
          seen.set(what, (seen.get(what) ?? 0) + 1);
          if (answer.kind !== 'receipt') continue;
          for (const outcome of answer.message.outcomes) {
            const end = outcome.kind === 'refused' ? outcome.reason : outcome.kind;
            seen.set(end, (seen.get(end) ?? 0) + 1);
          }
        }
      },
    );
    await fc.assert(together, { numRuns: 60 });
    const kinds = ['receipt', 'fork', 'REFUSED', 'BAD_INPUT', 'CONFLICT', 'credited', 'unknown-lease', 'other-device'];
    for (const kind of [...kinds, 'already-credited', 'not-verified', 'amount-differs']) {
      expect(seen.get(kind), `${kind} of ${JSON.stringify([...seen])}`).toBeGreaterThan(5);
    }
  }, 120_000);

  it('of all devices at once leave books that both calculators agree on, and a bad one harms no other', async () => {
    const reports = new Reports({ db, signer, options: { clock: { now: () => 5_000 } } });
    const good = written(
      stage.devices.map((_, device) => ({ device, kind: 'next', leases: [1, 2, 3], twist: 'none' })),
    );
    const bad = written([{ device: 0, kind: 'early', leases: [1], twist: 'none' }]);
    const answers = await Promise.all([...good, ...bad, ...good].map((report) => reports.receive(report)));
    expect(answers.map(({ kind }) => kind)).toEqual([
      ...good.map(() => 'receipt'),
      'refused',
      ...good.map(() => 'receipt'),
    ]);
    expect(answers.slice(good.length + 1)).toEqual(answers.slice(0, good.length));
    const owed = await owedByLedger(db);
    expect(firstDifference(owed, await owedByReceipts(db))).toBeNull();
    const paid = stage.leases.filter((_, at) => [1, 2, 3].includes(at % 6)).map(({ pay }) => pay);
    expect(sum([...owed.values()].map(({ credited }) => credited))).toBe(sum(paid));
    expect(await booksBalance(db)).toBe(true);
  });
});
