import { existsSync } from 'node:fs';
import { type Environment, idleWays, windowsAreVisible } from '../idle-order.ts';
import type { IdleSource, Sources } from '../ports.ts';
import { type Bus, messageBus } from './bus.ts';
import { mutterIdle, screenSaverIdle } from './bus-idle.ts';
import { screenSaverLocked } from './bus-locked.ts';
import { logindIdle, logindLocked, otherSessionsIdle } from './bus-logind.ts';
import { networkMetered, upowerOnBattery } from './bus-machine.ts';
import { gnomeInhibitors, logindInhibitors, mprisMedia, powerInhibitors } from './bus-media.ts';
import { ttyIdle } from './tty-idle.ts';
import { openX11, type X11 } from './x11.ts';

type DesktopSources = Pick<Sources, 'idle' | 'locked' | 'fullscreen' | 'media' | 'onBattery' | 'metered'>;

const SYSTEM_SOCKETS = ['/run/dbus/system_bus_socket', '/var/run/dbus/system_bus_socket'] as const;

/** Where the buses are; null: this machine has none. */
export function busAddresses(
  environment: Environment,
  user: number,
  exists: (path: string) => boolean = existsSync,
): { readonly session: string | null; readonly system: string | null } {
  const runtime = environment['XDG_RUNTIME_DIR'] || `/run/user/${user}`;
  const system = SYSTEM_SOCKETS.find(exists);
  return {
    session: environment['DBUS_SESSION_BUS_ADDRESS'] || (exists(`${runtime}/bus`) ? `unix:path=${runtime}/bus` : null),
    system: environment['DBUS_SYSTEM_BUS_ADDRESS'] || (system === undefined ? null : `unix:path=${system}`),
  };
}

/**
 * What a Linux desktop tells. Nothing is connected before the first read; closing a source closes the connection it shares with
 * others, so they are closed together.
 */
export function linuxDesktop(options: {
  readonly environment: Environment;
  readonly user: number;
  /** Processes whose windows, players and inhibitors do not count. */
  readonly ours: readonly number[];
  /** Before the first new attempt after a connection went. */
  readonly firstPauseMs?: number;
}): DesktopSources {
  const { environment, user } = options;
  const addresses = busAddresses(environment, user);
  const connect = (address: string | null): Bus | null =>
    address === null ? null : messageBus(address, options.firstPauseMs);
  const session = connect(addresses.session);
  const system = connect(addresses.system);
  const us = { session: environment['XDG_SESSION_ID'], user };
  const visible = windowsAreVisible('linux', environment);
  const x = visible ? openX11({ ...options, display: environment['DISPLAY'] ?? '' }) : null;

  return {
    idle: idleWays('linux', environment).flatMap((way): readonly IdleSource[] => {
      if (way === 'x11') return x === null ? [] : [closing(x.idle, x)];
      if (way === 'mutter') return on(session, mutterIdle);
      if (way === 'screen-saver') return on(session, screenSaverIdle);
      if (way === 'logind') return on(system, (bus) => logindIdle(bus, us));
      if (way === 'other-sessions') return on(system, (bus) => otherSessionsIdle(bus, us));
      return [{ name: 'terminals', timeoutMs: 1_000, idleMs: ttyIdle() }];
    }),
    locked: [...on(system, (bus) => logindLocked(bus, us)), ...on(session, screenSaverLocked)],
    fullscreen: x === null ? [] : [closing(x.fullscreen, x)],
    media: [
      ...on(session, (bus) => mprisMedia(bus, options)),
      ...on(session, gnomeInhibitors),
      ...on(session, powerInhibitors),
      ...on(system, (bus) => logindInhibitors(bus, options)),
    ],
    onBattery: on(system, upowerOnBattery),
    metered: on(system, networkMetered),
  };
}

const on = <S extends { readonly close?: () => void }>(bus: Bus | null, make: (bus: Bus) => S): readonly S[] =>
  bus === null ? [] : [closing(make(bus), bus)];

const closing = <S extends { readonly close?: () => void }>(source: S, connection: Bus | X11): S => ({
  ...source,
  close() {
    source.close?.();
    connection.close();
  },
});
