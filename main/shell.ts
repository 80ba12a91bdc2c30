import { join } from 'node:path';
import { app, Menu, nativeTheme, powerMonitor, session } from 'electron';
import { fileLog } from '../agent/adapters/log.ts';
import type { Agent, NodeAgentOptions, OpenedAgent } from '../agent/api.ts';
import type { Clock, SecretBox } from '../agent/ports.ts';
import type { Outcome } from '../core/errors.ts';
import type { Settings } from '../core/settings.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { languageOf, textIn } from '../core/text/index.ts';
import { setStartAtLogin } from './adapters/autostart.ts';
import { chooseFolder } from './adapters/folder-dialog.ts';
import { openHelp } from './adapters/help.ts';
import { createIdleTime } from './adapters/idle.ts';
import { createKeyringBox } from './adapters/secret-box.ts';
import { createAgentHolder } from './agent-holder.ts';
import { keptArguments, type LaunchArguments, parseArguments } from './arguments.ts';
import { folderFor } from './folder.ts';
import { serveWindow } from './ipc.ts';
import { registerScheme, serveContent } from './protocol.ts';
import { lockContents, lockSession } from './security.ts';
import { createTray } from './tray.ts';
import { openingModel, type TrayAction, trayModel } from './tray-model.ts';
import { createWindowHost } from './window.ts';

export type ShellParts = {
  readonly clock: Clock;
  readonly openAgent: (options: NodeAgentOptions) => Promise<OpenedAgent>;
  /** Guards the vault where the system has no keyring. */
  readonly fileBox: (dataDir: string) => SecretBox;
};

const STOP_WITHIN_MS = 10_000;

/** The app. Everything that must be said to Electron before it is ready is said here, synchronously. */
export function runShell(parts: ShellParts): void {
  const given = parseArguments(process.argv);
  if (given.dataDir !== null) app.setPath('userData', given.dataDir);
  const dataDir = app.getPath('userData');
  app.setPath('sessionData', join(dataDir, 'browser'));
  if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox();
  if (process.platform === 'win32') app.setAppUserModelId('org.idlemesh.app');
  registerScheme();
  lockContents();
  if (!app.requestSingleInstanceLock()) {
    app.exit(0);
    return;
  }
  void app.whenReady().then(() => start(parts, given, dataDir));
}

function start({ clock, openAgent, fileBox }: ShellParts, given: LaunchArguments, dataDir: string): void {
  const root = app.getAppPath();
  const resources = join(root, 'resources');
  const log = fileLog(join(dataDir, 'logs'));
  process.on('unhandledRejection', (error) => log('error', 'unhandled-rejection', { error: String(error) }));

  lockSession(session.defaultSession);
  serveContent(join(root, 'out', 'renderer'));
  Menu.setApplicationMenu(
    process.platform === 'darwin' ? Menu.buildFromTemplate([{ role: 'appMenu' }, { role: 'editMenu' }]) : null,
  );

  const language = (settings?: Settings) => languageOf(settings?.language ?? 'system', app.getLocale());
  const tray = createTray({ icons: join(resources, 'tray'), act: (action) => act(action) }, openingModel(language()));

  const agents = createAgentHolder({
    clock,
    log,
    version: app.getVersion(),
    dataDir,
    open: () =>
      openAgent({
        version: app.getVersion(),
        dataDir,
        catalogueFile: given.catalogueFile ?? join(resources, 'catalogue.json'),
        catalogueKeysFile: given.catalogueKeysFile ?? join(resources, 'catalogue-keys.json'),
        seccompFile: join(resources, 'seccomp.json'),
        secretBox: createKeyringBox() ?? fileBox(dataDir),
        ...(process.platform === 'linux' ? {} : { idleMs: createIdleTime() }),
        log,
        initial: {
          ...(given.coordinatorUrl === null ? {} : { coordinatorUrl: given.coordinatorUrl }),
          ...(given.idleAfterSeconds === null ? {} : { rules: { idleAfterSeconds: given.idleAfterSeconds } }),
        },
      }),
    onSnapshot: (snapshot) => {
      windows.push(snapshot);
      drawTray(snapshot);
      follow(snapshot);
    },
  });

  const windows = createWindowHost({
    preload: join(root, 'out', 'preload', 'index.cjs'),
    icon: join(resources, 'icons', '256x256.png'),
    placeFile: join(dataDir, 'window.json'),
    developer: !app.isPackaged,
    newest: agents.newest,
  });

  serveWindow({
    commands: async () => {
      const { commands, snapshot } = await agents.ready();
      const title = () => textIn(language(snapshot().settings)).window.lend.chooseTitle;
      return { ...commands, openHelp, chooseFolder: () => folderFor(commands.useFolder, () => chooseFolder(title())) };
    },
    snapshot: async () => (await agents.ready()).snapshot(),
  });

  let nextDraw = (): void => {};
  const drawTray = (snapshot: Snapshot): void => {
    nextDraw();
    const at = { now: clock.now(), utcOffsetMinutes: clock.utcOffsetMinutes() };
    const model = trayModel(snapshot, language(snapshot.settings), at);
    tray.show(model);
    nextDraw = model.changesIn === null ? () => {} : clock.after(model.changesIn, () => drawTray(snapshot));
  };

  let startsAtLogin: boolean | null = null;
  const follow = ({ settings, problems }: Snapshot): void => {
    if (nativeTheme.themeSource !== settings.theme) nativeTheme.themeSource = settings.theme;
    // The settings of an agent in trouble may be stand-ins: the owner never chose them.
    if (problems.some(({ kind }) => kind === 'settings-broken' || kind === 'vault-unreadable')) return;
    if (settings.startAtLogin === startsAtLogin) return;
    startsAtLogin = settings.startAtLogin;
    const words = [...(app.isPackaged ? [] : [root]), ...keptArguments(process.argv), '--hidden'];
    try {
      setStartAtLogin(startsAtLogin, { program: process.env['APPIMAGE'] ?? process.execPath, words });
    } catch (error) {
      log('warn', 'start-at-login', { error: String(error) });
    }
  };

  const act = (action: TrayAction): void => {
    if (action.kind === 'open') windows.show();
    else if (action.kind === 'quit') app.quit();
    else void agents.ready().then(({ commands }) => command(commands, action));
  };

  let leaving = false;
  const leave = async (): Promise<void> => {
    windows.close();
    const late = new Promise<void>((resolve) => clock.after(STOP_WITHIN_MS, resolve));
    await Promise.race([agents.stop(), late]);
    nextDraw();
    tray.remove();
    app.exit(0);
  };
  app.on('before-quit', (event) => {
    event.preventDefault();
    if (leaving) return;
    leaving = true;
    void leave();
  });
  // The app lives in the tray: the last window's end is not its end.
  app.on('window-all-closed', () => {});
  app.on('second-instance', () => windows.show());
  app.on('activate', () => windows.show());
  powerMonitor.on('suspend', agents.wake);
  powerMonitor.on('resume', agents.wake);
  powerMonitor.on('unlock-screen', agents.wake);

  agents.start();
  if (!given.hidden) windows.show();
}

type AgentAction = Exclude<TrayAction, { readonly kind: 'open' | 'quit' }>;

function command(commands: Agent['commands'], action: AgentAction): Promise<Outcome<null>> {
  switch (action.kind) {
    case 'share':
      return commands.shareMode(action.mode);
    case 'pause':
      return commands.pause(action.choice);
    case 'finish':
      return commands.finishThenStop(null);
    case 'resume':
      return commands.resume(null);
  }
}
