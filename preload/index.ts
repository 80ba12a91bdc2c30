import { contextBridge, ipcRenderer } from 'electron';
import { type Bridge, CHANNEL, COMMAND_NAMES, type Commands } from '../core/ipc.ts';
import type { Snapshot } from '../core/snapshot.ts';

const commands = Object.fromEntries(
  COMMAND_NAMES.map((name) => [name, (argument: unknown) => ipcRenderer.invoke(CHANNEL.command, name, argument)]),
) as Commands;

const bridge: Bridge = {
  commands,
  snapshot: () => ipcRenderer.invoke(CHANNEL.snapshot),
  onSnapshot: (listener) => {
    const relay = (_event: unknown, snapshot: Snapshot) => listener(snapshot);
    ipcRenderer.on(CHANNEL.pushed, relay);
    return () => {
      ipcRenderer.off(CHANNEL.pushed, relay);
    };
  },
};

contextBridge.exposeInMainWorld('idlemesh', bridge);
