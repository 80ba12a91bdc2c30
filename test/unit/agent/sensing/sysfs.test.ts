import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hwmonTemperature, sysfsGpus, sysfsPower } from '../../../../agent/adapters/sysfs.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sys-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function tree(files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${content}\n`);
  }
}
const supply = (name: string, facts: Readonly<Record<string, string>>): void =>
  tree(Object.fromEntries(Object.entries(facts).map(([key, value]) => [`class/power_supply/${name}/${key}`, value])));

describe('temperature', () => {
  const read = () => hwmonTemperature({ root }).read();

  it('is that of the hottest processor sensor, whatever disks and boards say', async () => {
    tree({
      'class/hwmon/hwmon0/name': 'nvme',
      'class/hwmon/hwmon0/temp1_input': '91000',
      'class/hwmon/hwmon1/name': 'coretemp',
      'class/hwmon/hwmon1/temp1_input': '52000',
      'class/hwmon/hwmon1/temp1_max': '100000',
      'class/hwmon/hwmon1/temp2_input': '61500',
    });
    expect(await read()).toBe(61.5);
  });
  it.each(['k10temp', 'zenpower', 'cpu_thermal'])('knows %s', async (name) => {
    tree({ 'class/hwmon/hwmon0/name': name, 'class/hwmon/hwmon0/temp1_input': '40125' });
    expect(await read()).toBe(40.125);
  });
  it('falls back to the thermal zone of the package', async () => {
    tree({
      'class/thermal/thermal_zone0/type': 'acpitz',
      'class/thermal/thermal_zone0/temp': '27800',
      'class/thermal/thermal_zone1/type': 'x86_pkg_temp',
      'class/thermal/thermal_zone1/temp': '48000',
    });
    expect(await read()).toBe(48);
  });
  it('is in doubt when the sensor speaks nonsense, and unavailable without one', async () => {
    expect(await read()).toBe('unavailable');
    tree({ 'class/hwmon/hwmon0/name': 'coretemp', 'class/hwmon/hwmon0/temp1_input': 'N/A' });
    expect(await read()).toBe('unknown');
  });
});

describe('power', () => {
  const read = () => sysfsPower({ root }).read();
  const battery = (status: string): void => supply('BAT0', { type: 'Battery', present: '1', status });

  it('is unavailable on a desktop, also with a mouse that has a battery', async () => {
    expect(await read()).toBe('unavailable');
    supply('hidpp_battery_0', { type: 'Battery', scope: 'Device', status: 'Discharging' });
    supply('AC', { type: 'Mains', online: '1' });
    expect(await read()).toBe('unavailable');
  });
  it.each([
    ['1', 'Charging', false],
    ['1', 'Discharging', false],
    ['0', 'Discharging', true],
    ['0', 'Unknown', 'unknown'],
  ] as const)('with the mains at %s and the battery %s: %s', async (online, status, expected) => {
    battery(status);
    supply('AC', { type: 'Mains', online });
    supply('ucsi-source-psy-1', { type: 'USB', online: '0' });
    expect(await read()).toBe(expected);
  });
  it('believes the battery where no mains are listed, and a charger at a USB port', async () => {
    battery('Discharging');
    expect(await read()).toBe(true);
    battery('Full');
    expect(await read()).toBe(false);
    battery('Discharging');
    supply('ucsi-source-psy-1', { type: 'USB', online: '1' });
    expect(await read()).toBe(false);
  });
  it('ignores an empty bay, minds an uninterruptible supply', async () => {
    supply('BAT1', { type: 'Battery', present: '0', status: 'Unknown' });
    expect(await read()).toBe('unavailable');
    supply('hiddev0', { type: 'UPS', status: 'Discharging' });
    expect(await read()).toBe(true);
  });
});

describe('GPUs', () => {
  const read = () => sysfsGpus({ root, devices: join(root, 'dev') }).read();
  function card(name: string, address: string, files: Readonly<Record<string, string>>): void {
    tree(Object.fromEntries(Object.entries(files).map(([key, value]) => [`devices/${address}/${key}`, value])));
    mkdirSync(join(root, 'class/drm', name), { recursive: true });
    symlinkSync(join(root, 'devices', address), join(root, 'class/drm', name, 'device'));
  }
  const AMD = {
    vendor: '0x1002',
    device: '0x744c',
    gpu_busy_percent: '37',
    mem_info_vram_total: '25753026560',
    mem_info_vram_used: '1170456576',
    'hwmon/hwmon4/temp1_input': '54000',
  };

  it('are unavailable without any, and not those of NVIDIA', async () => {
    expect(await read()).toBe('unavailable');
    card('card0', '0000:01:00.0', { vendor: '0x10de', device: '0x2684' });
    expect(await read()).toBe('unavailable');
  });
  it('tell of use, memory and heat on AMD, of little on Intel; connectors are no cards', async () => {
    card('card0', '0000:00:02.0', { vendor: '0x8086', device: '0x46a6' });
    card('card1', '0000:03:00.0', { ...AMD, product_name: 'Radeon RX 7900 XTX' });
    card('card1-DP-1', '0000:03:00.1', AMD);
    expect(await read()).toEqual([
      {
        ...{ id: '0000:00:02.0', name: 'Intel 0x46a6', busyByOthersPercent: 'unavailable' },
        ...{ memoryBytes: 'unavailable', memoryByOthersBytes: 'unavailable', temperatureC: 'unavailable' },
        place: { vendor: 'intel', render: null, compute: null },
      },
      {
        ...{ id: '0000:03:00.0', name: 'Radeon RX 7900 XTX', busyByOthersPercent: 37 },
        ...{ memoryBytes: 25753026560, memoryByOthersBytes: 1170456576, temperatureC: 54 },
        place: { vendor: 'amd', render: null, compute: null },
      },
    ]);
  });
  it('say through which files they compute, and who may use those', async () => {
    card('card0', '0000:03:00.0', { ...AMD, 'drm/card0/dev': '226:0', 'drm/renderD129/dev': '226:129' });
    tree({ 'dev/kfd': '', 'dev/dri/renderD129': '' });
    const [kfd, node] = [join(root, 'dev/kfd'), join(root, 'dev/dri/renderD129')];
    const group = statSync(kfd).gid;
    const render = (who: number | 'anyone') => ({ path: '/dev/dri/renderD129', group: who });
    const place = async () => (await read())[0] as { readonly place: unknown };
    chmodSync(kfd, 0o660);
    chmodSync(node, 0o666);
    const all = { vendor: 'amd', render: render('anyone'), compute: { path: '/dev/kfd', group } };
    expect(await place()).toMatchObject({ place: all });
    chmodSync(node, 0o600);
    expect(await place()).toMatchObject({ place: { ...all, render: render(0) } });
    rmSync(kfd);
    expect(await place()).toMatchObject({ place: { compute: null } });
  });
  it('does not wake one that sleeps, and doubts nonsense', async () => {
    card('card0', '0000:03:00.0', { ...AMD, 'power/runtime_status': 'suspended' });
    expect(await read()).toMatchObject([{ busyByOthersPercent: 0, temperatureC: 'unavailable' }]);
    tree({ 'devices/0000:03:00.0/power/runtime_status': 'active', 'devices/0000:03:00.0/gpu_busy_percent': '??' });
    expect(await read()).toMatchObject([{ busyByOthersPercent: 'unknown', temperatureC: 54 }]);
  });
});
