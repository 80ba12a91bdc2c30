import { join } from 'node:path';
import { Menu, type MenuItemConstructorOptions, nativeImage, Tray } from 'electron';
import type { Presence } from '../core/snapshot.ts';
import type { TrayAction, TrayItem, TrayModel } from './tray-model.ts';

type TrayParts = {
  /** Folder of the icons. */
  readonly icons: string;
  readonly act: (action: TrayAction) => void;
};

export type TrayView = { readonly show: (model: TrayModel) => void; readonly remove: () => void };

/** Draws a model; what did not change is not drawn again, so that an open menu stays open. */
export function createTray({ icons, act }: TrayParts, first: TrayModel): TrayView {
  const image = (presence: Presence) => nativeImage.createFromPath(join(icons, iconFile(presence, process.platform)));
  const tray = new Tray(image(first.icon));
  let shown: { readonly icon: Presence; readonly tooltip: string; readonly menu: string } | null = null;

  const show = (model: TrayModel): void => {
    const menu = JSON.stringify(model.items);
    if (shown?.icon !== model.icon) tray.setImage(image(model.icon));
    if (shown?.tooltip !== model.tooltip) tray.setToolTip(model.tooltip);
    if (shown?.menu !== menu) {
      tray.setContextMenu(Menu.buildFromTemplate(model.items.map((item) => template(item, act))));
    }
    shown = { icon: model.icon, tooltip: model.tooltip, menu };
  };

  // macOS opens the menu on a click by itself; elsewhere a click means the window.
  if (process.platform !== 'darwin') tray.on('click', () => act({ kind: 'open' }));
  show(first);
  return { show, remove: () => tray.destroy() };
}

function iconFile(presence: Presence, platform: NodeJS.Platform): string {
  if (platform === 'darwin') return `${presence}Template.png`;
  return `${presence}-${platform === 'win32' ? 16 : 22}.png`;
}

function template(item: TrayItem, act: (action: TrayAction) => void): MenuItemConstructorOptions {
  switch (item.kind) {
    case 'separator':
      return { type: 'separator' };
    case 'line':
      return { label: plain(item.label), enabled: false };
    case 'radio':
      return { label: plain(item.label), type: 'radio', checked: item.checked, click: () => act(item.action) };
    case 'action':
      return { label: plain(item.label), click: () => act(item.action) };
    case 'submenu':
      return { label: plain(item.label), submenu: item.items.map((inner) => template(inner, act)) };
  }
}

/** `&` marks an access key in menus; here it is only a sign. */
const plain = (label: string): string => label.replaceAll('&', '&&');
