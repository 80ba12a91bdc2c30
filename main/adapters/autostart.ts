import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { app } from 'electron';
import { autostartEntry } from '../desktop-entry.ts';

type Start = { readonly program: string; readonly words: readonly string[] };

/** Makes the system start the app at login, or not; what is already so is left alone. Throws what the disk throws. */
export function setStartAtLogin(wanted: boolean, { program, words }: Start): void {
  if (process.platform !== 'linux') {
    app.setLoginItemSettings({ openAtLogin: wanted, path: program, args: [...words] });
    return;
  }
  const file = join(app.getPath('appData'), 'autostart', 'idlemesh.desktop');
  if (!wanted) {
    rmSync(file, { force: true });
    return;
  }
  const entry = autostartEntry([program, ...words]);
  if (readText(file) === entry) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, entry);
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
