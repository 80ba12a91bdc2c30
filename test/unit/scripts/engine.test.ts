import { describe, expect, test } from 'vitest';
import { chooseMirror, refusal, streamError } from '../../../scripts/lib/base-image.mjs';
import { engineAdvice, enginePlaces, parseDockerHost } from '../../../scripts/lib/engine.mjs';

describe('DOCKER_HOST', () => {
  test.each([
    ['unix:///var/run/docker.sock', false, { socketPath: '/var/run/docker.sock' }],
    ['npipe:////./pipe/docker_engine', false, { socketPath: '\\\\.\\pipe\\docker_engine' }],
    ['tcp://10.0.0.5:2375', false, { host: '10.0.0.5', port: 2375, tls: false }],
    ['tcp://engine.example', true, { host: 'engine.example', port: 2376, tls: true }],
    ['tcp://[::1]:99', false, { host: '::1', port: 99, tls: false }],
  ])('%s', (url, tls, place) => {
    expect(parseDockerHost(url, tls)).toEqual({ url, ...place });
  });

  test.each(['ssh://me@host', '', 'docker.sock'])('%j is not one we can use', (url) => {
    expect(parseDockerHost(url, false)).toBeUndefined();
  });
});

describe('where an engine may be', () => {
  test('a set DOCKER_HOST is the only place', () => {
    const places = enginePlaces({ DOCKER_HOST: 'unix:///x.sock' }, 'linux', '/home/me', 1000);
    expect(places.map((place) => place.socketPath)).toEqual(['/x.sock']);
  });

  test('otherwise the system socket comes first, then the ones of the user', () => {
    const sockets = enginePlaces({}, 'linux', '/home/me', 1000).map((place) => place.socketPath);
    expect(sockets[0]).toBe('/var/run/docker.sock');
    expect(sockets).toContain('/run/user/1000/podman/podman.sock');
    expect(sockets).toContain('/home/me/.docker/run/docker.sock');
  });

  test('Windows has named pipes', () => {
    expect(enginePlaces({}, 'win32', 'C:\\Users\\me', 0)[0]?.socketPath).toBe('\\\\.\\pipe\\docker_engine');
  });

  test.each(['windows', 'mac', 'debian', 'fedora', 'arch', 'suse', 'linux'] as const)(
    '%s gets advice that ends with what to do next',
    (kind) => {
      expect(engineAdvice(kind)).toMatch(/run the command again\.$/);
    },
  );
});

describe('what the engine streams', () => {
  test('a failed pull is found though the stream ends well', () => {
    const text =
      '{"status":"Pulling from library/debian"}\r\n{"errorDetail":{"message":"no route"},"error":"no route"}\r\n';
    expect(streamError(text)).toBe('no route');
  });

  test.each(['', '{"status":"ok"}\n', '{"stream":"an \\"error\\" in words"}\n', '{"error":"cut o'])(
    '%j is no error',
    (text) => {
      expect(streamError(text)).toBeUndefined();
    },
  );
});

test.each([
  ['{"message":"no such host"}', 'no such host'],
  ['<html>', '<html>'],
  ['', ''],
])('the refusal %j says %j', (text, words) => {
  expect(refusal(text)).toBe(words);
});

describe('the archive that a base image is made from', () => {
  const line = 'http://archive.example/debian/ bookworm main Packages';

  test('is the main component of the right release', () => {
    expect(
      chooseMirror(`http://x/ bookworm-updates main Packages\nhttp://y/ bookworm contrib Packages\n${line}\n`),
    ).toBe('http://archive.example/debian/');
  });

  test('is nowhere on another release', () => {
    expect(chooseMirror('http://x/ noble main Packages\nhttp://y/ bookworm main Translation-en\n')).toBeUndefined();
  });
});
