import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import type { Sensed } from '../../core/signals.ts';
import type { IdleSource, Process, Source } from '../ports.ts';
import { type Resident, type ResidentOptions, resident } from './resident.ts';

const STALE_MS = 10_000;
const MAX_PARENTS = 12;

/** What the scripts in resources/sensors say. null: doubt; 'none': this machine has no such thing; not there: not asked by this script. */
const lineSchema = z.strictObject({
  idleMs: z.number().min(0),
  locked: z.boolean().nullable(),
  fullscreen: z.strictObject({ name: z.string() }).nullable(),
  /** Something keeps the screen awake. */
  awake: z.boolean().nullable().optional(),
  playing: z.string().nullable().optional(),
  onBattery: z
    .union([z.boolean(), z.literal('none')])
    .nullable()
    .optional(),
  metered: z
    .union([z.boolean(), z.literal('none')])
    .nullable()
    .optional(),
  /** Pid, parent, name, path; not there: as before. */
  processes: z.array(z.tuple([z.number(), z.number(), z.string(), z.string().nullable()])).optional(),
});
type Line = z.output<typeof lineSchema>;
export type DesktopFacts = Omit<Line, 'processes'> & { readonly processes: Sensed<readonly Process[]> };

/** Keeps the list of programs from one line to the next: it is said only when it changes. */
export function desktopLines(): (line: string) => DesktopFacts {
  let processes: Sensed<readonly Process[]> = 'unknown';
  return (text) => {
    const line = lineSchema.parse(JSON.parse(text));
    if (line.processes !== undefined) processes = withParents(line.processes);
    return { ...line, processes };
  };
}

function withParents(list: NonNullable<Line['processes']>): readonly Process[] {
  const byPid = new Map(list.map((entry) => [entry[0], entry]));
  return list.map(([pid, first, name, path]) => {
    const launchedBy: string[] = [];
    let parent = byPid.get(first);
    while (parent !== undefined && launchedBy.length < MAX_PARENTS && parent[0] !== pid) {
      launchedBy.push(parent[2]);
      parent = byPid.get(parent[1]);
    }
    return { pid, name, path, launchedBy, launcherId: null };
  });
}

export type DesktopHelper = {
  readonly idle: readonly IdleSource[];
  readonly locked: readonly Source<boolean>[];
  readonly fullscreen: readonly Source<{ readonly name: string } | null>[];
  readonly processes: readonly Source<readonly Process[]>[];
  readonly media: readonly Source<{ readonly name: string } | null>[];
  readonly onBattery: readonly Source<boolean>[];
  readonly metered: readonly Source<boolean>[];
};

const doubt = <T>(value: T | null | undefined): Sensed<T> => value ?? 'unknown';
const perhaps = (value: boolean | 'none' | null | undefined): Sensed<boolean> =>
  value === 'none' || value === undefined ? 'unavailable' : doubt(value);

/** One helper serves all the sensors that it knows of: `name` is what the owner calls the system. */
export function desktopSources(name: string, helper: Resident<DesktopFacts>): DesktopHelper {
  const source = <T>(pick: (facts: DesktopFacts) => Sensed<T>): Source<T> => ({
    name,
    // The helper tells at least once a second: nothing is to be asked in between.
    every: { rest: null, ready: null, watch: null },
    timeoutMs: STALE_MS + 1_000,
    async read() {
      const facts = await helper.read();
      return typeof facts === 'string' ? facts : pick(facts);
    },
    onChange: helper.onChange,
    close: helper.close,
  });
  return {
    idle: [idleSource(name, helper)],
    locked: [source(({ locked }) => doubt(locked))],
    fullscreen: [source(({ fullscreen }) => fullscreen)],
    processes: [source(({ processes }) => processes)],
    media: [source(media)],
    onBattery: [source(({ onBattery }) => perhaps(onBattery))],
    metered: [source(({ metered }) => perhaps(metered))],
  };

  function media({ playing, awake }: DesktopFacts): Sensed<{ readonly name: string } | null> {
    if (typeof playing === 'string' && playing !== 'none') return { name: playing };
    if (awake === true) return { name };
    if (playing === undefined && awake === undefined) return 'unavailable';
    return playing === null || awake === null ? 'unknown' : null;
  }
}

function idleSource(name: string, helper: Resident<DesktopFacts>): IdleSource {
  const idleMs = async (): Promise<Sensed<number>> => {
    const facts = await helper.read();
    return typeof facts === 'string' ? facts : facts.idleMs;
  };
  return {
    name,
    idleMs,
    timeoutMs: STALE_MS + 1_000,
    onReturn(listener) {
      let before = Number.POSITIVE_INFINITY;
      let off: () => void = () => undefined;
      off = helper.onChange(() => {
        void idleMs().then((idle) => {
          const returned = typeof idle === 'number' && before !== Number.POSITIVE_INFINITY && idle < before;
          before = typeof idle === 'number' ? idle : Number.POSITIVE_INFINITY;
          if (!returned) return;
          off();
          listener();
        });
      });
      return off;
    },
    close: helper.close,
  };
}

function scriptText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return fail('NOT_FOUND', `the sensor script ${path} is missing; install again`, {}, error);
  }
}

/** How this system's own interpreter runs a script from `folder`; null: Linux needs none. Throws NOT_FOUND without the script. */
export function helperCommand(
  platform: string,
  folder: string,
): Pick<ResidentOptions<DesktopFacts>, 'command' | 'args'> | null {
  if (platform === 'win32') {
    const script = scriptText(join(folder, 'windows.ps1'));
    const encoded = Buffer.from(script, 'utf16le').toString('base64');
    return {
      command: 'powershell.exe',
      args: ['-NoLogo', '-NoProfile', '-NonInteractive', '-EncodedCommand', encoded],
    };
  }
  if (platform === 'darwin') {
    const script = scriptText(join(folder, 'macos.js'));
    return { command: '/usr/bin/osascript', args: ['-l', 'JavaScript', '-e', script] };
  }
  return null;
}

/** The sensors of Windows and macOS; null elsewhere. `folder`: where the scripts lie. Throws NOT_FOUND without them. */
export function desktopHelper(folder: string, platform: string = process.platform): DesktopHelper | null {
  const command = helperCommand(platform, folder);
  if (command === null) return null;
  const helper = resident<DesktopFacts>({
    ...command,
    parse: desktopLines(),
    staleMs: STALE_MS,
    lingerMs: 5_000,
  });
  return desktopSources(platform === 'win32' ? 'Windows' : 'macOS', helper);
}
