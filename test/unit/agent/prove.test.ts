import { describe, expect, test } from 'vitest';
import { prove } from '../../../agent/prove.ts';
import type { CatalogueEntry } from '../../../core/catalogue.ts';
import { Failure } from '../../../core/errors.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';
import { holds, type Proof, SUITES, type Suite } from '../../../core/proof.ts';
import { containerSpec, LABEL } from '../../../core/sandbox.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeContainers } from '../../fakes/containers.ts';
import { FakeProbeHost } from '../../fakes/proof.ts';
import { ENTRY, IMAGE } from '../../fakes/world.ts';
import { linesOf } from '../../support/proof.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';

const PROBE: CatalogueEntry = { ...ENTRY, id: 'probe', purpose: 'probe' };
const share = { cpuCores: 1, memoryBytes: 2 ** 28, pids: 64 };

type Change = {
  /** What it says in a launch instead of what it should. */
  readonly says?: Partial<Record<Suite, readonly string[]>>;
  /** Its containers do not end. */
  readonly undying?: boolean;
  /** Its containers stay when they are removed. */
  readonly sticky?: boolean;
  readonly heard?: number;
  /** Its containers end before anything was said to them. */
  readonly deaf?: boolean;
  readonly cancelled?: boolean;
};

/** A probe as the change has it, on an engine of our own. */
async function proved(
  change: Change = {},
  containers = new FakeContainers(),
): Promise<{ proof: Proof; containers: FakeContainers; host: FakeProbeHost }> {
  containers.images.add(IMAGE);
  containers.automatic = false;
  const clock = new FakeClock();
  const host = new FakeProbeHost();
  host.heard = change.heard ?? 0;
  const device = randomAddress();
  let launch = 0;
  const proof = await during(
    clock,
    prove(
      {
        ports: {
          ...{ clock, log: () => undefined, random: { hex32: randomHex32 }, seccompProfile: '{}', probeHost: host },
          containers: {
            ...containers,
            run: async (spec) => {
              const run = await containers.run(spec);
              const suite = SUITES[launch++] ?? 'reach';
              const { containerId: id } = run;
              const speak = (): void => {
                const floods = suite === 'flood' && change.says?.flood === undefined;
                for (let at = 0; floods && at < 1100; at++) containers.say(id, 'x'.repeat(4095));
                for (const each of change.says?.[suite] ?? linesOf(suite)) containers.say(id, each);
                if (!['linger', 'stubborn'].includes(suite)) containers.end(id, 0);
              };
              const write = async (chunk: Uint8Array): Promise<void> => {
                if (change.deaf) throw new Failure('CANCELLED', 'the container closed its door');
                await run.write(chunk);
                speak();
              };
              const undying = change.undying && ['linger', 'stubborn'].includes(suite);
              return undying
                ? { ...run, write, shut: () => undefined, exited: new Promise(() => undefined) }
                : { ...run, write };
            },
            remove: async (id) => {
              if (!change.sticky) await containers.remove(id);
            },
          },
        },
        ...{
          entry: PROBE,
          share,
          launch: { door: 'sha256:door' },
          device,
          instance: 'one',
          engine: '1',
          owns: () => undefined,
          cancelled: () => change.cancelled ?? false,
        },
      },
      () => undefined,
    ),
  );
  return { proof, containers, host };
}
async function during<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let over = false;
  const ended = (): void => {
    over = true;
  };
  work.then(ended, ended);
  await clock.until(() => over, 'the proof ends');
  return work;
}

const outcomes = ({ results }: Proof, probe: string): readonly string[] =>
  results.filter((result) => result.probe === probe).map(({ outcome, detail }) => `${outcome}: ${detail}`);

test('everything that is said and seen makes the proof, and nothing stays behind', async () => {
  const { proof, containers, host } = await proved();
  expect(proof).toMatchObject({ escaped: 0, missing: [] });
  expect(holds(proof)).toBe(true);
  expect(outcomes(proof, 'flood')).toEqual([expect.stringMatching(/^blocked: cut off after/)]);
  expect(containers.jobs()).toEqual([]);
  expect(host.open).toBe(0);
});

test('the launch is the one that work gets', async () => {
  const { containers } = await proved();
  expect(containers.started).toHaveLength(SUITES.length);
  const grants = { door: await containers.door() };
  for (const spec of containers.started) {
    const { [LABEL.lease]: lease, [LABEL.device]: device } = spec.Labels;
    const labels = { lease: lease as Hex32, device: device as Address, instance: 'one' };
    expect(spec).toEqual(containerSpec(PROBE, share, labels, '{}', grants));
  }
});

describe('what gets out is seen', () => {
  test.each<[string, Change, string, string]>([
    ['a listener of the machine was reached', { heard: 2 }, 'host-contact', 'escaped: heard 2 times'],
    ['it goes on without its door', { undying: true }, 'door-closed', 'escaped: still there after 10000 ms'],
    ['it goes on though it was killed', { undying: true }, 'killed', 'escaped: still there after 10000 ms'],
    ['its containers stay', { sticky: true }, 'left-behind', `escaped: ${SUITES.length} containers`],
    ['nobody cuts its lines off', { says: { flood: ['some', 'lines'] } }, 'flood', 'escaped: heard after 0 MiB'],
  ])('%s', async (_what, change, probe, outcome) => {
    const { proof } = await proved(change);
    expect(outcomes(proof, probe)).toEqual([outcome]);
    expect(holds(proof)).toBe(false);
  });
});

test.each(['memory', 'processes'] as const)(
  'what ended the whole container was bounded, once it was tried: %s',
  async (suite) => {
    const { proof } = await proved({ says: { [suite]: ['{"ready":true}'] } });
    expect(outcomes(proof, suite)).toEqual(['blocked: the container ended']);
    expect((await proved({ says: { [suite]: [] } })).proof.missing).toEqual([suite]);
  },
);

test('a probe that says nothing, or nonsense, proves nothing', async () => {
  const { proof } = await proved({ says: { reach: ['{', 'null', '{"probe":"host-contact"}', '{"done":true}'] } });
  expect(proof.missing).toContain('gateway');
  expect(proof.missing).not.toContain('memory');
  expect(holds(proof)).toBe(false);
});

test('a proof that fails leaves nothing behind either', async () => {
  const containers = new FakeContainers();
  await expect(proved({ deaf: true }, containers)).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(containers.started).toHaveLength(1);
  expect(containers.jobs()).toEqual([]);
});

test('one that nobody waits for any more launches nothing', async () => {
  const containers = new FakeContainers();
  await expect(proved({ cancelled: true }, containers)).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(containers.started).toEqual([]);
});
