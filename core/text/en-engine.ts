import type { Unfitness } from '../engine-gates.ts';
import { unreachable } from '../errors.ts';

const limits = { memory: 'memory', cpu: 'processor time', pids: 'processes' } as const;

/** Why an engine may not run strangers' work: in a few words, and what to do. */
export function enUnfit(why: Unfitness): { readonly short: string; readonly advice: string } {
  switch (why.kind) {
    case 'remote':
      return {
        short: 'it is on another machine',
        advice: `Docker is set to an engine at ${why.url}. Unset DOCKER_HOST or choose a local context (docker context use default), then it is found by itself. Allow remote engines in your settings only if that machine is yours to share.`,
      };
    case 'windows-containers':
      return {
        short: 'it runs Windows containers',
        advice: 'Right-click the Docker icon in the tray and choose “Switch to Linux containers”.',
      };
    case 'no-limits':
      return {
        short: 'it cannot limit what work uses',
        advice:
          'It runs without control groups, as rootless Docker does on control groups version 1: no limit would hold. Use the system’s own Docker, or a system with control groups version 2.',
      };
    case 'no-limit':
      return {
        short: `it cannot limit ${limits[why.of]}`,
        advice: `The system’s kernel has no limit for ${limits[why.of]} of a container. Switch that control group on (on Raspberry Pi and some others: in the kernel’s command line), then restart.`,
      };
    case 'no-seccomp':
      return {
        short: 'it cannot filter system calls',
        advice: 'Docker or the kernel was built without seccomp. Install Docker from your distribution or from Docker.',
      };
    case 'too-old':
      return {
        short: `${why.component} ${why.version} is too old`,
        advice: `At least ${why.minimum} is needed (${why.because}). Update Docker; sharing begins by itself.`,
      };
    case 'no-gvisor':
      return why.broken
        ? {
            short: 'gVisor does not work on it',
            advice:
              'You want work under gVisor only. It is installed, but a container did not start under it: see the log of Docker, or choose “where it is offered”.',
          }
        : {
            short: 'it does not offer gVisor',
            advice:
              'You want work under gVisor only. Install it (gvisor.dev) and add the runtime “runsc” to Docker, or choose “where it is offered”.',
          };
    default:
      return unreachable(why);
  }
}
