import { readFileSync } from 'node:fs';
import { matchesGlob } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = `${import.meta.dirname}/../../..`;
const linesOf = (path: string): readonly string[] =>
  readFileSync(`${root}/${path}`, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

describe('what is deployed', () => {
  it('lets a service learn the addresses of its own machine, without which no webhook is sent', () => {
    const unit = linesOf('deploy/idlemesh-coordinator@.service');
    const families = unit
      .find((line) => line.startsWith('RestrictAddressFamilies='))
      ?.split('=')[1]
      ?.split(' ');
    expect(families).toEqual(['AF_INET', 'AF_INET6', 'AF_UNIX', 'AF_NETLINK']);
  });

  it('takes no secret that lies beside the containers’ file into their image', () => {
    const left = linesOf('.dockerignore');
    const isLeft = (path: string) => left.some((glob) => path.startsWith(`${glob}/`) || matchesGlob(path, glob));
    for (const secret of ['deploy/coordinator.key', 'deploy/.env', 'deploy/coordinator.json', 'admin.key', '.env']) {
      expect({ secret, left: isLeft(secret) }).toEqual({ secret, left: true });
    }
    for (const needed of ['package.json', 'cli/idlemesh.mjs', 'core/api.ts', 'workloads/gateway/addresses.mjs']) {
      expect({ needed, left: isLeft(needed) }).toEqual({ needed, left: false });
    }
  });
});
