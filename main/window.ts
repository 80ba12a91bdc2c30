import { readFileSync, writeFileSync } from 'node:fs';
import { BrowserWindow, nativeTheme, screen } from 'electron';
import { CHANNEL } from '../core/ipc.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { PAGE } from './content.ts';
import { DEFAULT_SIZE, MINIMUM_SIZE, parsePlace, usableBounds } from './window-place.ts';

/** `--ground` of renderer/styles/tokens.css, so that nothing flashes before the first paint. */
const GROUND = { light: '#f3ede1', dark: '#0a1315' } as const;

type WindowParts = {
  readonly preload: string;
  readonly icon: string;
  /** Remembers size and position. */
  readonly placeFile: string;
  readonly developer: boolean;
  /** The newest snapshot; null while the agent is not open yet. */
  readonly newest: () => Snapshot | null;
};

/** At most one window; closed means gone, with its renderer process. */
export type WindowHost = {
  /** Opens it or brings it to the front. */
  readonly show: () => void;
  /** Pushes to a window that somebody can see; otherwise does nothing. */
  readonly push: (snapshot: Snapshot) => void;
  readonly close: () => void;
};

export function createWindowHost(parts: WindowParts): WindowHost {
  let current: BrowserWindow | null = null;

  const push = (snapshot: Snapshot | null): void => {
    if (snapshot === null || current === null || !current.isVisible() || current.isMinimized()) return;
    current.webContents.send(CHANNEL.pushed, snapshot);
  };
  const pushNewest = (): void => push(parts.newest());

  const open = (): BrowserWindow => {
    const place = parsePlace(readText(parts.placeFile));
    const bounds = usableBounds(
      place,
      screen.getAllDisplays().map((display) => display.workArea),
    );
    const window = new BrowserWindow({
      ...(bounds ?? DEFAULT_SIZE),
      minWidth: MINIMUM_SIZE.width,
      minHeight: MINIMUM_SIZE.height,
      show: false,
      title: 'Idlemesh',
      icon: parts.icon,
      autoHideMenuBar: true,
      backgroundColor: nativeTheme.shouldUseDarkColors ? GROUND.dark : GROUND.light,
      webPreferences: {
        preload: parts.preload,
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        webviewTag: false,
        spellcheck: false,
        devTools: parts.developer,
      },
    });
    if (place.maximised) window.maximize();
    window.once('ready-to-show', () => window.show());
    window.on('show', pushNewest);
    window.on('restore', pushNewest);
    window.on('close', () => remember(window));
    window.on('closed', () => {
      current = null;
    });
    // A crashed page is not repaired in place: the next opening starts afresh.
    window.webContents.on('render-process-gone', () => window.destroy());
    void window.loadURL(PAGE);
    return window;
  };

  const remember = (window: BrowserWindow): void => {
    const place = { bounds: window.getNormalBounds(), maximised: window.isMaximized() };
    try {
      writeFileSync(parts.placeFile, JSON.stringify(place), { mode: 0o600 });
    } catch {
      // A full disk costs the window its place, no more.
    }
  };

  nativeTheme.on('updated', () => {
    current?.setBackgroundColor(nativeTheme.shouldUseDarkColors ? GROUND.dark : GROUND.light);
  });

  return {
    show: () => {
      if (current === null) {
        current = open();
        return;
      }
      if (current.isMinimized()) current.restore();
      current.show();
      current.focus();
    },
    push,
    close: () => current?.close(),
  };
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
