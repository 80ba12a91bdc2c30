import react from '@vitejs/plugin-react';
import { defineConfig } from 'electron-vite';
import type { Plugin } from 'vite';

/** Node built-ins aside, what the bundle leaves outside: native code, and optional add-ons that are tried and done without. */
const OUTSIDE = [
  'electron',
  'libsql',
  'cpu-features',
  'osx-temperature-sensor',
  'usocket',
  'bufferutil',
  'utf-8-validate',
];
const OUTSIDE_NATIVE = /sshcrypto\.node$/;
/** Of the package `x11`: a whole X server, loaded by whoever asks for one. */
const OUTSIDE_UNUSED = /^\.\/xserver$/;
const external = [...OUTSIDE, OUTSIDE_NATIVE, OUTSIDE_UNUSED];

/**
 * The engine's client loads its build tools and its SSH at once, megabytes that lie in memory for ever. This app builds no
 * images: of the build session only its absence is left. SSH is loaded by the first engine that is reached so.
 */
const REST: Readonly<Record<string, readonly [was: string, is: string]>> = {
  'dockerode/lib/docker.js': [
    "withSession = require('./session')",
    "withSession = () => { throw new Error('images are not built here'); }",
  ],
  'docker-modem/lib/ssh.js': ["var Client = require('ssh2').Client,", 'var'],
};
const SSH_FROM = 'var conn = new Client();';
const SSH_TO = "var conn = new (require('ssh2').Client)();";

const lean = (): Plugin => {
  const met = new Set<string>();
  return {
    name: 'lean-engine-client',
    transform(code, id) {
      const file = Object.keys(REST).find((end) => id.endsWith(end));
      const change = file === undefined ? undefined : REST[file];
      if (file === undefined || change === undefined) return null;
      const changed = code.replace(...change).replace(SSH_FROM, SSH_TO);
      if (!code.includes(change[0])) this.error(`${file} is not as it was: look again at what it loads`);
      met.add(file);
      return { code: changed, map: null };
    },
    buildEnd() {
      for (const file of Object.keys(REST)) if (!met.has(file)) this.error(`${file} is not in the bundle any more`);
    },
  };
};

/** The oldest runtime the app meets is Electron 25: Node 18, Chrome 114. */
export default defineConfig({
  main: {
    plugins: [lean()],
    build: {
      target: 'node18',
      externalizeDeps: false,
      outDir: 'out/main',
      minify: true,
      rolldownOptions: {
        input: { index: 'main/index.ts' },
        external,
        output: { format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: '[name].cjs' },
      },
    },
  },
  preload: {
    build: {
      target: 'node18',
      externalizeDeps: false,
      outDir: 'out/preload',
      minify: true,
      rolldownOptions: {
        input: { index: 'preload/index.ts' },
        external,
        output: { format: 'cjs', entryFileNames: '[name].cjs', codeSplitting: false },
      },
    },
  },
  renderer: {
    root: 'renderer',
    plugins: [react()],
    build: {
      target: 'chrome114',
      outDir: 'out/renderer',
      // Its polyfill would fetch; the page may not connect anywhere.
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      minify: true,
      rolldownOptions: { input: 'renderer/index.html' },
    },
  },
});
