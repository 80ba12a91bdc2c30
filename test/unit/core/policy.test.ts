import { describe, expect, test } from 'vitest';
import { policyOf } from '../../../core/policy.ts';
import { applyPatch, defaultSettings, parseSettings, settingsPatch } from '../../../core/settings.ts';

const MIB = 1024 * 1024;
const settings = defaultSettings();

describe('settings of older versions', () => {
  test('keep what the owner had chosen', () => {
    const old = { version: 1, idleAfterSeconds: 600, shareOnBattery: true, lanes: { cpu: false } };
    expect(parseSettings({ ...old, limits: { cpuPercent: 20 } })).toEqual({
      ...settings,
      rules: { ...settings.rules, idleAfterSeconds: 600, shareOnBattery: true },
      lanes: { ...settings.lanes, cpu: { share: 'never', rules: {} } },
      limits: { ...settings.limits, cpuPercent: 20 },
    });
    expect(parseSettings({ version: 1 })).toEqual(settings);
    expect(parseSettings({ version: 1, lanes: { cpu: true } })).toEqual(settings);
    expect(parseSettings({})).toEqual(settings);
    const second = { version: 2, lanes: { gpu: { share: 'always' } }, limits: { network: { monthlyCapGiB: 80 } } };
    expect(parseSettings(second)).toEqual({
      ...settings,
      lanes: { ...settings.lanes, gpu: { share: 'always', rules: {} } },
      limits: { ...settings.limits, network: { ...settings.limits.network, monthlyCapGiB: 80 } },
    });
    // Nobody who updates lends a disk that they never offered.
    expect([settings.lanes.storage.share, settings.lanes.bandwidth.share]).toEqual(['never', 'never']);
  });
  test.each<[unknown, string]>([
    [{ version: 1, idleAfterSeconds: 1 }, 'rules.idleAfterSeconds'],
    [{ version: 1, lanes: { cpu: true, tpyo: 1 } }, 'lanes'],
    [{ version: 1, lanes: { cpu: 'yes' } }, 'lanes.cpu'],
    [{ version: 2, idleAfterSeconds: 60 }, ''],
    [{ version: 2, rules: { cpuBusyPercent: 0 } }, 'rules.cpuBusyPercent'],
    [{ version: 2, gpus: { a: { share: 'sometimes' } } }, 'gpus.a.share'],
    [{ version: 2, games: { own: [' x '] } }, 'games.own.0'],
    [{ version: 2, schedule: { week: [] } }, 'schedule.week'],
    [{ version: 3, lanes: { storage: { share: 'when-idle' } } }, 'lanes.storage.share'],
    [{ version: 3, limits: { storage: { folder: 'relative/path' } } }, 'limits.storage.folder'],
    [{ version: 3, limits: { network: { resetDay: 29 } } }, 'limits.network.resetDay'],
    [{ version: 4 }, 'version'],
  ])('%j is broken at %s', (value, where) => {
    expect(() => parseSettings(value)).toThrow(expect.objectContaining({ code: 'SETTINGS_BROKEN' }));
    expect(() => parseSettings(value)).toThrow(where);
  });
});

describe('a patch', () => {
  const change = (patch: unknown, from = settings) => applyPatch(from, settingsPatch.parse(patch));
  test('changes one rule of one lane, or of one GPU', () => {
    const lane = change({ lanes: { gpu: { rules: { gpuBusyPercent: 50 } } } });
    expect(lane.lanes).toEqual({ ...settings.lanes, gpu: { share: 'when-idle', rules: { gpuBusyPercent: 50 } } });
    const gpu = change({ gpus: { 'gpu-a': { share: 'always' } } }, lane);
    expect(gpu.gpus).toEqual({ 'gpu-a': { share: 'always', rules: {} } });
    const more = change({ gpus: { 'gpu-a': { rules: { restForMedia: false } }, 'gpu-b': { share: 'never' } } }, gpu);
    expect(more.gpus['gpu-a']).toEqual({ share: 'always', rules: { restForMedia: false } });
    expect(Object.keys(more.gpus)).toEqual(['gpu-a', 'gpu-b']);
    expect(more.lanes).toEqual(lane.lanes);
  });
  test('gives a rule back to what holds in general', () => {
    const own = change({ lanes: { cpu: { rules: { idleAfterSeconds: 60, cpuBusyPercent: null } } } });
    expect(policyOf(own).lanes.cpu).toMatchObject({ idleAfterSeconds: 60, cpuBusyPercent: null });
    const back = change({ lanes: { cpu: { rules: { idleAfterSeconds: undefined } } } }, own);
    expect(policyOf(back).lanes.cpu).toMatchObject({ idleAfterSeconds: 180, cpuBusyPercent: null });
    expect(parseSettings(JSON.parse(JSON.stringify(back)))).toEqual(back);
  });
  test('replaces lists and the schedule whole', () => {
    const week = Array.from({ length: 7 }, () => '1'.repeat(24));
    const taught = change({ games: { own: ['blender'] }, schedule: { week } });
    expect(taught.games).toEqual({ own: ['blender'], ignored: [] });
    expect(taught.schedule).toEqual({ timeZone: 'system', week });
    expect(change({ games: { own: [] }, schedule: null }, taught)).toEqual(settings);
  });
  test('changes what is lent, but for the folder, which no window names', () => {
    const lent = change({
      lanes: { storage: { share: 'always' }, bandwidth: { share: 'when-idle' } },
      limits: { storage: { lendGiB: 200 }, bandwidth: { cacheGiB: 5 }, network: { resetDay: 15 } },
    });
    expect(lent.lanes.storage).toEqual({ share: 'always', rules: {} });
    expect(lent.limits.storage).toEqual({ lendGiB: 200, minFreeGiB: 20, folder: null });
    expect(lent.limits.bandwidth).toEqual({ cacheGiB: 5 });
    expect(lent.limits.network).toEqual({ ...settings.limits.network, resetDay: 15 });
    expect(settingsPatch.safeParse({ limits: { storage: { folder: '/etc' } } }).success).toBe(false);
    const placed = { ...lent, limits: { ...lent.limits, storage: { ...lent.limits.storage, folder: 'D:\\lent' } } };
    expect(parseSettings(JSON.parse(JSON.stringify(placed)))).toEqual(placed);
    expect(change({ limits: { storage: { folder: null } } }, placed).limits.storage.folder).toBeNull();
  });
  test('cannot touch sharing, which has commands of its own', () => {
    expect(settingsPatch.safeParse({ sharing: { mode: 'now' } }).success).toBe(false);
  });
});

describe('the policy', () => {
  test('of a lane is the general rule but for its own', () => {
    const { lanes, minFreeDiskBytes, draining, pausedUntil, mode } = policyOf(settings);
    expect(lanes.cpu).toEqual({ ...settings.rules, share: 'when-idle' });
    expect([lanes.bandwidth.share, lanes.storage.share]).toEqual(['never', 'never']);
    expect([minFreeDiskBytes, draining, pausedUntil, mode]).toEqual([2048 * MIB, false, null, 'when-idle']);
  });
  test('lets storage stay whatever the owner does, and bandwidth as they chose', () => {
    const own = applyPatch(settings, {
      rules: { shareOnBattery: true },
      lanes: { storage: { share: 'always', rules: { followSchedule: true } }, bandwidth: { share: 'always' } },
    });
    const { storage, bandwidth } = policyOf(own).lanes;
    expect(storage).toMatchObject({
      share: 'always',
      restForGames: false,
      cpuBusyPercent: null,
      maxTemperatureC: null,
    });
    expect(storage).toMatchObject({ followSchedule: true, shareOnBattery: true, shareOnMetered: false });
    expect(bandwidth).toMatchObject({ restForGames: false, cpuBusyPercent: 60, followSchedule: true });
    const idle = policyOf(applyPatch(own, { lanes: { bandwidth: { share: 'when-idle' } } })).lanes.bandwidth;
    expect(idle).toEqual({ ...own.rules, share: 'when-idle' });
  });
  test('of a GPU is its own, else its lane’s; a lane that is off is off for each', () => {
    const own = applyPatch(settings, {
      lanes: { gpu: { share: 'always', rules: { gpuBusyPercent: 40, idleAfterSeconds: 30 } } },
      gpus: { 'gpu-a': { share: 'when-idle', rules: { idleAfterSeconds: 900 } } },
    });
    const policy = policyOf(own);
    expect(policy.gpu('gpu-a')).toMatchObject({ share: 'when-idle', gpuBusyPercent: 40, idleAfterSeconds: 900 });
    expect(policy.gpu('gpu-b')).toMatchObject({ share: 'always', gpuBusyPercent: 40, idleAfterSeconds: 30 });
    const off = policyOf(applyPatch(own, { lanes: { gpu: { share: 'never' } } }));
    expect([off.gpu('gpu-a').share, off.gpu('gpu-b').share]).toEqual(['never', 'never']);
  });
  test('knows no GPU by a name that objects have anyway', () => {
    expect(policyOf(settings).gpu('constructor')).toEqual(policyOf(settings).lanes.gpu);
    expect(policyOf(settings).gpu('toString')).toEqual(policyOf(settings).lanes.gpu);
  });
});
