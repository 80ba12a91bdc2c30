import { readFile, writeFile } from 'node:fs/promises';
import { type Catalogue, findWorkload } from '../core/catalogue.ts';
import { handOut, misfit } from '../core/gpu-grants.ts';
import { canonicalJson, fromHex, sha256Hex, toHex, utf8 } from '../core/keccak.ts';
import type { Hex32 } from '../core/primitives.ts';
import { type RowTree, rowTreeSteps } from '../core/row-tree.ts';
import type { EngineState, GpuReading, Sensed } from '../core/signals.ts';
import { inTurns } from '../core/steps.ts';
import type { CoordinatorMessage, DeviceMessage, Lease } from '../core/wire.ts';
import type { GpuChallenge } from '../core/wire-gpu.ts';
import type { GpuJob } from './gpu-choice.ts';
import type { Ending } from './job-ending.ts';
import type { CoordinatorLink, Log } from './ports.ts';

type TrialMessage = Extract<CoordinatorMessage, { type: 'gpu-challenge' | 'gpu-openings' | 'gpu-verdict' }>;

/** SHA-256. */
const DIGEST_BYTES = 32;

/**
 * The network's test of what the GPU does. It is work as any other: in the same sandbox, on the same GPU, and it goes when its owner comes back. But no
 * ledger knows of it, nobody pays for it, and of its result only the root of a tree leaves the machine, and the rows that are asked for.
 */
export type Trial = {
  /** The test that is to be run, in the form of a lease; null: none is. */
  readonly lease: () => Lease | null;
  readonly isOne: (leaseId: Hex32) => boolean;
  /** Instead of the network's blobs. */
  readonly link: Pick<CoordinatorLink, 'download' | 'upload'>;
  /** It is to run on this GPU. */
  readonly began: (gpu: GpuJob | null) => void;
  readonly ended: (ending: Ending) => void;
  /** It is given up: whoever waits for it is told so. */
  readonly dropped: (why: string) => void;
  /** `may`: whether such work may begin now. */
  readonly heard: (message: TrialMessage, may: (work: Pick<Lease, 'lane' | 'image'>) => boolean) => void;
  /** Tells which GPU there is to test, when that has changed. */
  readonly tell: () => void;
  /** A session has begun: the coordinator knows nothing yet. */
  readonly welcomed: () => void;
};

type TrialOptions = {
  readonly log: Log;
  readonly catalogue: () => Catalogue;
  readonly gpus: () => Sensed<readonly GpuReading[]>;
  readonly engine: () => EngineState;
  readonly send: (message: DeviceMessage) => boolean;
  readonly wake: () => void;
};

type Current = {
  readonly challenge: GpuChallenge;
  /** Null once it was run. */
  lease: Lease | null;
  rows: readonly Uint8Array[];
  tree: RowTree | null;
  gpu: GpuJob | null;
};

const NO_GPU = { setup: null, memoryBytes: 0 } as const;

const leaseOf = (asked: GpuChallenge): Lease => ({
  ...{ leaseId: asked.challengeId, jobId: asked.challengeId, lane: 'gpu', price: 0n },
  ...{ workload: asked.workload, version: asked.version, image: asked.image, deadline: asked.deadline },
  params: { size: `${asked.size}`, rounds: `${asked.rounds}` },
  ...{ inputHash: sha256Hex(fromHex(asked.seed)), inputBytes: fromHex(asked.seed).length },
});

export function createTrial({ log, catalogue, gpus, engine, send, wake }: TrialOptions): Trial {
  let current: Current | null = null;
  let told = '';

  const decline = (challengeId: Hex32, detail: string): void => {
    log('info', 'gpu-test-declined', { challengeId, detail });
    send({ type: 'gpu-declined', challengeId, detail: detail.slice(0, 200) });
  };
  const commit = ({ challenge: { challengeId }, tree }: Current): void => {
    // Not connected: it is asked again then.
    if (tree !== null) send({ type: 'gpu-commitment', challengeId, root: tree.root });
  };

  /** Why it is not run; null: it may be. */
  function obstacle(asked: GpuChallenge, may: boolean): string | null {
    if (current !== null && current.lease !== null) return 'another test is under way';
    // The network may ask for what the signed catalogue calls a proof, and for nothing else without pay.
    const entry = findWorkload(catalogue(), asked.workload);
    if (entry?.gpu?.proves !== true) return 'the catalogue here has no such test';
    return may ? null : 'nothing more may run here now';
  }

  function challenged(asked: GpuChallenge, may: boolean): void {
    if (current?.challenge.challengeId === asked.challengeId) {
      commit(current);
      return;
    }
    const why = obstacle(asked, may);
    if (why !== null) {
      decline(asked.challengeId, why);
      return;
    }
    current = { challenge: asked, lease: leaseOf(asked), rows: [], tree: null, gpu: null };
    log('info', 'gpu-test', { size: asked.size, rounds: asked.rounds });
    wake();
  }

  function open({ challengeId, rows }: Extract<CoordinatorMessage, { type: 'gpu-openings' }>): void {
    const of = current;
    const tree = of?.tree ?? null;
    if (of === null || tree === null || of.challenge.challengeId !== challengeId) {
      decline(challengeId, 'the rows of this test are gone');
      return;
    }
    const openings = rows.flatMap((row) => {
      const digest = of.rows[row];
      return digest === undefined ? [] : [{ row, digest: toHex(digest), path: [...tree.pathOf(row)] }];
    });
    send({ type: 'gpu-opened', challengeId, openings });
  }

  function judged({ challengeId, verdict }: Extract<CoordinatorMessage, { type: 'gpu-verdict' }>): void {
    log(verdict.kind === 'proven' ? 'info' : 'warn', 'gpu-test-judged', { ...verdict });
    if (current?.challenge.challengeId !== challengeId) return;
    if (verdict.kind === 'refuted') current.gpu?.failed({ kind: 'proof-refuted', why: verdict.why });
    // Late while it still runs: what it would come to is of no matter any more.
    current = null;
    wake();
  }

  /** What a test could run on; null: that cannot be told just now. Its driver and how it is handed out are in the hash alone. */
  function setup(): Pick<Extract<DeviceMessage, { type: 'gpu-setup' }>, 'setup' | 'memoryBytes'> | null {
    const need = catalogue().entries.find(({ gpu }) => gpu?.proves === true)?.gpu ?? null;
    const [sensed, state] = [gpus(), engine()];
    if (sensed === 'unknown' || state.kind !== 'ready') return null;
    const { gpus: ways, version } = state;
    if (need === null || sensed === 'unavailable' || ways === undefined) return NO_GPU;
    const usable = sensed.filter((gpu) => misfit(gpu, need) === null && handOut(gpu, ways).kind === 'grant');
    if (usable.length === 0) return NO_GPU;
    const parts = usable.map(({ id, name, driver = '' }) => ({ id, name, driver }));
    const sizes = usable.map(({ memoryBytes }) => (typeof memoryBytes === 'number' ? memoryBytes : need.memoryBytes));
    return { setup: sha256Hex(utf8(canonicalJson({ version, parts }))), memoryBytes: Math.min(...sizes) };
  }

  return {
    lease: () => current?.lease ?? null,
    isOne: (leaseId) => current?.challenge.challengeId === leaseId,
    link: {
      download: async (_sha256, _bytes, path) => {
        await writeFile(path, fromHex(current?.challenge.seed ?? '0x'));
      },
      upload: async (_sha256, path) => {
        const bytes = new Uint8Array(await readFile(path));
        const of = current;
        const count = of === null ? 0 : of.challenge.size * of.challenge.rounds;
        if (of === null || bytes.length !== count * DIGEST_BYTES) return;
        of.rows = Array.from({ length: count }, (_, row) =>
          bytes.subarray(row * DIGEST_BYTES, (row + 1) * DIGEST_BYTES),
        );
        // In turns: whoever comes back meanwhile is yielded to as fast as ever.
        of.tree = await inTurns(rowTreeSteps(of.rows), () => new Promise((resolve) => setImmediate(resolve)));
      },
    },
    began(gpu) {
      if (current !== null) current.gpu = gpu;
    },
    ended(ending) {
      const of = current;
      if (of === null || of.lease === null) return;
      of.lease = null;
      if (of.tree !== null) {
        commit(of);
        return;
      }
      decline(of.challenge.challengeId, 'detail' in ending ? ending.detail : 'it was ended');
      current = null;
    },
    dropped(why) {
      if (current === null) return;
      decline(current.challenge.challengeId, why);
      current = null;
    },
    heard(message, may) {
      if (message.type === 'gpu-challenge') challenged(message, may({ lane: 'gpu', image: message.image }));
      else if (message.type === 'gpu-openings') open(message);
      else judged(message);
    },
    tell() {
      const said = setup();
      const text = JSON.stringify(said);
      // A device that never had a GPU has nothing to say.
      if (said === null || text === told || (told === '' && said === NO_GPU)) return;
      if (send({ type: 'gpu-setup', ...said })) told = text;
    },
    welcomed() {
      told = '';
    },
  };
}
