import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** Where an engine may listen. */
export type EnginePlace =
  | { readonly kind: 'local'; readonly path: string }
  /** Another machine's, or behind a port that could be. */
  | { readonly kind: 'remote'; readonly url: string };

export type Surroundings = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly home: string;
  /** Of this user; 0 where there are none. */
  readonly uid: number;
  /** Text of a file; null: there is none that can be read. */
  readonly read: (path: string) => string | null;
};

/** A place in the words of DOCKER_HOST; null: not in its words. */
export function placeOf(url: string): EnginePlace | null {
  const local = /^(unix|npipe):\/\/(.+)$/.exec(url);
  if (local?.[2] !== undefined) {
    return { kind: 'local', path: local[1] === 'npipe' ? local[2].replaceAll('/', '\\') : local[2] };
  }
  return /^[a-z][a-z0-9+.-]*:\/\/./i.test(url) ? { kind: 'remote', url } : null;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parsed(text: string | null): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

/**
 * The place of a context of the docker command. Its file lies in a folder named by the SHA-256 of the context's name.
 * Source: docker/cli, cli/context/store.
 */
function placeOfContext(name: string, folder: string, read: Surroundings['read']): EnginePlace | null {
  const id = createHash('sha256').update(name).digest('hex');
  const { Endpoints: ends } = parsed(read(join(folder, 'contexts', 'meta', id, 'meta.json')));
  const docker = isRecord(ends) ? ends['docker'] : null;
  const host = isRecord(docker) ? docker['Host'] : null;
  return typeof host === 'string' ? placeOf(host) : null;
}

/** Sockets that engines make where nobody says otherwise, the likeliest first. */
function usual({ env, platform, home, uid }: Surroundings): readonly string[] {
  if (platform === 'win32') {
    return ['docker_engine', 'dockerDesktopLinuxEngine', 'podman-machine-default'].map(
      (name) => `\\\\.\\pipe\\${name}`,
    );
  }
  const at = (path: string): string => join(home, path);
  const ofUsers = [
    ...[at('.docker/run/docker.sock'), at('.docker/desktop/docker.sock'), at('.orbstack/run/docker.sock')],
    ...[at('.colima/default/docker.sock'), at('.rd/docker.sock')],
  ];
  if (platform === 'darwin') {
    const podman = at('.local/share/containers/podman/machine/podman.sock');
    return ['/var/run/docker.sock', ...ofUsers, podman];
  }
  const run = env['XDG_RUNTIME_DIR'] ?? `/run/user/${uid}`;
  return [
    ...['/var/run/docker.sock', ...ofUsers, join(run, 'docker.sock')],
    ...(uid === 0 ? ['/run/podman/podman.sock'] : [join(run, 'podman/podman.sock'), '/run/podman/podman.sock']),
  ];
}

/**
 * Where to look for an engine: what the owner has said (DOCKER_HOST, DOCKER_CONTEXT, the context in use) and nothing else, or where
 * engines usually are. As the docker command does, but for the last.
 */
export function enginePlaces(surroundings: Surroundings): readonly EnginePlace[] {
  const { env, home, read } = surroundings;
  const host = env['DOCKER_HOST'];
  if (host) return [placeOf(host) ?? { kind: 'remote', url: host }];
  const folder = env['DOCKER_CONFIG'] || join(home, '.docker');
  const named = env['DOCKER_CONTEXT'] || parsed(read(join(folder, 'config.json')))['currentContext'];
  if (typeof named === 'string' && named !== '' && named !== 'default') {
    const place = placeOfContext(named, folder, read);
    if (place !== null) return [place];
    // Named for this very program, and not there: another engine would not be what was meant. A setting left over from a desktop that is gone is.
    if (env['DOCKER_CONTEXT']) return [{ kind: 'local', path: `(context ${named})` }];
  }
  return usual(surroundings).map((path) => ({ kind: 'local', path }));
}
