import react from '@vitejs/plugin-react';
import { defineConfig } from 'electron-vite';

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

/** The oldest runtime the app meets is Electron 25: Node 18, Chrome 114. */
export default defineConfig({
  main: {
    build: {
      target: 'node18',
      externalizeDeps: false,
      outDir: 'out/main',
      minify: false,
      rolldownOptions: {
        input: { index: 'main/index.ts' },
        external,
        output: { format: 'cjs', entryFileNames: '[name].cjs', codeSplitting: false },
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
