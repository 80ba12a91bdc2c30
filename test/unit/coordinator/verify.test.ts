import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  barredFrom,
  type Copy,
  decideCancel,
  decideJob,
  judgeItems,
  type LeaseState,
  maxCopies,
  type ReportedLease,
  voicesOf,
} from '../../../coordinator/verify.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';

const id = (n: number): Hex32 => `0x${n.toString(16).padStart(64, '0')}`;
const account = (n: number): Address => `0x${n.toString(16).padStart(40, '0')}`;
const copy = (n: number, state: LeaseState, output: number | null = null, countsAsAttempt = false): Copy => ({
  leaseId: id(n),
  state,
  outputHash: output === null ? null : id(output),
  ...{ device: account(n), owner: account(n), network: null },
  countsAsAttempt,
  unable: false,
});

describe('what becomes of a job', () => {
  it.each([
    { name: 'new, alone', replicas: 0, copies: [], expected: { kind: 'open', wanted: 1 } },
    { name: 'new, replicated', replicas: 1, copies: [], expected: { kind: 'open', wanted: 2 } },
    { name: 'one held, alone', replicas: 0, copies: [copy(1, 'held')], expected: { kind: 'open', wanted: 0 } },
    { name: 'one held, replicated', replicas: 1, copies: [copy(1, 'held')], expected: { kind: 'open', wanted: 1 } },
    {
      name: 'one finished, alone',
      replicas: 0,
      copies: [copy(1, 'finished', 7)],
      expected: { kind: 'settled', outputHash: id(7), accepted: [id(1)], rejected: [], cancelled: [] },
    },
    {
      name: 'one finished, one held',
      replicas: 1,
      copies: [copy(1, 'finished', 7), copy(2, 'held')],
      expected: { kind: 'open', wanted: 0 },
    },
    {
      name: 'two agree',
      replicas: 1,
      copies: [copy(1, 'finished', 7), copy(2, 'finished', 7)],
      expected: { kind: 'settled', outputHash: id(7), accepted: [id(1), id(2)], rejected: [], cancelled: [] },
    },
    {
      name: 'two differ',
      replicas: 1,
      copies: [copy(1, 'finished', 7), copy(2, 'finished', 8)],
      expected: { kind: 'open', wanted: 1 },
    },
    {
      name: 'a third decides',
      replicas: 1,
      copies: [copy(1, 'finished', 7), copy(2, 'finished', 8), copy(3, 'finished', 8)],
      expected: { kind: 'settled', outputHash: id(8), accepted: [id(2), id(3)], rejected: [id(1)], cancelled: [] },
    },
    {
      name: 'three differ',
      replicas: 1,
      copies: [copy(1, 'finished', 7), copy(2, 'finished', 8), copy(3, 'finished', 9)],
      expected: { kind: 'failed', rejected: [id(1), id(2), id(3)], cancelled: [] },
    },
    {
      name: 'an owner came back: no attempt',
      replicas: 0,
      copies: [copy(1, 'gone'), copy(2, 'gone'), copy(3, 'gone')],
      expected: { kind: 'open', wanted: 1 },
    },
    {
      name: 'out of attempts',
      replicas: 1,
      copies: [copy(1, 'gone', null, true), copy(2, 'gone', null, true), copy(3, 'gone', null, true), copy(4, 'held')],
      expected: { kind: 'failed', rejected: [], cancelled: [id(4)] },
    },
    {
      name: 'one device fails again and again: no more than one attempt',
      replicas: 0,
      copies: [1, 2, 3].map((n) => ({ ...copy(n, 'gone', null, true), device: account(1) })),
      expected: { kind: 'open', wanted: 1 },
    },
  ] as const)('$name', ({ replicas, copies, expected }) => {
    expect(decideJob(copies, replicas, 3)).toMatchObject(expected);
  });

  it('never accepts fewer or more copies than were held for, and never asks for more than can be paid', () => {
    const copies = fc.array(
      fc.record({
        state: fc.constantFrom<LeaseState>('held', 'finished', 'gone'),
        output: fc.integer({ min: 1, max: 3 }),
        counts: fc.boolean(),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(copies, fc.constantFrom<0 | 1>(0, 1), (drawn, replicas) => {
        const list = drawn.map((one, n) =>
          copy(n, one.state, one.state === 'finished' ? one.output : null, one.counts),
        );
        const decision = decideJob(list, replicas, 3);
        const finished = list.filter((one) => one.state === 'finished').length;
        if (decision.kind === 'settled') {
          expect(decision.accepted.length).toBeGreaterThan(replicas);
          expect(decision.accepted.length + decision.rejected.length).toBe(finished);
        } else if (decision.kind === 'open') {
          expect(finished + decision.wanted).toBeLessThanOrEqual(maxCopies(replicas));
        }
      }),
    );
  });
});

describe('a dispute', () => {
  const outputs = (...given: readonly number[]) => given.map((output, n) => copy(n + 1, 'finished', output));

  it('is settled once one answer leads by two', () => {
    const rules = { lead: 2, mostResults: 7 };
    expect(decideJob(outputs(7, 7), 1, 3, rules).kind).toBe('settled');
    expect(decideJob(outputs(7, 8), 1, 3, rules)).toEqual({ kind: 'open', wanted: 2 });
    expect(decideJob(outputs(7, 8, 7), 1, 3, rules)).toEqual({ kind: 'open', wanted: 1 });
    expect(decideJob(outputs(7, 8, 7, 7), 1, 3, rules)).toMatchObject({ kind: 'settled', rejected: [id(2)] });
    expect(decideJob(outputs(7, 8, 7, 8), 1, 3, rules)).toEqual({ kind: 'open', wanted: 2 });
    expect(decideJob(outputs(7, 8, 7, 8, 7, 8, 7), 1, 3, rules).kind).toBe('failed');
  });

  it('leaves without blame whom nobody can judge', () => {
    const likenesses = (a: Hex32, b: Hex32) => {
      if (a === b) return 'same';
      return [a, b].includes(id(9)) ? 'unclear' : 'different';
    };
    expect(decideJob(outputs(7, 9), 1, 3, { likenesses, mostResults: 7 })).toEqual({ kind: 'open', wanted: 1 });
    expect(decideJob(outputs(7, 9, 8, 7), 1, 3, { likenesses, mostResults: 7 })).toMatchObject({
      ...{ kind: 'settled', accepted: [id(1), id(4)], rejected: [id(3)], unclear: [id(2)] },
    });
  });

  it('blames nobody who agrees with one of those that are right', () => {
    // 10, 11 and 12 in a row: neighbours are alike, the ends are not.
    const likenesses = (a: Hex32, b: Hex32) => (Math.abs(Number(a) - Number(b)) <= 1 ? 'same' : 'different');
    const rules = { likenesses, lead: 2, mostResults: 7 };
    expect(decideJob(outputs(10, 12), 1, 3, rules)).toEqual({ kind: 'open', wanted: 2 });
    expect(decideJob(outputs(10, 12, 11), 1, 3, rules)).toMatchObject({ kind: 'settled', rejected: [] });
    expect(decideJob(outputs(10, 30, 11, 11), 1, 3, rules)).toMatchObject({ kind: 'settled', rejected: [id(2)] });
  });

  it('never rejects a copy that agrees with the majority, nor asks for more than it may, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 7 }),
        fc.integer({ min: 1, max: 3 }),
        (given, lead) => {
          const decision = decideJob(outputs(...given), 1, 3, { lead, mostResults: 7 });
          const count = (output: number) => given.filter((one) => one === output).length;
          if (decision.kind === 'open') {
            expect(decision.wanted).toBeGreaterThan(0);
            expect(given.length + decision.wanted).toBeLessThanOrEqual(7);
          } else if (decision.kind === 'settled') {
            const best = count(Number(decision.outputHash));
            expect(decision.accepted).toHaveLength(best);
            for (const other of new Set(given)) {
              if (id(other) !== decision.outputHash) expect(best - count(other)).toBeGreaterThanOrEqual(lead);
            }
          } else expect(given).toHaveLength(7);
        },
      ),
    );
  });
});

describe('copies of one party', () => {
  /** Output, owner and line of each; line 0: not known. */
  type Given = readonly [output: number, owner: number, line: number];
  const copies = (...given: readonly Given[]) =>
    given.map(([output, owner, line], n) => ({
      ...copy(n + 1, 'finished', output),
      ...{ owner: account(owner), network: line === 0 ? null : `line ${line}` },
    }));
  const rules = { lead: 2, mostResults: 7 };

  it('confirm each other neither by one owner nor on one line', () => {
    expect(decideJob(copies([7, 1, 0], [7, 1, 0]), 1, 3)).toEqual({ kind: 'open', wanted: 1 });
    expect(decideJob(copies([7, 1, 5], [7, 2, 5]), 1, 3)).toEqual({ kind: 'open', wanted: 1 });
    expect(decideJob(copies([7, 1, 0], [7, 2, 0]), 1, 3).kind).toBe('settled');
    expect(decideJob(copies([7, 1, 5], [7, 2, 5], [7, 3, 0]), 1, 3)).toMatchObject({
      ...{ kind: 'settled', accepted: [id(1), id(2), id(3)] },
    });
  });

  it('outvote nobody, and are outvoted by two others', () => {
    const liars: readonly Given[] = [1, 2, 3].map((owner) => [8, owner, 5]);
    expect(decideJob(copies([7, 9, 0], ...liars), 1, 3, rules)).toEqual({ kind: 'open', wanted: 2 });
    expect(decideJob(copies(...liars, [7, 8, 0], [7, 9, 0], [7, 10, 0]), 1, 3, rules)).toMatchObject({
      ...{ kind: 'settled', outputHash: id(7), rejected: [id(1), id(2), id(3)] },
    });
  });

  it('are one voice, whatever comes', () => {
    const drawn = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 3 })),
      { maxLength: 7 },
    );
    fc.assert(
      fc.property(drawn, fc.integer({ min: 1, max: 3 }), (given, lead) => {
        const list = copies(...given);
        const decision = decideJob(list, 1, 3, { lead, mostResults: 7 });
        const of = (output: number) => list.filter(({ outputHash }) => outputHash === id(output));
        const owners = (output: number) => new Set(of(output).map(({ owner }) => owner)).size;
        const lines = (output: number) =>
          of(output).some(({ network }) => network === null)
            ? 7
            : new Set(of(output).map(({ network }) => network)).size;
        if (decision.kind === 'settled') {
          const best = Number(decision.outputHash);
          expect(owners(best)).toBeGreaterThan(1);
          expect(lines(best)).toBeGreaterThan(1);
          // No other answer has so many parties that can speak for it.
          for (const other of [1, 2, 3]) {
            if (other !== best) expect(voicesOf(of(best)) - voicesOf(of(other))).toBeGreaterThanOrEqual(lead);
          }
        } else if (decision.kind === 'open') {
          expect(decision.wanted).toBeGreaterThan(0);
          expect(given.length + decision.wanted).toBeLessThanOrEqual(7);
        }
        // Another copy by who has given the same answer before changes nothing, but that it is a result more.
        const [first] = list;
        if (first === undefined || decision.kind !== 'open' || given.length + 1 >= 7) return;
        const again = { ...first, leaseId: id(99) };
        expect(decideJob([...list, again], 1, 3, { lead, mostResults: 7 }).kind).toBe('open');
      }),
    );
  });

  it('count as many as do not count as one with somebody before them', () => {
    expect(voicesOf([])).toBe(0);
    expect(voicesOf(copies([7, 1, 1], [7, 2, 2], [7, 1, 2], [7, 3, 1], [7, 3, 0]))).toBe(3);
  });
});

describe('devices not asked again', () => {
  const lost = (n: number, device: number, change: Partial<Copy>): Copy => ({
    ...copy(n, 'gone'),
    device: account(device),
    ...change,
  });

  it('are those that cannot do the job, and those that failed it too often', () => {
    const failed = { countsAsAttempt: true };
    const copies = [lost(1, 1, failed), lost(2, 1, failed), lost(3, 2, failed), lost(4, 3, { unable: true })];
    expect(barredFrom([...copies, lost(5, 4, {}), lost(6, 4, {})], 2)).toEqual(new Set([account(1), account(3)]));
  });
});

describe('items of a report', () => {
  const device = account(1);
  const lease = (n: number, change: Partial<ReportedLease> = {}): ReportedLease => ({
    leaseId: id(n),
    device,
    state: 'accepted',
    outputHash: id(7),
    price: 5n,
    credited: false,
    ...change,
  });
  const item = (n: number, amount = 5n, output = 7) => ({ leaseId: id(n), outputHash: id(output), amount });
  const judge = (items: readonly ReturnType<typeof item>[], leases: readonly ReportedLease[]) =>
    judgeItems(device, items, new Map(leases.map((one) => [one.leaseId, one]))).map((outcome) =>
      outcome.kind === 'credited' ? outcome.amount : outcome.reason,
    );

  it.each([
    { name: 'good', leases: [lease(1)], items: [item(1)], expected: [5n] },
    { name: 'unknown', leases: [], items: [item(1)], expected: ['unknown-lease'] },
    { name: 'of another', leases: [lease(1, { device: account(2) })], items: [item(1)], expected: ['other-device'] },
    { name: 'unverified', leases: [lease(1, { state: 'finished' })], items: [item(1)], expected: ['not-verified'] },
    { name: 'other output', leases: [lease(1)], items: [item(1, 5n, 8)], expected: ['not-verified'] },
    { name: 'credited', leases: [lease(1, { credited: true })], items: [item(1)], expected: ['already-credited'] },
    { name: 'twice', leases: [lease(1)], items: [item(1), item(1)], expected: [5n, 'already-credited'] },
    { name: 'too much', leases: [lease(1)], items: [item(1, 6n)], expected: ['amount-differs'] },
  ])('$name', ({ leases, items, expected }) => {
    expect(judge(items, leases)).toEqual(expected);
  });
});

describe('a job that is cancelled', () => {
  it.each([
    {
      name: 'pays what is computed and agrees',
      list: [copy(1, 'finished', 7), copy(2, 'held')],
      paid: [1],
      ended: [2],
    },
    {
      name: 'pays nothing where outputs differ',
      list: [copy(1, 'finished', 7), copy(2, 'finished', 8)],
      paid: [],
      ended: [1, 2],
    },
    { name: 'ends what is held', list: [copy(1, 'held'), copy(2, 'gone')], paid: [], ended: [1] },
  ])('$name', ({ list, paid, ended }) => {
    expect(decideCancel(list)).toMatchObject({ accepted: paid.map(id), rejected: [], cancelled: ended.map(id) });
  });
});
