import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Aims,
  ceilingOf,
  conclude,
  holds,
  PROBE_IDS,
  PROBES,
  probeInput,
  proof,
  readLine,
  under,
} from '../../../core/proof.ts';
import { containerSpec } from '../../../core/sandbox.ts';
import { ENTRY } from '../../fakes/world.ts';
import { attempt, proofWith } from '../../support/proof.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';

const line = (change: Record<string, unknown>): string => JSON.stringify({ ...attempt('gateway'), ...change });

test('a result is taken as it was said', () => {
  expect(readLine(line({}), 'reach')).toEqual(attempt('gateway'));
  expect(readLine('{"done":true}', 'limits')).toBe('done');
  expect(readLine('{"ready":true}', 'linger')).toBe('ready');
});

test.each<[string, string]>([
  ['nothing', ''],
  ['no JSON', 'Segmentation fault'],
  ['half a line', line({}).slice(0, -3)],
  ['a number', '7'],
  ['null', 'null'],
  ['a list', '[]'],
  ['a probe that there is none of', line({ probe: 'toString' })],
  ['a probe of another launch', line({ probe: 'memory' })],
  ['a finding of the agent itself', line({ probe: 'host-contact' })],
  ['an outcome that is none', line({ outcome: 'fine' })],
  ['a detail that is no text', line({ detail: { toString: 1 } })],
  ['more than was asked for', line({ __proto__2: 1 })],
  ['a text without end', line({ tried: 'x'.repeat(500) })],
])('noise: %s', (_what, said) => {
  expect(readLine(said, 'reach')).toBe('noise');
});

test('what the terminal or the window would take for more than text is taken out', () => {
  const read = readLine(line({ detail: '\u001b[2J\u202eno\n' }), 'reach');
  expect(read).toMatchObject({ detail: '?[2J?no?' });
});

test('whatever a container says, it is noise or a result of its own launch', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.jsonValue().map((value) => line({ tried: value })),
      ),
      (said) => {
        const read = readLine(said, 'limits');
        if (typeof read === 'object') expect(PROBES[read.probe].suite).toBe('limits');
      },
    ),
  );
});

test('an attempt that could not be made does not count, and a probe that said nothing proves nothing', () => {
  const whole = proofWith([attempt('bpf', { outcome: 'unavailable' })]);
  expect(whole).toMatchObject({ tried: PROBE_IDS.length - 1, escaped: 0, missing: [] });
  expect(holds(whole)).toBe(true);
  expect(holds(proofWith([attempt('bpf', { outcome: 'escaped' })]))).toBe(false);
  const silent = conclude(PROBE_IDS.filter((id) => id !== 'bpf').map((id) => attempt(id)));
  expect(silent).toMatchObject({ escaped: 0, missing: ['bpf'] });
  expect(holds(silent)).toBe(false);
  expect(conclude([]).missing).toEqual(PROBE_IDS);
});

test('a proof can be kept and read again', () => {
  const made = proofWith([attempt('bpf', { outcome: 'escaped' })]);
  expect(proof.parse(JSON.parse(JSON.stringify(made)))).toEqual(made);
});

const NOTHING: Aims = {
  ...{ gateways: [], own: [], broadcasts: [], resolvers: [], neighbours: [], engineSockets: [], devices: [] },
};
const labels = { lease: randomHex32(), device: randomAddress(), instance: 'one' };

test('the probe learns the limits of its launch, and no name can say more than itself', () => {
  const spec = containerSpec(ENTRY, { cpuCores: 0.5, memoryBytes: 2 ** 28, pids: 50 }, labels, '{}');
  const said = probeInput(
    'limits',
    { ...NOTHING, own: ['192.0.2.7', 'evil\nsuite flood'], resolvers: ['a b'] },
    { port: 4711, socket: null, token: 'secret' },
    ceilingOf(spec, ENTRY),
  );
  expect(said.split('\n').filter((each) => each !== '')).toEqual([
    'suite limits',
    'token secret',
    'bait x 4711',
    'lan 192.0.2.7',
    'host 192.0.2.7 4711',
    'pids x 50',
    'millicores x 500',
    `memory x ${2 ** 28}`,
    `scratch x ${2 ** 28}`,
    `shared x ${2 ** 20}`,
    'inodes x 65536',
    'files x 256',
  ]);
});

test('what gVisor does on a kernel of its own is no escape; what reaches this machine is', () => {
  const out = (probe: 'namespaces' | 'host-contact') => attempt(probe, { outcome: 'escaped', detail: 'done' });
  expect(under('runsc', out('namespaces'))).toMatchObject({ outcome: 'unavailable' });
  expect(under('runsc', out('host-contact'))).toEqual(out('host-contact'));
  expect(under(undefined, out('namespaces'))).toEqual(out('namespaces'));
});
