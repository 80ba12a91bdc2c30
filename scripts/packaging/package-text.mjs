/**
 * What is to be packed, in the words of fpm's command line (the options that electron-builder uses).
 * @typedef {object} Order
 * @property {Readonly<Record<string, string>>} options last value of each option, by its long name
 * @property {readonly string[]} depends
 * @property {readonly string[]} recommends
 * @property {readonly (readonly [source: string, target: string])[]} files
 */

/** Options without a value. */
const SWITCHES = new Set(['--force', '--debug']);

/** fpm's short names. @type {Readonly<Record<string, string>>} */
const LONG = {
  s: 'input-type',
  t: 'output-type',
  d: 'depends',
  n: 'name',
  v: 'version',
  p: 'package',
  a: 'architecture',
};

/**
 * @param {readonly string[]} words
 * @returns {Order}
 */
export function parseOrder(words) {
  /** @type {Record<string, string>} */
  const options = {};
  /** @type {string[]} */
  const depends = [];
  /** @type {string[]} */
  const recommends = [];
  /** @type {[string, string][]} */
  const files = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (SWITCHES.has(word)) continue;
    const option = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(word);
    if (option?.[1]) {
      const name = LONG[option[1]] ?? option[1];
      const value = option[2] ?? words[++i] ?? '';
      if (name === 'depends') depends.push(value);
      else if (name === 'deb-recommends') recommends.push(value);
      else options[name] = value;
    } else {
      const at = word.lastIndexOf('=');
      files.push([word.slice(0, at), word.slice(at + 1)]);
    }
  }
  return { options, depends, recommends, files };
}

/**
 * The first line and the rest of a description.
 * @param {string} text
 * @returns {readonly [synopsis: string, rest: readonly string[]]}
 */
function description(text) {
  const [first = '', ...rest] = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  return [first, rest];
}

/**
 * Debian's control file (Debian Policy, chapter 5).
 * @param {Order} order
 * @param {number} installedKiB
 * @returns {string}
 */
export function controlFile({ options, depends, recommends }, installedKiB) {
  const [synopsis, rest] = description(options['description'] ?? '');
  const iteration = options['iteration'] ? `-${options['iteration']}` : '';
  /** @type {readonly (readonly [string, string | undefined])[]} */
  const fields = [
    ['Package', options['name']],
    ['Version', `${options['version']}${iteration}`],
    ['Architecture', options['architecture']],
    ['Maintainer', options['maintainer']],
    ['Installed-Size', String(installedKiB)],
    ['Depends', depends.join(', ')],
    ['Recommends', recommends.join(', ')],
    ['Section', options['category'] ?? 'utils'],
    ['Priority', options['deb-priority'] ?? 'optional'],
    ['Homepage', options['url']],
    ['Description', [synopsis, ...rest.map((line) => ` ${line}`)].join('\n')],
  ];
  return fields.map(([name, value]) => (value ? `${name}: ${value}\n` : '')).join('');
}

/** rpm's names of the compressions. @type {Readonly<Record<string, string>>} */
const RPM_PAYLOAD = {
  xzmt: 'w6T0.xzdio',
  xz: 'w6.xzdio',
  gzip: 'w6.gzdio',
  gz: 'w6.gzdio',
  zstd: 'w3.zstdio',
  none: 'w0.gzdio',
};

/**
 * An rpm spec that packs a ready tree as it is.
 * @param {Order} order
 * @param {{readonly tree: string, readonly files: readonly string[], readonly afterInstall: string, readonly afterRemove: string}} content
 * @returns {string}
 */
export function specFile({ options, depends }, { tree, files, afterInstall, afterRemove }) {
  const [synopsis, rest] = description(options['description'] ?? '');
  // In a spec, a percent sign begins a macro also inside of scripts and names.
  /** @param {string} text */
  const plain = (text) => text.replaceAll('%', '%%');
  return [
    `%define _binary_payload ${RPM_PAYLOAD[options['rpm-compression'] ?? ''] ?? RPM_PAYLOAD['xz']}`,
    '%define _build_id_links none',
    '%define __strip /bin/true',
    '%define __os_install_post %{nil}',
    'AutoReqProv: no',
    `Name: ${options['name']}`,
    // A dash would begin the release; a tilde sorts before the final version, as a pre-release must.
    `Version: ${(options['version'] ?? '').replaceAll('-', '~')}`,
    `Release: ${options['iteration'] ?? '1'}`,
    `Summary: ${plain(options['rpm-summary'] ?? synopsis)}`,
    `License: ${options['license'] ?? 'unknown'}`,
    `URL: ${options['url'] ?? ''}`,
    `Vendor: ${options['vendor'] ?? ''}`,
    ...depends.map((name) => `Requires: ${name}`),
    '%description',
    plain([synopsis, ...rest].join('\n')),
    '%install',
    'mkdir -p %{buildroot}',
    `cp -a '${plain(tree)}/.' %{buildroot}/`,
    // electron-builder's scripts are written for bash; rpm would hand them to sh.
    '%post -p /bin/bash',
    plain(afterInstall),
    '%postun -p /bin/bash',
    // Also run for the old version after an upgrade: only a removal may undo what the new version has just set up.
    'if [ "$1" -eq 0 ]; then',
    plain(afterRemove),
    'fi',
    '%files',
    '%defattr(-,root,root,-)',
    ...files.map((file) => `"${plain(file)}"`),
    '',
  ].join('\n');
}
