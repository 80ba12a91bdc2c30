import { asFailure } from '../core/errors.ts';
import {
  type Carrier,
  type Direction,
  monthAt,
  type Rates,
  totalOf,
  type Usage,
  usageIn,
  withBytes,
} from '../core/traffic.ts';
import type { Ports, Traffic, TrafficStore } from './ports.ts';
import { createShaper } from './shaper.ts';

/** Between two writes: what `kill -9` may lose. */
const SAVE_MS = 1_000;
/** The rate that is shown is of so many of these. */
const SHOWN = 5;

type TrafficOptions = Pick<Ports, 'clock' | 'log'> & { readonly store: TrafficStore };

/** Counts every byte that enters or leaves the machine for our sake, and holds streams back to the owner's rates. */
export function createTraffic({ clock, log, store }: TrafficOptions): Traffic {
  const shapers = { in: createShaper(clock), out: createShaper(clock) };
  const listeners = new Set<() => void>();
  let usage: Usage | null = null;
  let loaded: Promise<void> | null = null;
  let unsaved = false;
  let saving = false;
  let complained = false;
  let closed = false;
  let ticking = false;
  let cancel = (): void => undefined;
  /** Bytes of the last seconds, the newest first. */
  let recent: readonly { readonly in: number; readonly out: number }[] = [];
  let since = { in: 0, out: 0 };
  let least: number | null = null;

  const current = (): Usage => usageIn(usage, monthAt(clock.now(), clock.utcOffsetMinutes()).month);

  function count(carrier: Carrier, direction: Direction, bytes: number): void {
    if (bytes <= 0 || closed) return;
    usage = withBytes(current(), carrier, direction, bytes);
    since = { ...since, [direction]: since[direction] + bytes };
    unsaved = true;
    if (!ticking) tick();
  }

  function tick(): void {
    ticking = true;
    cancel = clock.after(SAVE_MS, () => {
      recent = [since, ...recent].slice(0, SHOWN);
      since = { in: 0, out: 0 };
      void save();
      const quiet = recent.every((one) => one.in + one.out === 0);
      ticking = false;
      if (!quiet || unsaved) tick();
      for (const listener of [...listeners]) listener();
    });
  }

  async function save(): Promise<void> {
    if (!unsaved || saving || usage === null) return;
    saving = true;
    unsaved = false;
    try {
      await store.save(usage);
      complained = false;
    } catch (error) {
      unsaved = true;
      if (!complained) log('warn', 'traffic-not-written', { detail: asFailure(error).message });
      complained = true;
    } finally {
      saving = false;
    }
  }

  async function load(): Promise<void> {
    const before = await store.load();
    if (before === null) return;
    // What was counted meanwhile is of this month too.
    const { month } = monthAt(clock.now(), clock.utcOffsetMinutes());
    let sum = usageIn(before, month);
    const here = usage?.month === sum.month ? usage.carriers : null;
    for (const carrier of Object.keys(here ?? {}) as Carrier[]) {
      sum = withBytes(sum, carrier, 'in', here?.[carrier].in ?? 0);
      sum = withBytes(sum, carrier, 'out', here?.[carrier].out ?? 0);
    }
    usage = sum;
  }

  return {
    load() {
      loaded ??= load();
      return loaded;
    },
    add(carrier, direction, bytes) {
      shapers[direction].charge(bytes);
      count(carrier, direction, bytes);
    },
    passage(carrier) {
      const ways = { in: shapers.in.stream(), out: shapers.out.stream() };
      return async (direction, bytes, signal) => {
        await ways[direction](bytes, signal);
        count(carrier, direction, bytes);
      };
    },
    least: () => least,
    limit(rates: Rates) {
      shapers.in.limit(rates.in);
      shapers.out.limit(rates.out);
      const given = [rates.in.rate, rates.out.rate].filter((rate) => rate !== null);
      least = given.length === 0 ? null : Math.min(...given);
    },
    view() {
      const { resetsAt } = monthAt(clock.now(), clock.utcOffsetMinutes());
      const total = totalOf(current());
      const mean = (direction: Direction): number =>
        Math.round(recent.reduce((sum, one) => sum + one[direction], 0) / Math.max(1, recent.length));
      return {
        monthBytesIn: total.in,
        monthBytesOut: total.out,
        resetsAt,
        inPerSecond: mean('in'),
        outPerSecond: mean('out'),
      };
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await save();
      closed = true;
      cancel();
      listeners.clear();
      shapers.in.close();
      shapers.out.close();
    },
  };
}
