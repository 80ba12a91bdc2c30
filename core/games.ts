import type { Settings } from './settings.ts';

/** A running program, as far as it matters here. */
export type Program = {
  readonly name: string;
  readonly path: string | null;
  readonly launchedBy: readonly string[];
  readonly launcherId: string | null;
};

const within = (text: string | null, part: string): boolean =>
  text?.toLowerCase().replaceAll('\\', '/').includes(part.toLowerCase().replaceAll('\\', '/')) === true;
const named = ({ name, path }: Program, part: string): boolean => within(name, part) || within(path, part);

/** Folders that launchers put games into. */
const GAME_FOLDERS = ['/steamapps/common/', '/epic games/', '/gog games/', '/gog galaxy/games/', '/battle.net games/'];

/** The games among the programs that run, in the order given; the owner's own count, the ignored do not. */
export function gamesAmong(
  programs: readonly Program[],
  choice: Settings['games'],
): readonly { readonly name: string }[] {
  return programs
    .filter((program) => {
      if (choice.ignored.some((part) => named(program, part))) return false;
      if (choice.own.some((part) => named(program, part))) return true;
      return program.launcherId !== null || GAME_FOLDERS.some((folder) => within(program.path, folder));
    })
    .map(({ name }) => ({ name }));
}
