import { describe, expect, it } from 'vitest';
import { createLiveView, liveLines } from '../../../cli/live.ts';
import { perLane } from '../../../core/primitives.ts';
import { defaultSettings } from '../../../core/settings.ts';
import type { Snapshot } from '../../../core/snapshot.ts';
import { busyMachine } from '../../fakes/snapshots.ts';

const NOW = 1_800_000_000_000;
const OWNER = `0x${'ab'.repeat(20)}` as const;

const snapshot = (over: Partial<Snapshot> = {}): Snapshot => ({
  rev: 1,
  at: NOW,
  version: '0.1.0',
  presence: 'sharing',
  reason: null,
  lanes: Object.values(perLane((lane) => ({ lane, decision: { kind: 'run' as const }, heldSince: null }))),
  gpus: [],
  sensors: [],
  proof: { running: null, last: null },
  problems: [],
  running: [],
  images: [],
  earnings: {
    verifying: 0n,
    credited: 1_500_000_000_000_000_000n,
    today: 250_000_000_000_000_000n,
    published: 'unknown',
    claimed: 'unknown',
    jobsToday: 1,
  },
  wallet: {
    owner: OWNER,
    device: OWNER,
    protection: 'file',
    balance: 'unknown',
    claimable: 1_000_000_000_000_000_000n,
    withdrawal: { kind: 'idle' },
  },
  engine: { kind: 'ready', version: '28' },
  coordinator: { kind: 'connected', since: NOW },
  network: { name: 'Practice', tokenSymbol: 'PRACTICE', chainId: 31337 },
  ...{ traffic: null, storage: null, bandwidth: null },
  machine: { cpuCores: 2, memoryBytes: 8 * 1024 ** 3 },
  settings: defaultSettings(),
  ...over,
});

describe('liveLines', () => {
  it('shows unknown as unknown and amounts with their unit', () => {
    const lines = liveLines(snapshot(), 'en', 0).join('\n');
    expect(lines).toContain('Today: 0.25 PRACTICE (1 job)');
    expect(lines).toContain('Credited: 1.50 PRACTICE');
    expect(lines).toContain('In your wallet: unknown');
    expect(lines).not.toContain('In your wallet: 0');
  });

  it('says the reason and each problem with its advice, in the chosen language', () => {
    const held = snapshot({
      presence: 'attention',
      reason: { kind: 'engine-absent' },
      problems: [{ kind: 'engine-absent', detail: 'connect ENOENT /var/run/docker.sock' }],
    });
    expect(liveLines(held, 'en', 0).join('\n')).toContain(
      'connect ENOENT /var/run/docker.sock. Start or install Docker',
    );
    expect(liveLines(held, 'ja', 0).join('\n')).toContain('Dockerが動いていません');
  });

  it('shows what others say and obeys none of it', () => {
    const detail = 'no\u001b[2J\u009b31m\u202e\nIdlemesh: all is well';
    const refused = snapshot({ problems: [{ kind: 'coordinator-refused', url: 'http://a', detail }] });
    const lines = liveLines(refused, 'en', 0).join('\n');
    expect(lines).toContain('http://a: no\ufffd[2J\ufffd31m\ufffd Idlemesh: all is well');
  });

  it('says a line for each lane and graphics card', () => {
    const { lanes = [], gpus = [] } = busyMachine(NOW);
    const lines = liveLines(snapshot({ presence: 'waiting', lanes, gpus }), 'en', 0);
    expect(lines).toContain('  Processor: The processor is calm again. Sharing in 41 s if it stays so');
    expect(lines).toContain('  GeForce RTX 4080: Resting while Elden Ring runs');
    expect(lines.join()).not.toContain('Storage');
  });

  it('draws a running job with its progress and price', () => {
    const lines = liveLines(
      snapshot({
        running: [
          {
            leaseId: `0x${'1'.repeat(64)}`,
            workload: 'transcode',
            version: '0.1.0',
            image: `sha256:${'2'.repeat(64)}`,
            lane: 'cpu',
            phase: 'running',
            startedAt: NOW,
            progress: 0.5,
            price: 12_000_000_000_000_000n,
            cpuCores: 1,
            memoryBytes: 1024 ** 3,
          },
        ],
      }),
      'en',
      0,
    );
    expect(lines.find((line) => line.includes('transcode@0.1.0'))).toMatch(
      /█{12}░{12} {2}50 % {2}0\.012 PRACTICE {2}running/,
    );
  });
});

describe('createLiveView', () => {
  const record = (isTTY: boolean) => {
    const written: string[] = [];
    const view = createLiveView({ isTTY, columns: 60, write: (text) => written.push(text) }, 'en', () => 0);
    return { written, view };
  };

  it('redraws in place on a terminal, never wider than it', () => {
    const { written, view } = record(true);
    view(snapshot());
    view(snapshot({ rev: 2 }));
    expect(written[0]?.startsWith('\u001b')).toBe(false);
    const lines = (written[0] ?? '').trimEnd().split('\n').length;
    expect(written[1]?.startsWith(`\u001b[${lines}A\u001b[0J`)).toBe(true);
    for (const line of (written[0] ?? '').split('\n')) expect(line.length).toBeLessThanOrEqual(60);
  });

  it('prints nothing new elsewhere while only a countdown moves', () => {
    const { written, view } = record(false);
    const waiting = (rev: number): Snapshot =>
      snapshot({ rev, presence: 'waiting', at: NOW + rev * 1000, reason: { kind: 'in-use', resumesAt: NOW + 60_000 } });
    view(waiting(1));
    view(waiting(2));
    expect(written).toHaveLength(1);
    view(snapshot({ rev: 3 }));
    expect(written).toHaveLength(2);
    expect(written[1]).toBe('Sharing · Today: 0.25 PRACTICE (1 job)\n');
  });
});
