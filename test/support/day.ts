import { decide, freshMemory, type LaneDecision } from '../../core/decide.ts';
import type { Policy } from '../../core/policy.ts';
import { perLane } from '../../core/primitives.ts';
import type { Signals } from '../../core/signals.ts';
import { aGpu, calm, GIB } from './rules.ts';

const SECOND = 1_000;

/** `hh:mm:ss` since the trace's midnight as seconds; hours may pass 24. */
function secondsOf(time: string): number {
  const [h, m, s] = time.split(':').map(Number);
  return (h ?? 0) * 3_600 + (m ?? 0) * 60 + (s ?? 0);
}
const pad = (value: number): string => String(value).padStart(2, '0');
const timeOf = (seconds: number): string =>
  `${pad(Math.floor(seconds / 3_600))}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;

/** What a line of a trace says of the machine; input has its own verbs: `uses` (until `leaves`) and `touches` (once). */
const VERBS: Readonly<Record<string, (what: string, now: Signals) => Partial<Signals>>> = {
  uses: () => ({}),
  leaves: () => ({}),
  touches: () => ({}),
  locks: () => ({ locked: true }),
  unlocks: () => ({ locked: false }),
  game: (name) => ({ games: name === 'none' ? [] : [{ name }] }),
  fullscreen: (name) => ({ fullscreen: name === 'none' ? null : { name } }),
  media: (name) => ({ media: name === 'none' ? null : { name } }),
  cpu: (percent) => ({ cpuByOthersPercent: Number(percent) }),
  gpu: (percent) => ({ gpus: [aGpu({ busyByOthersPercent: Number(percent) })] }),
  vram: (gib) => ({ gpus: [aGpu({ memoryByOthersBytes: Number(gib) * GIB })] }),
  power: (source) => ({ onBattery: source === 'battery' }),
  network: (kind) => ({ metered: kind === 'metered' }),
  hot: (celsius) => ({ temperatureC: Number(celsius) }),
  sensor: (what) => ({ [what.split(' ')[0] ?? '']: 'unknown' }),
  coordinator: (what) => ({
    coordinator: what === 'away' ? { kind: 'connecting' } : { kind: 'connected', since: 0 },
  }),
  lease: (count) => ({ leases: perLane(() => Number(count)) }),
  ends: () => ({}),
};

type Event = { readonly at: number; readonly verb: string; readonly what: string };
function parse(trace: string): readonly Event[] {
  return trace
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [time = '', verb = '', ...rest] = line.split(/\s+/);
      if (!(verb in VERBS)) throw new Error(`no such verb in a trace: ${line}`);
      return { at: secondsOf(time), verb, what: rest.join(' ') };
    });
}

const said = (decision: LaneDecision): string => {
  if (decision.kind === 'run') return 'run';
  const { reason } = decision;
  if (reason.kind === 'settling') return `settling after ${reason.after}`;
  if (reason.kind === 'sensor-unknown') return `sensor-unknown ${reason.sensor}`;
  return 'name' in reason ? `${reason.kind} ${reason.name}` : reason.kind;
};

/**
 * Steps a trace through `decide`, second by second, and tells every change: `hh:mm:ss lane state`, or `both` where cpu and gpu
 * lane do the same. `midnight`: ISO time that the trace's 00:00:00 stands for.
 */
export function replay(
  trace: string,
  { policy, midnight, timeZone = 'UTC' }: { policy: Policy; midnight: string; timeZone?: string },
): readonly string[] {
  const events = parse(trace);
  const [first, last] = [events[0]?.at ?? 0, events.at(-1)?.at ?? 0];
  const origin = Date.parse(midnight);
  let signals = calm({ onBattery: false, timeZone });
  let memory = freshMemory();
  let present = false;
  let lastInput = first;
  const was = { cpu: '', gpu: '' };
  const timeline: string[] = [];
  for (let second = first; second <= last; second += 1) {
    for (const { verb, what } of events.filter(({ at }) => at === second)) {
      signals = { ...signals, ...VERBS[verb]?.(what, signals) };
      if (verb === 'uses') present = true;
      if (verb === 'uses' || verb === 'leaves' || verb === 'touches') lastInput = second;
      if (verb === 'leaves') present = false;
    }
    if (present) lastInput = second;
    const idleMs = signals.idleMs === 'unknown' ? 'unknown' : (second - lastInput) * SECOND;
    const decision = decide({ ...signals, now: origin + second * SECOND, idleMs }, policy, memory);
    memory = decision.memory;
    const now = { cpu: said(decision.lanes.cpu), gpu: said(decision.lanes.gpu) };
    const lanes = (['cpu', 'gpu'] as const).filter((lane) => now[lane] !== was[lane]);
    if (lanes.length === 2 && now.cpu === now.gpu) timeline.push(`${timeOf(second)} both ${now.cpu}`);
    else for (const lane of lanes) timeline.push(`${timeOf(second)} ${lane} ${now[lane]}`);
    Object.assign(was, now);
  }
  return timeline;
}
