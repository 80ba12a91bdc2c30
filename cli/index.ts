import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { asFailure } from '../core/errors.ts';
import { plainJson, plainText } from '../core/plain-text.ts';
import { holds } from '../core/proof.ts';
import { languageOf, textIn } from '../core/text/index.ts';
import { addAdminCommands } from './admin-commands.ts';
import { openHeadlessAgent } from './agent.ts';
import { auditEpoch } from './audit.ts';
import { backupBooks, restoreBooks } from './backup.ts';
import { loadCatalogue } from './catalogue.ts';
import { addConsumerCommands, coordinatorOption } from './consumer-commands.ts';
import { addContentCommands } from './content-commands.ts';
import { runCoordinator } from './coordinator.ts';
import { demo } from './demo.ts';
import { doctorLines, examineHere } from './doctor.ts';
import { feed } from './feeder.ts';
import { addFileCommands } from './file-commands.ts';
import { addLendCommands } from './lend-commands.ts';
import { createLiveView } from './live.ts';
import { stderrLog } from './log.ts';
import { defaultDataDir, practiceCataloguePath, practiceKeysPath, transcodeImage } from './paths.ts';
import { PRACTICE_DEPOSIT, PRACTICE_LEASE_MS, startPractice } from './practice.ts';
import { proofLines, proveHere } from './prove.ts';
import { stopped, stopSignal } from './stop.ts';
import { version } from './version.ts';

const say = (line: string): void => void process.stderr.write(`${plainText(line)}\n`);
const answer = (value: unknown): void => void process.stdout.write(`${plainJson(JSON.stringify(value))}\n`);

const wholeNumber = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
};

const practiceDir = defaultDataDir('practice');
const catalogueOption = () => new Option('--catalogue <file>', 'what may run, signed').default(practiceCataloguePath());
const keysOption = () => new Option('--catalogue-keys <file>', 'who must have signed it').default(practiceKeysPath());
const signedCatalogue = (options: { readonly catalogue: string; readonly catalogueKeys: string }) =>
  loadCatalogue({ catalogueFile: options.catalogue, catalogueKeysFile: options.catalogueKeys }, Date.now());
const logOption = () =>
  new Option('--log <level>', 'least level logged').choices(['debug', 'info', 'warn', 'error']).default('warn');

const program = new Command('idlemesh')
  .description('Lends an idle machine to a network that pays for verified work.')
  .version(version)
  .showHelpAfterError()
  .configureHelp({ sortSubcommands: false });

program
  .command('agent')
  .description('run the provider without a window')
  .option('--data <dir>', 'settings, wallet and ledger', defaultDataDir('agent'))
  .option('--coordinator <url>', 'the network of a new data directory')
  .addOption(catalogueOption())
  .addOption(keysOption())
  .addOption(new Option('--share <mode>', 'of a new data directory').choices(['when-idle', 'now']))
  .option('--idle-after <seconds>', 'of a new data directory', wholeNumber)
  .option('--live', 'show state and earnings as they change', false)
  .addOption(logOption())
  .action(async (options) => {
    const signal = stopSignal();
    const { agent } = await openHeadlessAgent({
      dataDir: options.data,
      catalogueFile: options.catalogue,
      catalogueKeysFile: options.catalogueKeys,
      ...(options.coordinator === undefined ? {} : { coordinatorUrl: options.coordinator }),
      ...(options.share === undefined ? {} : { mode: options.share }),
      ...(options.idleAfter === undefined ? {} : { rules: { idleAfterSeconds: options.idleAfter } }),
      log: stderrLog(options.log),
    });
    if (options.live) {
      const language = languageOf(agent.snapshot().settings.language, Intl.DateTimeFormat().resolvedOptions().locale);
      const terminal = {
        isTTY: process.stdout.isTTY === true,
        columns: process.stdout.columns || 100,
        write: (text: string) => void process.stdout.write(text),
      };
      agent.onSnapshot(createLiveView(terminal, language, () => -new Date().getTimezoneOffset()));
    }
    await agent.start();
    await stopped(signal);
    await agent.stop();
  });

program
  .command('coordinator')
  .description('run the network side: hands out work, verifies it, keeps the books, publishes roots')
  .requiredOption('--config <file>', 'JSON: chain, contracts, times (see docs/coordinator.md)')
  .option('--data <dir>', 'database and blobs', defaultDataDir('coordinator'))
  .addOption(catalogueOption())
  .addOption(keysOption())
  .addOption(logOption())
  .action(async (options) => {
    const signal = stopSignal();
    const coordinator = await runCoordinator({
      configText: await readFile(options.config, 'utf8'),
      dataDir: options.data,
      catalogue: await signedCatalogue(options),
      env: process.env,
      signal,
      log: stderrLog(options.log),
    });
    answer({ ready: true, coordinatorUrl: coordinator.url });
    await stopped(signal);
    await coordinator.close();
  });

const booksOf = (options: { readonly data: string; readonly log: Parameters<typeof stderrLog>[0] }) => ({
  ...{ dataDir: options.data, env: process.env, log: stderrLog(options.log) },
});
const books = program.command('books').description("a coordinator's books: backup, restore");
books
  .command('backup <file>')
  .description('write the books into a file, of one moment; with DATABASE_URL while it runs')
  .option('--data <dir>', 'of the coordinator', defaultDataDir('coordinator'))
  .addOption(logOption())
  .action(async (file: string, options) => answer(await backupBooks(booksOf(options), file)));
books
  .command('restore <file>')
  .description('bring them back into an empty database, and count them before anybody is served')
  .option('--data <dir>', 'of the coordinator', defaultDataDir('coordinator'))
  .addOption(logOption())
  .action(async (file: string, options) => answer(await restoreBooks(booksOf(options), file)));

program
  .command('practice')
  .description('run a whole network on loopback: chain, coordinator and a consumer that orders transcodes')
  .option('--data <dir>', 'everything it keeps', practiceDir)
  .option('--port <number>', 'of the coordinator (default: as before, else 7350, else any)', wholeNumber)
  .option('--no-feed', 'order nothing')
  .option('--replicas <number>', 'other devices that must agree with a result', wholeNumber, 0)
  .option('--report-every <ms>', 'period of reports', wholeNumber, 10_000)
  .option('--epoch-every <ms>', 'period of epochs', wholeNumber, 20_000)
  .option('--lease <ms>', 'after which unfinished work goes to another device', wholeNumber, PRACTICE_LEASE_MS)
  .addOption(catalogueOption())
  .addOption(keysOption())
  .addOption(logOption())
  .action(async (options) => {
    const signal = stopSignal();
    const log = stderrLog(options.log);
    const practice = await startPractice({
      dataDir: options.data,
      port: options.port ?? null,
      catalogue: await signedCatalogue(options),
      replicas: options.replicas === 0 ? 0 : 1,
      reportEveryMs: options.reportEvery,
      epochEveryMs: options.epochEvery,
      leaseMs: options.lease,
      log,
    });
    await practice.ensureDeposit(PRACTICE_DEPOSIT);
    answer({ ready: true, coordinatorUrl: practice.coordinator.url, rpcUrl: practice.rpcUrl });
    const feeding = options.feed
      ? feed(
          {
            practice,
            clipDir: join(options.data, 'clips'),
            image: transcodeImage,
            open: 2,
            pauseMs: 5000,
            log,
          },
          signal,
        )
      : stopped(signal);
    await stopped(signal);
    await practice.close();
    await feeding;
  });

const print = (line: string): void => void process.stdout.write(`${plainText(line)}\n`);
addConsumerCommands(program, { say, answer, print, stopSignal });
addContentCommands(program, { say, answer, print, stopSignal });
addFileCommands(program, { say, answer, print, stopSignal });
addAdminCommands(program, { answer, print });
addLendCommands(program, { answer, print });

program
  .command('audit [epoch]')
  .description('build the root of a published epoch again from its public data, and see whether the chain has it')
  .addOption(coordinatorOption())
  .option('--rpc <url>', 'the chain, for who does not trust the address that the coordinator names')
  .action(async (epoch: string | undefined, options) => {
    const number = epoch === undefined ? null : wholeNumber(epoch);
    const audit = await auditEpoch(options.coordinator, number, options.rpc ?? null);
    answer({ ...audit, total: audit.total.toString() });
    if (!audit.agrees) process.exitCode = 1;
  });

program
  .command('doctor')
  .description(
    'look at everything that sharing needs on this machine; ends with status 1 when something is to be mended',
  )
  .option('--prove', 'try to break out of the sandbox instead; ends with status 1 when anything got out', false)
  .option('--json', 'print what was found as one JSON object', false)
  .option('--data <dir>', 'whose settings hold', defaultDataDir('agent'))
  .addOption(catalogueOption())
  .addOption(keysOption())
  .addOption(logOption())
  .action(async (options) => {
    const text = textIn(languageOf('system', Intl.DateTimeFormat().resolvedOptions().locale));
    const at = { dataDir: options.data, log: stderrLog(options.log) };
    const tell = (found: unknown, lines: readonly string[]): void => {
      if (options.json) answer(found);
      else for (const line of lines) process.stdout.write(`${plainText(line)}\n`);
    };
    if (options.prove) {
      const here = { ...at, catalogue: (await signedCatalogue(options)).catalogue };
      const found = await proveHere(here, (suite) => say(`${text.window.proof.suites[suite]} …`));
      tell(found, proofLines(found, text));
      if (!holds(found)) process.exitCode = 1;
      return;
    }
    // A list that cannot be trusted is a finding like any other.
    const listed = await signedCatalogue(options).catch(asFailure);
    const found = await examineHere(at, listed);
    tell(found, doctorLines(found, text));
    if (found.findings.some(({ state }) => state === 'bad')) process.exitCode = 1;
  });

program
  .command('demo')
  .description('the whole loop on a network of its own, with two devices, then exit')
  .option('--json', 'print the figures as one JSON object', false)
  .addOption(catalogueOption())
  .addOption(keysOption())
  .addOption(logOption())
  .action(async (options) => {
    const figures = await demo({
      catalogue: await signedCatalogue(options),
      catalogueFile: options.catalogue,
      catalogueKeysFile: options.catalogueKeys,
      image: transcodeImage,
      say,
      log: stderrLog(options.log),
    });
    if (options.json) answer(figures);
    else for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name.padEnd(10)} ${value}\n`);
  });

program.parseAsync().catch((error: unknown) => {
  const { code, message } = asFailure(error);
  say(`idlemesh: ${message}${code === 'INTERNAL' ? ' (this is a bug)' : ''}`);
  process.exitCode = 1;
});
