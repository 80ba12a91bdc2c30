import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { build } from 'vite';
import { App, ROOT } from './app.ts';
import type { Scene } from './fake-window.ts';
import { until } from './until.ts';

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

/** Where pictures of the window go. */
export const SHOTS = join(ROOT, 'test-results', 'window');

/** An application that is one empty window, as large as it is told. */
const EMPTY_APP = `
const { app, BrowserWindow } = require('electron');
app.whenReady().then(() => new BrowserWindow({ frame: false, width: 1040, height: 720 }).loadURL('about:blank'));
`;

/** One empty window; what it needs lies in the folder. */
export function launchEmpty(folder: string): Promise<App> {
  const appFolder = join(folder, 'app');
  mkdirSync(appFolder, { recursive: true });
  writeFileSync(join(appFolder, 'package.json'), JSON.stringify({ name: 'idlemesh-window', main: 'main.cjs' }));
  writeFileSync(join(appFolder, 'main.cjs'), EMPTY_APP);
  return App.launch({ app: appFolder, dataDir: join(folder, 'data') });
}

async function bundleFake(folder: string): Promise<string> {
  const name = 'fake.js';
  await build({
    configFile: false,
    root: ROOT,
    publicDir: false,
    logLevel: 'error',
    build: {
      outDir: folder,
      target: 'chrome114',
      lib: {
        entry: join(ROOT, 'test', 'e2e', 'support', 'fake-window.ts'),
        formats: ['iife'],
        name: 'fake',
        fileName: () => name,
      },
    },
  });
  return readFile(join(folder, name), 'utf8');
}

async function serve(folder: string): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer((request, response) => {
    const path = request.url === '/' ? '/index.html' : (request.url ?? '/');
    readFile(join(folder, path)).then(
      (body) =>
        response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const at = server.address();
  return { server, url: `http://127.0.0.1:${typeof at === 'object' && at !== null ? at.port : 0}/` };
}

/** The built window in the app's own browser, over an application that shows whatever scene it is told. */
export class FakeApp {
  readonly page: Page;
  /** What the page complained of: refused scripts and styles, errors, missing files. */
  readonly complaints: string[] = [];
  readonly #app: App;
  readonly #server: Server;
  /** Of what it builds. */
  readonly #folder: string;

  private constructor(app: App, server: Server, page: Page, folder: string) {
    this.#folder = folder;
    this.#app = app;
    this.#server = server;
    this.page = page;
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(error.message));
  }

  /** Nothing in it moves: waiting for small motions would be most of a test's time. */
  static async launch(): Promise<FakeApp> {
    const folder = mkdtempSync(join(tmpdir(), 'idlemesh-window-'));
    const fake = await bundleFake(join(folder, 'fake'));
    const { server, url } = await serve(join(ROOT, 'out', 'renderer'));
    const app = await launchEmpty(folder);
    const page = await app.window();
    const self = new FakeApp(app, server, page, folder);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await page.addInitScript(fake);
    await page.goto(url);
    return self;
  }

  async show(scene: Scene): Promise<void> {
    await this.page.evaluate((wanted) => window.showScene(wanted), scene);
    await this.page.locator(`html[lang=${scene.language}][data-theme=${scene.theme}]`).waitFor();
  }

  async resize(width: number, height: number): Promise<void> {
    await this.#app.resize({ x: 0, y: 0, width, height });
    await until(`a window ${width} wide`, () => this.page.evaluate((wanted) => window.innerWidth === wanted, width));
  }

  /** By its place in the navigation. */
  async go(view: number): Promise<void> {
    await this.page.locator('nav button').nth(view).click();
    await this.page.locator('.page').waitFor();
  }

  /** Until nothing moves that will end. */
  async settled(): Promise<void> {
    await this.page.evaluate(() =>
      Promise.all(
        document
          .getAnimations()
          .map((each) =>
            each.effect?.getComputedTiming().iterations === Number.POSITIVE_INFINITY
              ? null
              : each.finished.catch(() => null),
          ),
      ),
    );
  }

  async dispose(): Promise<void> {
    this.#server.close();
    await this.#app.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
