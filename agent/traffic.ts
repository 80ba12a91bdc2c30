import { asFailure } from '../core/errors.ts';
import {
  addedUp,
  type Carrier,
  type Direction,
  dayNameAt,
  daysOf,
  NO_USAGE,
  periodAt,
  type Rates,
  totalSince,
  type Usage,
  withBytes,
  withStored,
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
  let usage: Usage = NO_USAGE;
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

  const today = (): string => dayNameAt(clock.now(), clock.utcOffsetMinutes());

  function count(carrier: Carrier, direction: Direction, bytes: number): void {
    if (bytes <= 0 || closed) return;
    usage = withBytes(usage, today(), carrier, direction, bytes);
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
    if (!unsaved || saving) return;
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
    // What was counted meanwhile counts as well.
    if (before !== null) usage = addedUp(before, usage);
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
    piece: (direction) => shapers[direction].piece(),
    least: () => least,
    limit(rates: Rates) {
      shapers.in.limit(rates.in);
      shapers.out.limit(rates.out);
      const given = [rates.in.rate, rates.out.rate].filter((rate) => rate !== null);
      least = given.length === 0 ? null : Math.min(...given);
    },
    stored(bytes) {
      const day = today();
      if (closed || usage.days.find((one) => one.day === day)?.stored === bytes) return;
      usage = withStored(usage, day, bytes);
      unsaved = true;
      if (!ticking) tick();
    },
    view(resetDay) {
      const { from, resetsAt } = periodAt(clock.now(), clock.utcOffsetMinutes(), resetDay);
      const total = totalSince(usage, from);
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
    days: (count) => daysOf(usage, count, clock.now(), clock.utcOffsetMinutes()),
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
