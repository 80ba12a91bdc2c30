import fc from 'fast-check';
import { containerSpec, type Grants, type Share } from '../../core/sandbox.ts';
import { type Allowed, violationsOf } from './create-body.ts';
import { randomAddress, randomHex32 } from './random.ts';

const labels = { lease: randomHex32(), device: randomAddress(), instance: 'one' };

/** Whatever a manifest may say and an owner may share, at the edges more often than between them. */
export const workloads = fc.record({
  id: fc.constantFrom('transcode', 'x1'),
  version: fc.constantFrom('0.1.0', '99.99.99'),
  image: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => `sha256:${Buffer.from(bytes).toString('hex')}`),
  limits: fc.record({
    cpuCores: fc.double({ min: 0.001, max: 64, noNaN: true }),
    memoryBytes: fc.integer({ min: 1, max: 2 ** 40 }),
    pids: fc.integer({ min: 1, max: 4096 }),
    scratchBytes: fc.integer({ min: 1, max: 2 ** 40 }),
    seconds: fc.integer({ min: 1, max: 86_400 }),
    maxInputBytes: fc.nat(2 ** 30),
    maxOutputBytes: fc.nat(2 ** 30),
  }),
  loadsCode: fc.boolean(),
});
const file = fc.constantFrom('/dev/kfd', '/dev/dri/renderD128', '/dev/dri/renderD129');
const grants: fc.Arbitrary<Grants> = fc.record(
  {
    gpus: fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constant('nvidia' as const),
          ids: fc.array(fc.uuid(), { minLength: 1, maxLength: 3 }),
          via: fc.constantFrom('request' as const, 'cdi' as const),
        }),
        fc.record({
          kind: fc.constant('render' as const),
          devices: fc.array(file, { minLength: 1, maxLength: 3 }),
          groups: fc.array(fc.integer({ min: 1, max: 65_534 }).map(String), { maxLength: 2 }),
        }),
      ),
      { maxLength: 3 },
    ),
    door: fc.record({ volume: fc.uuid(), program: fc.array(fc.string(), { minLength: 1, maxLength: 4 }) }),
    egressVolume: fc.uuid(),
    store: fc.record({ volume: fc.uuid(), folder: fc.constantFrom('/vault' as const, '/cache' as const) }),
    runtime: fc.constant('runsc' as const),
  },
  { requiredKeys: [] },
);
/** The same grants, as somebody would say them who never heard of `Grants`. */
export const allowedBy = (given: Grants, code: boolean): Allowed => {
  const gpus = given.gpus ?? [];
  return {
    devices: gpus.flatMap((gpu) => (gpu.kind === 'render' ? gpu.devices : [])),
    groups: gpus.flatMap((gpu) => (gpu.kind === 'render' ? gpu.groups : [])),
    nvidia: gpus.flatMap((gpu) => (gpu.kind === 'nvidia' ? gpu.ids : [])),
    volumes: [given.egressVolume, given.door?.volume, given.store?.volume].flatMap((name) => name ?? []),
    ...(given.door === undefined ? {} : { program: given.door.program }),
    ...(given.store === undefined ? {} : { store: given.store.volume }),
    runtimes: given.runtime === undefined ? [] : [given.runtime],
    code,
  };
};
const shares: fc.Arbitrary<Share> = fc.record({
  cpuCores: fc.double({ min: 0.0001, max: 256, noNaN: true }),
  memoryBytes: fc.integer({ min: 1, max: 2 ** 40 }),
  pids: fc.integer({ min: 1, max: 100_000 }),
});

/** What is sent to the engine. */
export const body = (workload: Parameters<typeof containerSpec>[0], share: Share, given: Grants = {}): unknown =>
  JSON.parse(JSON.stringify(containerSpec(workload, share, labels, '{"defaultAction":"SCMP_ACT_ERRNO"}', given)));

/** What the checker finds in so many random launches; the first that has something ends it. */
export function violationsIn(launches: number): readonly string[] {
  const found: string[] = [];
  fc.assert(
    fc.property(workloads, shares, grants, (workload, share, given) => {
      found.push(...violationsOf(body(workload, share, given), allowedBy(given, workload.loadsCode)));
      return found.length === 0;
    }),
    { numRuns: launches, endOnFailure: true },
  );
  return found;
}
