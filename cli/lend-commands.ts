import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../agent/adapters/clock.ts';
import { languageOf, textIn } from '../core/text/index.ts';
import type { Voice } from './consumer-commands.ts';
import { type LendChange, lend, lendLines, lentOf, trafficLines, trafficReport } from './lend.ts';
import { stderrLog } from './log.ts';
import { settingsIn } from './machine.ts';
import { defaultDataDir } from './paths.ts';

/** Days that `traffic.json` remembers. */
const MOST_DAYS = 62;

const number = (text: string): number => {
  if (!/^\d{1,7}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
};
const numberOrNone = (text: string): number | 'none' => (text === 'none' ? text : number(text));
const days = (text: string): number => {
  const count = number(text);
  if (count < 1 || count > MOST_DAYS) throw new InvalidArgumentError(`expected a number of days, 1 to ${MOST_DAYS}`);
  return count;
};
/** What was said, with null for no limit and for no folder; commander itself cannot hand on a null. */
type Said = { readonly [Key in keyof LendChange]?: NonNullable<LendChange[Key]> | 'none' };
const changeOf = (said: Said): LendChange =>
  Object.fromEntries(
    Object.entries(said).map(([key, value]) => [key, value === (key === 'folder' ? 'default' : 'none') ? null : value]),
  );

/** lend | traffic */
export function addLendCommands(program: Command, { answer, print }: Pick<Voice, 'answer' | 'print'>): void {
  const language = () => languageOf('system', Intl.DateTimeFormat().resolvedOptions().locale);
  const common = (name: string, says: string): Command =>
    program
      .command(name)
      .description(says)
      .option('--data <dir>', 'of the agent; it may be running', defaultDataDir('agent'))
      .option('--json', 'print one JSON object', false);

  common('lend', 'show what is lent of disk and line, or change it; an agent that runs takes it over at once')
    .addOption(new Option('--storage <on|off>', 'keep pieces of files for others').choices(['on', 'off']))
    .addOption(
      new Option(
        '--bandwidth <on|idle|off>',
        'hand out published files: always, or while nobody is at the machine',
      ).choices(['on', 'idle', 'off']),
    )
    .option('--lend-gib <number>', 'disk for others', number)
    .option('--min-free-gib <number>', 'that always stays free on that drive', number)
    .option('--folder <dir>', 'where it lies, or "default" for the engine\'s own place')
    .option('--cache-gib <number>', 'disk for what is handed out', number)
    .option('--monthly-cap-gib <number>', 'received and sent together, or "none"', numberOrNone)
    .option('--reset-day <number>', 'of the month, 1 to 28, on which it is counted anew', number)
    .option('--up-mbps <number>', 'while nobody is at the machine, or "none"', numberOrNone)
    .option('--down-mbps <number>', 'while nobody is at the machine, or "none"', numberOrNone)
    .option('--busy-up-mbps <number>', 'while somebody is, or "none"', numberOrNone)
    .option('--busy-down-mbps <number>', 'while somebody is, or "none"', numberOrNone)
    .action(async ({ data, json, ...said }: { readonly data: string; readonly json: boolean } & Said) => {
      const change = changeOf(said);
      const changes = Object.keys(change).length > 0;
      const settings = changes ? await lend({ dataDir: data, log: stderrLog('warn') }, change) : await settingsIn(data);
      if (json) answer(lentOf(settings));
      else for (const line of lendLines(settings, textIn(language()))) print(line);
    });

  common('traffic', 'what passed over the line for the sake of work, by day and lane')
    .option('--days <number>', `the last so many days, at most ${MOST_DAYS}`, days, 7)
    .action(async (options: { readonly data: string; readonly json: boolean; readonly days: number }) => {
      const at = { dataDir: options.data, log: stderrLog('warn') };
      const report = await trafficReport(at, options.days, systemClock);
      if (options.json) return answer(report);
      for (const line of trafficLines(report, textIn(language()), language(), systemClock.utcOffsetMinutes()))
        print(line);
    });
}
