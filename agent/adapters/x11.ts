import type { IdleSource } from '../ports.ts';
import { xServer } from './x11-connection.ts';
import { x11Idle } from './x11-idle.ts';

/** What one X server tells, over one connection made at the first question. */
export type X11 = {
  readonly idle: IdleSource;
  readonly close: () => void;
};

/** `display`: as in DISPLAY. `firstPauseMs`: before the first new attempt after the server went. */
export function openX11(options: { readonly display: string; readonly firstPauseMs?: number }): X11 {
  const server = xServer(options.display, options.firstPauseMs);
  return { idle: x11Idle(server), close: server.close };
}
