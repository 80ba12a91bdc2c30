import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The least that an Electron program with an icon in the tray can be: icon, tooltip, menu. */
const MAIN = `'use strict';
const { app, Menu, Tray } = require('electron');
let tray;
app.whenReady().then(() => {
  tray = new Tray(process.env.FLOOR_ICON);
  tray.setToolTip('Floor');
  tray.setContextMenu(Menu.buildFromTemplate([{ label: 'Quit', click: () => app.quit() }]));
});
app.on('window-all-closed', () => {});
`;

/** Writes that program into `folder` and answers it. */
export function makeFloor(folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'floor', version: '0.0.1', main: 'main.cjs' }));
  writeFileSync(join(folder, 'main.cjs'), MAIN);
  return folder;
}
