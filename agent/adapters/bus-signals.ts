import { type BusSignal, PROPERTIES } from './bus.ts';

/** A service came or went. */
export const ownerOf = (name: string): BusSignal => ({
  ...{ path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus', member: 'NameOwnerChanged', first: name },
});

/** A property of that interface changed; `path`: of which object. */
export const changesOf = (of: string, path?: string): BusSignal => ({
  ...{ interface: PROPERTIES, member: 'PropertiesChanged', first: of },
  ...(path === undefined ? {} : { path }),
});
