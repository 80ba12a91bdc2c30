import {
  GAME_FOLDERS,
  GAME_LAUNCHERS,
  GAME_RUNNERS,
  HELPERS,
  JAVA_LAUNCHERS,
  KNOWN_GAMES,
  NO_GAME_FOLDERS,
  NO_GAME_IDS,
  PLUMBING,
} from './game-names.ts';
import type { RunningApp } from './ipc.ts';
import type { Settings } from './settings.ts';

/** A running program, as far as it matters here. */
export type Program = {
  readonly name: string;
  readonly path: string | null;
  readonly launchedBy: readonly string[];
  readonly launcherId: string | null;
};

type Choice = Settings['games'];

const plain = (text: string): string => text.toLowerCase().replaceAll('\\', '/');

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
/** One expression for a list of texts: a process is looked at once, not once for each of them. */
const anyOf = (texts: readonly string[]): RegExp => new RegExp(texts.map(escaped).join('|'));

const IN_GAME_FOLDER = anyOf(GAME_FOLDERS);
const IN_NO_GAME_FOLDER = anyOf(NO_GAME_FOLDERS);
const HELPER = anyOf(HELPERS);
const IN_GAME_RUNNER = anyOf(GAME_RUNNERS);
const WINE_LOADER = /\/wine(?:64)?(?:-preloader)?$/;
const JAVA = /^javaw?(?:\.exe)?$/;
const STORE_APP = '/windowsapps/';
/** Store programs that are games say so in no path; these publishers and titles make up most of them. */
const STORE_GAME =
  /\/windowsapps\/(?:microsoft\.(?:minecraft|624f8b84b80|flightsimulator|halo|forza|seaofthieves|ageofempires)|bethesdasoftworks)/;
const SYSTEM =
  /^(?:\/usr\/(?:s?bin|lib|lib64|libexec)\/|\/s?bin\/|\/lib(?:64)?\/|\/system\/|\/usr\/share\/|\/library\/apple\/|[a-z]:\/windows\/)/;
const SUFFIX = /(?:\.exe|\.x86_64|\.x86|\.bin|-win64-shipping\.exe|-linux-shipping|\.app)$/i;

type Verdict = 'yes' | 'no' | 'unasked';

const isHelper = (name: string): boolean => PLUMBING.has(name) || HELPER.test(name);

const isMinecraft = (name: string, path: string, launchedBy: readonly string[]): boolean =>
  JAVA.test(name) && (IN_GAME_FOLDER.test(path) || launchedBy.some((parent) => JAVA_LAUNCHERS.test(plain(parent))));

function judge({ name: said, path: where, launchedBy, launcherId }: Program): boolean {
  const [name, path] = [plain(said), plain(where ?? '')];
  if (isMinecraft(name, path, launchedBy)) return true;
  // The path of a Windows program may be that of Wine, which says who runs it, and not what.
  const loader = WINE_LOADER.test(path);
  if (!loader && IN_NO_GAME_FOLDER.test(path)) return false;
  if (KNOWN_GAMES.has(name)) return true;
  if (isHelper(name) || (launcherId !== null && NO_GAME_IDS.has(launcherId))) return false;
  if (loader && IN_GAME_RUNNER.test(path)) return name.endsWith('.exe');
  if (path.includes(STORE_APP)) return STORE_GAME.test(path);
  const launched = launcherId !== null || launchedBy.some((parent) => GAME_LAUNCHERS.has(plain(parent)));
  return (launched && (loader || !SYSTEM.test(path))) || IN_GAME_FOLDER.test(path);
}

/** What we think of a program, with no word of the owner. The same programs run for hours: each is judged once. */
const judged = new Map<string, boolean>();
const MOST_JUDGED = 5_000;

function isGame(program: Program): boolean {
  const { name, path, launchedBy, launcherId } = program;
  const key = `${name}\0${path ?? ''}\0${launcherId ?? ''}\0${launchedBy.join()}`;
  const was = judged.get(key);
  if (was !== undefined) return was;
  const answer = judge(program);
  if (judged.size >= MOST_JUDGED) judged.clear();
  judged.set(key, answer);
  return answer;
}

/** The owner's own and ignored words as one expression each; the lists are the same object until they change. */
const compiled = new WeakMap<readonly string[], RegExp | null>();
function wordsOf(list: readonly string[]): RegExp | null {
  const was = compiled.get(list);
  if (was !== undefined) return was;
  const made = list.length === 0 ? null : anyOf(list.map(plain));
  compiled.set(list, made);
  return made;
}

function said(program: Program, { own, ignored }: Choice): Verdict {
  const [no, yes] = [wordsOf(ignored), wordsOf(own)];
  if (no === null && yes === null) return 'unasked';
  const text = plain(`${program.name}\n${program.path ?? ''}\n${titleOf(program)}`);
  if (no?.test(text) === true) return 'no';
  return yes?.test(text) === true ? 'yes' : 'unasked';
}

/** What a game is called: its title where it is known, else its file name without what only machines care for. */
export function titleOf(program: Program): string {
  const name = plain(program.name);
  const known = KNOWN_GAMES.get(name);
  if (known === undefined && isMinecraft(name, plain(program.path ?? ''), program.launchedBy)) return 'Minecraft';
  if (known !== undefined) return known;
  const bare = program.name.replace(/-(?:win64|winGDK|linux|mac)-shipping(?:\.exe)?$/i, '').replace(SUFFIX, '');
  return bare === '' ? program.name : bare;
}

/**
 * The games among the programs that run, each title once, in the order given; the owner's own count, the ignored do not.
 * Called many times a second with some hundred programs: a program seen before costs one look into a table.
 */
export function gamesAmong(programs: readonly Program[], choice: Choice): readonly { readonly name: string }[] {
  const titles = new Set<string>();
  for (const program of programs) {
    const word = said(program, choice);
    if (word === 'no' || (word === 'unasked' && !isGame(program))) continue;
    titles.add(titleOf(program));
  }
  return Array.from(titles, (name) => ({ name }));
}

/** Programs that an owner might call a game: the system's own are left out, each is listed once, games first. */
export function runningApps(programs: readonly Program[], choice: Choice): readonly RunningApp[] {
  const apps = new Map<string, RunningApp>();
  for (const program of programs) {
    const word = said(program, choice);
    const game = word === 'yes' || (word === 'unasked' && isGame(program));
    const path = plain(program.path ?? '');
    const candidate = path !== '' && !SYSTEM.test(path) && !isHelper(plain(program.name));
    if (!game && !candidate) continue;
    const key = path === '' ? plain(program.name) : path;
    if (!apps.has(key)) apps.set(key, { name: titleOf(program), path: program.path, game });
  }
  return [...apps.values()].sort((a, b) => Number(b.game) - Number(a.game) || a.name.localeCompare(b.name));
}
