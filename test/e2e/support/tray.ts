import dbus from 'dbus-next';
import { until } from './until.ts';

const WATCHER = 'org.kde.StatusNotifierWatcher';
const ITEM = 'org.kde.StatusNotifierItem';
const MENU = 'com.canonical.dbusmenu';
const PROPERTIES = 'org.freedesktop.DBus.Properties';

export type MenuNode = {
  readonly id: number;
  readonly label: string;
  readonly enabled: boolean;
  /** Of a radio or check item. */
  readonly checked: boolean;
  readonly children: readonly MenuNode[];
};

type Layout = [number, Record<string, dbus.Variant<unknown>>, dbus.Variant<Layout>[]];

/** The tray of a desktop: what a panel would be, on the session bus. */
export class TrayHost {
  readonly #bus: dbus.MessageBus;
  readonly #items: { readonly owner: string; readonly path: string }[] = [];

  private constructor(bus: dbus.MessageBus) {
    this.#bus = bus;
  }

  static async start(): Promise<TrayHost> {
    const bus = dbus.sessionBus();
    const host = new TrayHost(bus);
    bus.addMethodHandler((message: dbus.Message) => host.#answer(message));
    await bus.requestName(WATCHER, 0);
    return host;
  }

  #answer(message: dbus.Message): boolean {
    if (message.path !== '/StatusNotifierWatcher') return false;
    const reply = (signature: string, body: readonly unknown[]): boolean => {
      this.#bus.send(dbus.Message.newMethodReturn(message, signature, [...body]));
      return true;
    };
    if (message.member === 'RegisterStatusNotifierItem') {
      const name = String(message.body[0]);
      const isPath = name.startsWith('/');
      this.#items.push({ owner: isPath ? message.sender : name, path: isPath ? name : '/StatusNotifierItem' });
      return reply('', []);
    }
    if (message.interface !== PROPERTIES) return false;
    const values: Readonly<Record<string, dbus.Variant<unknown>>> = {
      IsStatusNotifierHostRegistered: new dbus.Variant('b', true),
      ProtocolVersion: new dbus.Variant('i', 0),
      RegisteredStatusNotifierItems: new dbus.Variant('as', []),
    };
    return message.member === 'GetAll'
      ? reply('a{sv}', [values])
      : reply('v', [values[String(message.body[1])] ?? new dbus.Variant('s', '')]);
  }

  /** The newest item, once its menu is there. */
  async item(after = 0): Promise<TrayItem> {
    await until('a tray item', () => this.#items.length > after);
    const { owner, path } = this.#items.at(-1) ?? { owner: '', path: '' };
    const item = new TrayItem(this.#bus, owner, path);
    await until('a tray menu', async () => (await item.menu()).length > 0);
    return item;
  }

  get count(): number {
    return this.#items.length;
  }

  stop(): void {
    this.#bus.disconnect();
  }
}

export class TrayItem {
  readonly #bus: dbus.MessageBus;
  readonly #owner: string;
  readonly #path: string;

  constructor(bus: dbus.MessageBus, owner: string, path: string) {
    this.#bus = bus;
    this.#owner = owner;
    this.#path = path;
  }

  async #call(path: string, face: string, member: string, signature: string, body: unknown[]): Promise<unknown[]> {
    const message = new dbus.Message({ destination: this.#owner, path, interface: face, member, signature, body });
    return (await this.#bus.call(message))?.body ?? [];
  }

  async #property(name: string): Promise<unknown> {
    const [variant] = await this.#call(this.#path, PROPERTIES, 'Get', 'ss', [ITEM, name]);
    return variant instanceof dbus.Variant ? variant.value : null;
  }

  async tooltip(): Promise<string> {
    const value = await this.#property('ToolTip');
    return Array.isArray(value) ? [value[2], value[3]].filter(Boolean).join('\n') : '';
  }

  /** Width of the icon in pixels, and a digest by which two icons are told apart. */
  async icon(): Promise<{ readonly width: number; readonly pixels: string }> {
    const value = await this.#property('IconPixmap');
    const [width, , pixels] = Array.isArray(value) ? value[0] : [0, 0, Buffer.alloc(0)];
    return { width, pixels: Buffer.from(pixels).toString('base64') };
  }

  async menu(): Promise<readonly MenuNode[]> {
    const path = String(await this.#property('Menu'));
    // Chromium answers an error when nothing is left to prepare.
    await this.#call(path, MENU, 'AboutToShow', 'i', [0]).catch(() => []);
    const [, layout] = await this.#call(path, MENU, 'GetLayout', 'iias', [0, -1, []]);
    return nodeOf(layout as Layout).children;
  }

  async labels(): Promise<readonly string[]> {
    return (await this.menu()).map((node) => node.label);
  }

  /** Clicks the item that `labels` lead to; the last may be the beginning of a label. */
  async click(...labels: readonly string[]): Promise<void> {
    // The menu may be built anew between its layout and the click: Chromium then knows no item of that number.
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#clickOnce(labels);
      } catch (error) {
        // Told to quit, an app may be gone before it answers.
        if (String(error).includes('disconnected')) return;
        if (attempt === 5 || !String(error).includes('error occurred in Event')) throw error;
      }
    }
  }

  async #clickOnce(labels: readonly string[]): Promise<void> {
    const path = String(await this.#property('Menu'));
    let nodes = await this.menu();
    let found: MenuNode | undefined;
    for (const label of labels) {
      found = nodes.find((node) => node.label === label) ?? nodes.find((node) => node.label.startsWith(label));
      if (found === undefined)
        throw new Error(`no menu item ${label} in ${nodes.map((node) => node.label).join(', ')}`);
      nodes = found.children;
    }
    await this.#call(path, MENU, 'Event', 'isvu', [found?.id ?? 0, 'clicked', new dbus.Variant('s', ''), 0]);
  }

  /** The plain click on the icon. */
  async activate(): Promise<void> {
    await this.#call(this.#path, ITEM, 'Activate', 'ii', [0, 0]);
  }
}

function nodeOf([id, properties, children]: Layout): MenuNode {
  return {
    id,
    // The bus doubles underscores: a single one marks an access key there.
    label: String(properties['label']?.value ?? '').replaceAll('__', '_'),
    enabled: properties['enabled']?.value !== false,
    checked: properties['toggle-state']?.value === 1,
    children: children.map((child) => nodeOf(child.value)),
  };
}
