/** What the command line of the app may say. Unknown switches are Chromium's and pass. */
export type LaunchArguments = {
  /** Data directory; null: the system's place for this app. */
  readonly dataDir: string | null;
  readonly coordinatorUrl: string | null;
  readonly catalogueFile: string | null;
  /** The release keys that must have signed it. */
  readonly catalogueKeysFile: string | null;
  readonly idleAfterSeconds: number | null;
  /** Started at login: only the tray. */
  readonly hidden: boolean;
};

const PREFIX = '--idlemesh-';

export function parseArguments(argv: readonly string[]): LaunchArguments {
  const value = (name: string): string | null => {
    const start = `${PREFIX}${name}=`;
    const found = argv.filter((word) => word.startsWith(start)).at(-1);
    return found === undefined || found.length === start.length ? null : found.slice(start.length);
  };
  const seconds = value('idle-after');
  return {
    dataDir: value('data'),
    coordinatorUrl: value('coordinator'),
    catalogueFile: value('catalogue'),
    catalogueKeysFile: value('catalogue-keys'),
    idleAfterSeconds: seconds !== null && /^\d{1,6}$/.test(seconds) ? Number(seconds) : null,
    hidden: argv.includes('--hidden'),
  };
}

/** The words to repeat when the system starts the app at login. */
export const keptArguments = (argv: readonly string[]): readonly string[] =>
  argv.filter((word) => word.startsWith(PREFIX) || word === '--no-sandbox');
