// What the `electron` program does when it is handed an application: our own, for a runtime that came without it.
// Usage: electron [-r module] PATH [arguments]. Afterwards process.argv[1] is PATH, as with the original.
'use strict';
const { app } = require('electron');
const { existsSync, readFileSync, statSync } = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

/** @param {readonly string[]} given @returns {{preload: string[], target: number}} */
function parse(given) {
  const preload = [];
  for (let i = 1; i < given.length; i++) {
    if (given[i] === '-r' || given[i] === '--require') preload.push(given[++i] ?? '');
    else if (!given[i]?.startsWith('-')) return { preload, target: i };
  }
  return { preload, target: -1 };
}

/** @param {string} dir */
function adopt(dir) {
  const file = path.join(dir, 'package.json');
  if (!existsSync(file)) return;
  const about = JSON.parse(readFileSync(file, 'utf8'));
  if (about.version) app.setVersion(about.version);
  app.name = about.productName || about.name || app.name;
  app.setDesktopName?.(about.desktopName || `${about.name}.desktop`);
  app.setPath('userData', path.join(app.getPath('appData'), app.name));
  app.setAppPath(dir);
}

const { preload, target } = parse(process.argv);
const given = process.argv[target];
if (given === undefined) {
  process.stderr.write('usage: electron [-r module] PATH [arguments]\n');
  app.exit(1);
} else {
  process.argv.splice(1, target - 1);
  process.defaultApp = true;
  const full = path.resolve(given);
  for (const name of preload) Module._preloadModules([name]);
  if (statSync(full).isDirectory() || full.endsWith('.asar')) adopt(full);
  const file = Module._resolveFilename(full, null, true);
  const failed = (error) => {
    process.stderr.write(`${error?.stack ?? error}\n`);
    app.exit(1);
  };
  if (file.endsWith('.mjs')) {
    import(pathToFileURL(file).href).catch(failed);
  } else {
    try {
      Module._load(file, Module, true);
    } catch (error) {
      failed(error);
    }
  }
}
