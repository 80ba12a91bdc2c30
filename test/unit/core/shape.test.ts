import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Reason } from '../../../core/decide.ts';
import { asFailure, failed, isFailure } from '../../../core/errors.ts';
import { commandArguments } from '../../../core/ipc.ts';
import { perLane } from '../../../core/primitives.ts';
import { containerSpec, LABEL, limitUpdate } from '../../../core/sandbox.ts';
import { applyPatch, defaultSettings, parseSettings } from '../../../core/settings.ts';
import { mainReason, presenceOf } from '../../../core/snapshot.ts';
import { textIn } from '../../../core/text/index.ts';
import { coordinatorMessage, deviceMessage } from '../../../core/wire.ts';
import { ENTRY } from '../../fakes/world.ts';
import { PROBLEM, PROBLEMS, reasonsAt } from '../../support/situations.ts';

describe('the sandbox of every launch', () => {
  const labels = { lease: `0x${'1'.repeat(64)}`, device: `0x${'2'.repeat(40)}`, instance: 'i' } as const;
  const shares = fc.record({
    cpuCores: fc.double({ min: 0.01, max: 128, noNaN: true }),
    memoryBytes: fc.nat(),
    pids: fc.integer({ min: 32, max: 4096 }),
  });

  test('has nothing to reach and nothing to gain', () => {
    const spec = containerSpec(ENTRY, { cpuCores: 2, memoryBytes: 1e9, pids: 512 }, labels, '{"profile":1}');
    expect(spec).toMatchObject({
      ...{
        Image: ENTRY.image,
        User: '65534:65534',
        NetworkDisabled: true,
        OpenStdin: true,
        StdinOnce: true,
        Tty: false,
      },
      Labels: { [LABEL.lease]: labels.lease, [LABEL.device]: labels.device, [LABEL.instance]: 'i' },
      HostConfig: {
        ...{ NetworkMode: 'none', ReadonlyRootfs: true, Privileged: false, CapDrop: ['ALL'], IpcMode: 'private' },
        SecurityOpt: ['no-new-privileges:true', 'seccomp={"profile":1}'],
        ...{ LogConfig: { Type: 'none' }, RestartPolicy: { Name: 'no' }, OomScoreAdj: 1000, AutoRemove: false },
      },
    });
    expect(Object.keys(spec.HostConfig)).not.toEqual(expect.arrayContaining(['Binds', 'Mounts', 'Devices', 'CapAdd']));
    expect(spec.HostConfig.Tmpfs['/tmp']).toMatch(/^rw,noexec,nosuid,nodev,size=\d+,nr_inodes=\d+,mode=1777$/);
    expect(spec.Env).toEqual(expect.arrayContaining(['LD_PRELOAD=', 'LD_LIBRARY_PATH=']));
  });
  test('never exceeds the share nor the workload, and has no swap', () => {
    fc.assert(
      fc.property(shares, (share) => {
        const { HostConfig: host } = containerSpec(ENTRY, share, labels, '{}');
        expect(host.Memory).toBeLessThanOrEqual(Math.min(share.memoryBytes, ENTRY.limits.memoryBytes));
        expect(host.MemorySwap).toBe(host.Memory);
        // A period as long as the engine's own would let the word at the door wait that long.
        expect(host.CpuPeriod).toBe(20_000);
        const cores = Math.min(share.cpuCores, ENTRY.limits.cpuCores);
        expect(host.CpuQuota).toBeLessThanOrEqual(Math.max(1_000, Math.ceil(cores * 20_000)));
        expect(host.CpuQuota).toBeGreaterThanOrEqual(1_000);
        expect(limitUpdate(ENTRY, share)).toEqual({
          CpuPeriod: host.CpuPeriod,
          CpuQuota: host.CpuQuota,
          Memory: host.Memory,
          MemorySwap: host.Memory,
          PidsLimit: Math.min(share.pids, ENTRY.limits.pids),
        });
        expect(host.PidsLimit).toBe(Math.min(share.pids, ENTRY.limits.pids));
      }),
    );
  });
});

describe('settings', () => {
  const settings = defaultSettings();
  test('are read again as they were written', () => {
    expect(parseSettings(JSON.parse(JSON.stringify(settings)))).toEqual(settings);
  });
  test('of the version without a version are upgraded', () => {
    expect(parseSettings({ idleMinutes: 5 })).toMatchObject({ version: 3, rules: { idleAfterSeconds: 300 } });
  });
  test.each<[unknown, string]>([
    [{ version: 4 }, 'version'],
    [{ version: 1, limits: { cpuPercent: 101 } }, 'limits.cpuPercent'],
    [{ version: 1, limits: { cpuPercent: '50' } }, 'limits.cpuPercent'],
    [{ version: 1, tpyo: true }, ''],
    [{ version: 1, coordinatorUrl: 'ftp://x' }, 'coordinatorUrl'],
    [null, ''],
    ['text', ''],
  ])('%j is broken, and the message says where', (value, where) => {
    expect(() => parseSettings(value)).toThrow(expect.objectContaining({ code: 'SETTINGS_BROKEN' }));
    expect(() => parseSettings(value)).toThrow(where);
  });
  test('a patch changes what it names and nothing else, or is refused whole', () => {
    const patched = applyPatch(settings, { limits: { cpuPercent: 10 } });
    expect(patched).toEqual({ ...settings, limits: { ...settings.limits, cpuPercent: 10 } });
    expect(() => applyPatch(settings, { limits: { cpuPercent: 1 } })).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT' }),
    );
  });
  test('any value at all is read or refused with a code', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          parseSettings(value);
        } catch (error) {
          expect(isFailure(error, 'SETTINGS_BROKEN')).toBe(true);
        }
      }),
    );
  });
});

describe('what comes from outside', () => {
  const hostile = fc.oneof(
    fc.anything(),
    fc.record({ type: fc.constantFrom('hello', 'result', 'lease', 'receipt'), value: fc.anything() }),
  );
  test('messages and commands are refused without an exception', () => {
    fc.assert(
      fc.property(hostile, (value) => {
        expect(deviceMessage.safeParse(value).success).toBe(false);
        expect(coordinatorMessage.safeParse(value).success).toBe(false);
        for (const schema of Object.values(commandArguments)) schema.safeParse(value);
      }),
    );
  });
  test('what is thrown becomes a failure with a code', () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        expect(failed(thrown)).toMatchObject({ ok: false, failure: { code: 'INTERNAL' } });
      }),
    );
    expect(asFailure(new Error('x')).cause).toBeInstanceOf(Error);
  });
});

const reasons = reasonsAt(0);

describe.each(['en', 'ja'] as const)('sentences in %s', (language) => {
  const text = textIn(language);
  const at = { now: 0, utcOffsetMinutes: 0 };
  test('each reason has one of its own', () => {
    const said = Object.values(reasons).map((reason) => text.reason(reason, at));
    expect(new Set(said).size).toBe(said.length);
    for (const sentence of said) expect(sentence).not.toMatch(/undefined|NaN|^$/);
  });
  test('each problem has a title and advice', () => {
    const said = PROBLEMS.map((problem) => text.problem(problem));
    expect(new Set(said.map((entry) => entry.title)).size).toBe(said.length);
    for (const { title, advice } of said) expect(`${title} ${advice}`).not.toMatch(/undefined|NaN/);
  });
  test('a pause without an end names none', () => {
    expect(text.reason({ kind: 'paused', until: 'resumed' }, at)).not.toMatch(/\d/);
  });
});

test('presence and the reason that matters', () => {
  const held = (reason: Reason) => ({ kind: 'hold', reason }) as const;
  const lanes = perLane((lane) => held(lane === 'cpu' ? reasons['in-use'] : reasons['lane-not-offered']));
  expect(mainReason(lanes)).toEqual(reasons['in-use']);
  expect(presenceOf(lanes, [])).toBe('waiting');
  expect(presenceOf(lanes, [PROBLEM['chain-away']])).toBe('attention');
  expect(presenceOf({ ...lanes, cpu: { kind: 'run' } }, [PROBLEM['chain-away']])).toBe('sharing');
  expect(presenceOf({ ...lanes, cpu: held(reasons.paused) }, [])).toBe('paused');
  expect(mainReason({ ...lanes, cpu: { kind: 'run' } })).toBeNull();
  // What is lent goes on beside the owner, and does not make the tray say that the machine is shared.
  expect(presenceOf({ ...lanes, storage: { kind: 'run' } }, [])).toBe('waiting');
  expect(mainReason({ ...lanes, storage: { kind: 'run' } })).toEqual(reasons['in-use']);
  const alone = { ...lanes, cpu: held(reasons['lane-off']), storage: { kind: 'run' } } as const;
  expect([presenceOf(alone, []), mainReason(alone)]).toEqual(['sharing', null]);
});
