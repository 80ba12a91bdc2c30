import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DeviceFile, GpuPlace, GpuReading, Sensed } from '../../core/signals.ts';
import type { Source } from '../ports.ts';

const SLOW = { rest: 60_000, ready: 10_000, watch: 2_000 } as const;

/** `unavailable`: no such file. `unknown`: the driver refuses just now. */
const text = async (...path: readonly string[]): Promise<Sensed<string>> => {
  try {
    return (await readFile(join(...path), 'utf8')).trim();
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'unavailable' : 'unknown';
  }
};
const number = async (...path: readonly string[]): Promise<Sensed<number>> => {
  const value = await text(...path);
  if (value === 'unavailable') return value;
  return /^-?\d+$/.test(value) ? Number(value) : 'unknown';
};
const entries = async (...path: readonly string[]): Promise<readonly string[]> => {
  try {
    return (await readdir(join(...path))).sort();
  } catch {
    return [];
  }
};
const isNumber = (value: Sensed<number>): value is number => typeof value === 'number';
const degrees = (millis: Sensed<number>): Sensed<number> => (isNumber(millis) ? millis / 1_000 : millis);

const CPU_CHIPS = new Set(['coretemp', 'k10temp', 'zenpower', 'cpu_thermal', 'scpi_sensors']);
const CPU_ZONES = new Set(['x86_pkg_temp', 'cpu-thermal', 'cpu_thermal', 'soc_thermal']);

/** The hottest processor sensor of hwmon, or of the thermal zones. See Documentation/hwmon/sysfs-interface of Linux. */
export function hwmonTemperature({ root = '/sys' }: { readonly root?: string } = {}): Source<number> {
  const hottest = (millis: readonly Sensed<number>[]): Sensed<number> => {
    const known = millis.filter(isNumber);
    return known.length === 0 ? 'unknown' : Math.max(...known) / 1_000;
  };
  return {
    name: 'hwmon',
    every: SLOW,
    timeoutMs: 3_000,
    async read() {
      const inputs: (readonly string[])[] = [];
      for (const chip of await entries(root, 'class/hwmon')) {
        const place = join(root, 'class/hwmon', chip);
        if (!CPU_CHIPS.has(await text(place, 'name'))) continue;
        for (const file of await entries(place)) if (/^temp\d+_input$/.test(file)) inputs.push([place, file]);
      }
      if (inputs.length === 0) {
        for (const zone of await entries(root, 'class/thermal')) {
          const place = join(root, 'class/thermal', zone);
          if (CPU_ZONES.has(await text(place, 'type'))) inputs.push([place, 'temp']);
        }
      }
      if (inputs.length === 0) return 'unavailable';
      return hottest(await Promise.all(inputs.map((path) => number(...path))));
    },
  };
}

/** Whether a battery feeds the machine. See Documentation/ABI/testing/sysfs-class-power of Linux. */
export function sysfsPower({ root = '/sys' }: { readonly root?: string } = {}): Source<boolean> {
  return {
    name: 'power_supply',
    every: { ...SLOW, ready: 5_000 },
    timeoutMs: 3_000,
    async read() {
      const batteries: string[] = [];
      const feeds: Sensed<number>[] = [];
      for (const supply of await entries(root, 'class/power_supply')) {
        const place = join(root, 'class/power_supply', supply);
        const type = await text(place, 'type');
        // Mice, pads and pens have batteries of their own.
        if ((await text(place, 'scope')) === 'Device') continue;
        if (type === 'Mains' || type.startsWith('USB')) feeds.push(await number(place, 'online'));
        else if (type === 'UPS' || (type === 'Battery' && (await number(place, 'present')) !== 0))
          batteries.push(await text(place, 'status'));
      }
      if (batteries.length === 0) return 'unavailable';
      if (feeds.some((online) => isNumber(online) && online > 0)) return false;
      if (batteries.includes('Discharging')) return true;
      if (batteries.every((status) => status === 'Full' || status === 'Charging' || status === 'Not charging'))
        return false;
      return 'unknown';
    },
  };
}

type Vendor = { readonly id: 'amd' | 'intel'; readonly name: string };
const VENDORS: Readonly<Record<string, Vendor>> = {
  '0x1002': { id: 'amd', name: 'AMD' },
  '0x8086': { id: 'intel', name: 'Intel' },
};

/** A device file and who may use it, as its mode says; null: there is none. */
async function deviceFile(path: string, shown: string): Promise<DeviceFile | null> {
  try {
    const { mode, gid } = await stat(path);
    if ((mode & 0o006) === 0o006) return { path: shown, group: 'anyone' };
    return { path: shown, group: (mode & 0o060) === 0o060 ? gid : 0 };
  } catch {
    return null;
  }
}

/**
 * AMD's and Intel's GPUs, by PCI address; NVIDIA's own driver tells nothing here. `busyByOthersPercent` includes our own work.
 * See Documentation/gpu/amdgpu of Linux.
 */
export function sysfsGpus({
  root = '/sys',
  devices = '/dev',
}: {
  readonly root?: string;
  readonly devices?: string;
} = {}): Source<readonly GpuReading[]> {
  async function place(vendor: Vendor['id'], device: string): Promise<GpuPlace> {
    // The same device under its other name: the one to compute through, without a screen.
    const node = (await entries(device, 'drm')).find((name) => /^renderD\d+$/.test(name));
    return {
      vendor,
      render: node === undefined ? null : await deviceFile(join(devices, 'dri', node), `/dev/dri/${node}`),
      compute: vendor === 'amd' ? await deviceFile(join(devices, 'kfd'), '/dev/kfd') : null,
    };
  }
  async function card(name: string): Promise<GpuReading | null> {
    const device = join(root, 'class/drm', name, 'device');
    const vendor = VENDORS[await text(device, 'vendor')];
    if (vendor === undefined) return null;
    const id = basename(await realpath(device));
    const product = await text(device, 'product_name');
    const nameless = product === '' || product === 'unavailable' || product === 'unknown';
    const named = { id, name: nameless ? `${vendor.name} ${await text(device, 'device')}` : product };
    const where = await place(vendor.id, device);
    // A question would wake it.
    if ((await text(device, 'power/runtime_status')) === 'suspended') {
      return {
        ...named,
        place: where,
        busyByOthersPercent: 0,
        memoryBytes: 'unavailable',
        memoryByOthersBytes: 0,
        temperatureC: 'unavailable',
      };
    }
    const sensors = join(device, 'hwmon');
    const chip = (await entries(sensors))[0];
    return {
      ...named,
      place: where,
      busyByOthersPercent: await number(device, 'gpu_busy_percent'),
      memoryBytes: await number(device, 'mem_info_vram_total'),
      memoryByOthersBytes: await number(device, 'mem_info_vram_used'),
      temperatureC: chip === undefined ? 'unavailable' : degrees(await number(sensors, chip, 'temp1_input')),
    };
  }
  return {
    name: 'DRM',
    every: { rest: 60_000, ready: 5_000, watch: 1_000 },
    timeoutMs: 3_000,
    async read() {
      const cards = (await entries(root, 'class/drm')).filter((name) => /^card\d+$/.test(name));
      const found = (await Promise.all(cards.map(card))).filter((reading) => reading !== null);
      return found.length === 0 ? 'unavailable' : found;
    },
  };
}
