import { describe, expect, test } from 'vitest';
import { enginePlaces, placeOf, type Surroundings } from '../../../agent/adapters/engine-places.ts';

const files: Record<string, string> = {
  '/home/ann/.docker/config.json': JSON.stringify({ currentContext: 'colima' }),
  // The folder is the SHA-256 of "colima".
  '/home/ann/.docker/contexts/meta/f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16/meta.json':
    JSON.stringify({ Name: 'colima', Endpoints: { docker: { Host: 'unix:///home/ann/.colima/docker.sock' } } }),
  '/other/config.json': '{ broken',
};
const ann: Surroundings = {
  ...{ env: {}, platform: 'linux', home: '/home/ann', uid: 1000 },
  read: (path) => files[path] ?? null,
};
const bob: Surroundings = { ...ann, home: '/home/bob' };
const paths = (surroundings: Surroundings) =>
  enginePlaces(surroundings).map((place) => (place.kind === 'local' ? place.path : `remote ${place.url}`));

test.each([
  ['unix:///run/x.sock', { kind: 'local', path: '/run/x.sock' }],
  ['npipe:////./pipe/docker_engine', { kind: 'local', path: '\\\\.\\pipe\\docker_engine' }],
  ['tcp://127.0.0.1:2375', { kind: 'remote', url: 'tcp://127.0.0.1:2375' }],
  ['ssh://me@there', { kind: 'remote', url: 'ssh://me@there' }],
  ['nonsense', null],
])('%s', (url, place) => expect(placeOf(url)).toEqual(place));

describe('where the owner says, and nowhere else', () => {
  test('DOCKER_HOST before all', () => {
    expect(paths({ ...ann, env: { DOCKER_HOST: 'unix:///a.sock', DOCKER_CONTEXT: 'colima' } })).toEqual(['/a.sock']);
    expect(paths({ ...ann, env: { DOCKER_HOST: 'tcp://10.0.0.9:2375' } })).toEqual(['remote tcp://10.0.0.9:2375']);
    // What cannot be read as a place is not taken for "nowhere said": it could be another machine.
    expect(paths({ ...ann, env: { DOCKER_HOST: '10.0.0.9:2375' } })).toEqual(['remote 10.0.0.9:2375']);
  });
  test('the context that is named, or in use', () => {
    expect(paths(ann)).toEqual(['/home/ann/.colima/docker.sock']);
    expect(paths({ ...bob, env: { DOCKER_CONTEXT: 'colima', DOCKER_CONFIG: '/home/ann/.docker' } })).toEqual([
      '/home/ann/.colima/docker.sock',
    ]);
  });
  test('a context that is named and not there is nowhere; a broken file and "default" say nothing', () => {
    expect(paths({ ...ann, env: { DOCKER_CONTEXT: 'gone' } })).toEqual(['(context gone)']);
    for (const env of [{ DOCKER_CONFIG: '/other' }, { DOCKER_CONTEXT: 'default' }]) {
      expect(paths({ ...ann, env })[0]).toBe('/var/run/docker.sock');
    }
  });
});

describe('where engines usually are', () => {
  test('on Linux: Docker, its desktop, rootless, Podman of this user and of all', () => {
    const found = paths({ ...bob, env: { XDG_RUNTIME_DIR: '/run/user/1000' } });
    for (const path of [
      ...['/var/run/docker.sock', '/home/bob/.docker/desktop/docker.sock', '/run/user/1000/docker.sock'],
      ...['/run/user/1000/podman/podman.sock', '/run/podman/podman.sock'],
    ])
      expect(found).toContain(path);
    expect(found[0]).toBe('/var/run/docker.sock');
  });
  test('on macOS and Windows', () => {
    expect(paths({ ...bob, platform: 'darwin', home: '/Users/bob' })).toContain('/Users/bob/.docker/run/docker.sock');
    expect(paths({ ...bob, platform: 'win32', home: 'C:\\Users\\bob' })[0]).toBe('\\\\.\\pipe\\docker_engine');
  });
});
