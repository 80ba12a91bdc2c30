#!/usr/bin/env node
// Stands in for fpm where that cannot be downloaded: packs a folder as .deb or .rpm with the system's own
// dpkg-deb or rpmbuild. It knows the options that electron-builder passes, and no others.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { controlFile, parseOrder, specFile } from './package-text.mjs';

/** @typedef {import('./package-text.mjs').Order} Order */

/**
 * Lays the files out as they will lie on the user's disk, readable by all.
 * @param {Order} order
 * @param {string} tree
 */
function layOut(order, tree) {
  for (const [source, target] of order.files) {
    const to = join(tree, target);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(source, to, { recursive: true, verbatimSymlinks: true });
    if (!statSync(source).isDirectory()) chmodSync(to, 0o644);
  }
  execFileSync('chmod', ['-R', 'u+rwX,go+rX,go-w', tree]);
}

/**
 * @param {string} dir
 * @param {string} inside
 * @returns {string[]} every file and link, as absolute paths of the installed system
 */
function filesOf(dir, inside = '') {
  return readdirSync(join(dir, inside), { withFileTypes: true }).flatMap((entry) => {
    const path = `${inside}/${entry.name}`;
    return entry.isDirectory() ? filesOf(dir, path) : [path];
  });
}

/**
 * @param {Order} order
 * @param {string} tree
 */
function packDeb(order, tree) {
  const sizeKiB = Number(execFileSync('du', ['-sk', tree], { encoding: 'utf8' }).split('\t')[0]);
  const control = join(tree, 'DEBIAN');
  mkdirSync(control);
  writeFileSync(join(control, 'control'), controlFile(order, sizeKiB));
  for (const [option, name] of /** @type {const} */ ([
    ['after-install', 'postinst'],
    ['after-remove', 'postrm'],
  ])) {
    const script = order.options[option];
    if (!script) continue;
    copyFileSync(script, join(control, name));
    chmodSync(join(control, name), 0o755);
  }
  const asked = order.options['deb-compression'] ?? 'xz';
  const compression = { gz: 'gzip', bzip2: 'xz' }[asked] ?? asked;
  execFileSync(
    'dpkg-deb',
    ['--root-owner-group', `-Z${compression}`, '--build', tree, order.options['package'] ?? ''],
    { stdio: 'inherit' },
  );
}

/** @type {Readonly<Record<string, string>>} */
const RPM_ARCHITECTURES = { amd64: 'x86_64', arm64: 'aarch64' };

/**
 * @param {Order} order
 * @param {string} tree
 * @param {string} work
 */
function packRpm(order, tree, work) {
  /** @param {string} option */
  const script = (option) => readFileSync(order.options[option] ?? '/dev/null', 'utf8').replace(/^#!.*\n/, '');
  const spec = join(work, 'package.spec');
  writeFileSync(
    spec,
    specFile(order, {
      tree,
      files: filesOf(tree),
      afterInstall: script('after-install'),
      afterRemove: script('after-remove'),
    }),
  );
  const asked = order.options['architecture'] ?? '';
  const target = `${RPM_ARCHITECTURES[asked] ?? asked}-linux`;
  execFileSync('rpmbuild', ['-bb', '--quiet', '--target', target, '--define', `_topdir ${join(work, 'rpm')}`, spec], {
    stdio: 'inherit',
  });
  const made = filesOf(join(work, 'rpm/RPMS')).find((file) => file.endsWith('.rpm')) ?? '';
  copyFileSync(join(work, 'rpm/RPMS', made), order.options['package'] ?? '');
}

const order = parseOrder(process.argv.slice(2));
const work = mkdtempSync(join(tmpdir(), 'idlemesh-package-'));
try {
  const tree = join(work, 'tree');
  mkdirSync(tree);
  layOut(order, tree);
  if (order.options['output-type'] === 'deb') packDeb(order, tree);
  else if (order.options['output-type'] === 'rpm') packRpm(order, tree, work);
  else throw new RangeError(`this stand-in for fpm makes deb and rpm only, not ${order.options['output-type']}`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
