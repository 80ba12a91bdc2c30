import { type IpcMainInvokeEvent, ipcMain } from 'electron';
import { fail } from '../core/errors.ts';
import { CHANNEL, type Commands } from '../core/ipc.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { isOurPage } from './content.ts';
import { perform } from './perform.ts';

type Handlers = { readonly commands: () => Promise<Commands>; readonly snapshot: () => Promise<Snapshot> };

/** The only door from the window. Who speaks is checked here, once; every argument is parsed in `perform`. */
export function serveWindow({ commands, snapshot }: Handlers): void {
  ipcMain.handle(CHANNEL.snapshot, (event) => {
    mustBeOurs(event);
    return snapshot();
  });
  ipcMain.handle(CHANNEL.command, async (event, name: unknown, argument: unknown) => {
    mustBeOurs(event);
    return perform(await commands(), name, argument);
  });
}

function mustBeOurs({ senderFrame, sender }: IpcMainInvokeEvent): void {
  const ours = senderFrame !== null && senderFrame === sender.mainFrame && isOurPage(senderFrame.url);
  if (!ours) fail('UNAUTHORISED', 'only the window may command the app');
}
