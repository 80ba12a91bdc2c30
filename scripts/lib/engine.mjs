import { spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { lastLines, logFile, must, which } from './run.mjs';
import { StepFailure } from './step.mjs';
import { ensurePackages, isRoot, rootPrefix, thisFamily } from './system.mjs';

/**
 * Where an engine may listen.
 * @typedef {{readonly url: string, readonly socketPath?: string, readonly host?: string, readonly port?: number, readonly tls?: boolean}} Place
 */

/**
 * @param {string} url a `DOCKER_HOST` value
 * @param {boolean} tls
 * @returns {Place | undefined}
 */
export function parseDockerHost(url, tls) {
  const local = /^(?:unix|npipe):\/\/(.+)$/.exec(url);
  if (local?.[1]) return { url, socketPath: url.startsWith('npipe') ? local[1].replaceAll('/', '\\') : local[1] };
  const remote = /^(tcp|https?):\/\/([^:/]+|\[[^\]]+\])(?::(\d+))?\/?$/.exec(url);
  if (!remote?.[2]) return undefined;
  const secure = tls || remote[1] === 'https';
  return {
    url,
    host: remote[2].replace(/^\[|\]$/g, ''),
    port: Number(remote[3] ?? (secure ? 2376 : 2375)),
    tls: secure,
  };
}

/**
 * The places to look, the likeliest first. A set `DOCKER_HOST` is the user's choice: nothing else is tried.
 * @param {Readonly<Record<string, string | undefined>>} env
 * @param {string} platform
 * @param {string} home
 * @param {number} uid
 * @returns {Place[]}
 */
export function enginePlaces(env, platform, home, uid) {
  const chosen = env['DOCKER_HOST'];
  if (chosen) {
    const place = parseDockerHost(chosen, Boolean(env['DOCKER_TLS_VERIFY']));
    return place ? [place] : [];
  }
  if (platform === 'win32') {
    return ['docker_engine', 'podman-machine-default'].map((name) => ({
      url: `npipe:////./pipe/${name}`,
      socketPath: `\\\\.\\pipe\\${name}`,
    }));
  }
  const runtime = env['XDG_RUNTIME_DIR'] ?? `/run/user/${uid}`;
  const sockets = [
    '/var/run/docker.sock',
    `${home}/.docker/run/docker.sock`,
    `${home}/.colima/default/docker.sock`,
    `${runtime}/docker.sock`,
    `${runtime}/podman/podman.sock`,
  ];
  return sockets.map((socketPath) => ({ url: `unix://${socketPath}`, socketPath }));
}

/**
 * @typedef {object} Call
 * @property {NodeJS.ReadableStream | Buffer} [body]
 * @property {string} [type] of the body; an archive unless said
 * @property {number} [timeoutMs] longest silence
 * @property {(line: string) => void} [onLine]
 */

/**
 * One request of the Docker Engine API. Rejects when the engine cannot be reached or stays silent.
 * @param {Place} place
 * @param {'GET' | 'POST' | 'DELETE'} method
 * @param {string} path
 * @param {Call} call
 * @returns {Promise<{readonly status: number, readonly text: string}>}
 */
export function callEngine(place, method, path, call = {}) {
  return new Promise((resolve, reject) => {
    const certs = process.env['DOCKER_CERT_PATH'] ?? join(homedir(), '.docker');
    const target = place.socketPath ? { socketPath: place.socketPath } : { host: place.host, port: place.port };
    const secrets = place.tls
      ? {
          ca: readIf(join(certs, 'ca.pem')),
          cert: readIf(join(certs, 'cert.pem')),
          key: readIf(join(certs, 'key.pem')),
        }
      : {};
    const headers = call.body ? { 'content-type': call.type ?? 'application/x-tar' } : {};
    const start = place.tls ? httpsRequest : httpRequest;
    const req = start({ ...target, ...secrets, method, path, headers, timeout: call.timeoutMs ?? 10_000 }, (res) => {
      let text = '';
      let rest = '';
      res.setEncoding('utf8');
      res.on('data', (/** @type {string} */ part) => {
        text += part;
        const lines = (rest + part).split('\n');
        rest = lines.pop() ?? '';
        if (call.onLine) for (const line of lines) call.onLine(line);
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, text }));
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(Object.assign(new Error('the engine is silent'), { code: 'ETIMEDOUT' })));
    req.on('error', reject);
    if (!call.body) req.end();
    else if (Buffer.isBuffer(call.body)) req.end(call.body);
    else call.body.on('error', (error) => req.destroy(error)).pipe(req);
  });
}

/** @param {string} file */
const readIf = (file) => (existsSync(file) ? readFileSync(file) : undefined);

/**
 * The places of this process, with its environment.
 * @returns {Place[]}
 */
const places = () => enginePlaces(process.env, process.platform, homedir(), process.getuid?.() ?? 0);

/**
 * @param {readonly Place[]} candidates
 * @returns {Promise<{readonly place?: Place, readonly denied: boolean}>} `denied`: one is there, but not for this user
 */
async function findEngine(candidates) {
  let denied = false;
  for (const place of candidates) {
    try {
      const answer = await callEngine(place, 'GET', '/_ping', { timeoutMs: 5_000 });
      if (answer.status === 200) return { place, denied: false };
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM'))
        denied = true;
    }
  }
  return { denied };
}

/**
 * What to tell a user without an engine.
 * @param {import('./system.mjs').Family} kind
 * @returns {string}
 */
export function engineAdvice(kind) {
  const then = 'then run the command again.';
  /** @type {Readonly<Record<import('./system.mjs').Family, string>>} */
  const advice = {
    windows: `Install Docker Desktop (winget install -e --id Docker.DockerDesktop), start it once and wait until it says "running", ${then}`,
    mac: `Install Docker Desktop (brew install --cask docker) or Colima (brew install colima docker && colima start), start it, ${then}`,
    debian: `sudo apt-get install -y docker.io && sudo usermod -aG docker "$USER", log out and in, ${then}`,
    fedora: `sudo dnf install -y moby-engine && sudo systemctl enable --now docker && sudo usermod -aG docker "$USER", log out and in, ${then}`,
    arch: `sudo pacman -S docker && sudo systemctl enable --now docker && sudo usermod -aG docker "$USER", log out and in, ${then}`,
    suse: `sudo zypper install docker && sudo systemctl enable --now docker && sudo usermod -aG docker "$USER", log out and in, ${then}`,
    linux: `Install Docker Engine (https://docs.docker.com/engine/install/) or Podman with its socket, ${then}`,
  };
  return advice[kind];
}

/** Starts an installed daemon: through the init system where there is one, otherwise by itself, detached. */
async function startDaemon() {
  if (process.platform !== 'linux' || !which('dockerd')) return;
  if (existsSync('/run/systemd/system')) {
    const prefix = await rootPrefix('The Docker engine is installed but does not run. Start it?');
    if (!prefix)
      throw new StepFailure('The Docker engine is installed but does not run.', 'sudo systemctl start docker');
    const [file = 'systemctl', ...args] = [...prefix, 'systemctl', 'start', 'docker'];
    await must('Starting Docker', 'Read why: systemctl status docker', file, args, { timeoutMs: 90_000 });
    return;
  }
  if (!isRoot())
    throw new StepFailure(
      'The Docker engine is installed but does not run.',
      'sudo service docker start   (or, without an init system: sudo dockerd &)',
    );
  const log = openSync(logFile('dockerd'), 'a');
  spawn(which('dockerd') ?? 'dockerd', [], { detached: true, stdio: ['ignore', log, log] }).unref();
}

/**
 * The engine that answers now, without bringing one up. Children find it through `DOCKER_HOST`.
 * @returns {Promise<Place | undefined>}
 */
export async function answeringEngine() {
  const { place } = await findEngine(places());
  return place && use(place).place;
}

/** A cold daemon has been seen to need 12 s on a slow disk. Milliseconds. */
const START_LIMIT_MS = 60_000;

/**
 * A Docker engine that answers; brings one up where we may. Children find it through `DOCKER_HOST`.
 * @returns {Promise<{readonly place: Place, readonly remark: string}>}
 */
export async function engine() {
  const first = await findEngine(places());
  if (first.place) return use(first.place);
  if (process.env['DOCKER_HOST']) {
    throw new StepFailure(
      `No Docker engine answers at DOCKER_HOST=${process.env['DOCKER_HOST']}.`,
      'Correct DOCKER_HOST, or unset it to use the engine of this machine.',
    );
  }
  const kind = thisFamily();
  if (first.denied) {
    throw new StepFailure(
      'A Docker engine runs, but this user may not use it.',
      'sudo usermod -aG docker "$USER", log out and in, then run the command again.',
    );
  }
  let installed = false;
  if (process.platform === 'linux' && !which('dockerd')) {
    if (kind !== 'debian') throw new StepFailure('There is no Docker engine on this machine.', engineAdvice(kind));
    await ensurePackages(
      ['docker.io', 'iptables', 'ca-certificates'],
      'Running workloads in containers',
      engineAdvice(kind),
    );
    installed = true;
  }
  await startDaemon();
  if (process.platform === 'linux') {
    const end = Date.now() + START_LIMIT_MS;
    while (Date.now() < end) {
      const { place } = await findEngine(places());
      if (place) return { ...use(place), remark: installed ? 'installed and started' : 'started' };
      await delay(250);
    }
    const log = existsSync(logFile('dockerd')) ? lastLines(readFileSync(logFile('dockerd'), 'utf8').trimEnd(), 8) : '';
    throw new StepFailure(
      `The Docker engine was started but does not answer.\n${log}`,
      `Its log: ${logFile('dockerd')}. In a container, run that one with --privileged or hand it the socket of an engine (DOCKER_HOST).`,
    );
  }
  throw new StepFailure('No Docker engine answers on this machine.', engineAdvice(kind));
}

/**
 * @param {Place} place
 */
function use(place) {
  if (place.url !== 'unix:///var/run/docker.sock' && !place.url.endsWith('/pipe/docker_engine'))
    process.env['DOCKER_HOST'] = place.url;
  return { place, remark: place.url };
}
