import type { IdleSource, Source } from '../ports.ts';
import { xServer } from './x11-connection.ts';
import { x11Fullscreen } from './x11-fullscreen.ts';
import { x11Idle } from './x11-idle.ts';

/** What one X server tells, over one connection made at the first question. */
export type X11 = {
  readonly idle: IdleSource;
  readonly fullscreen: Source<{ readonly name: string } | null>;
  readonly close: () => void;
};

/**
 * `display`: as in DISPLAY. `ours`: processes whose windows do not count. `firstPauseMs`: before the first new attempt after
 * the server went.
 */
export function openX11(options: {
  readonly display: string;
  readonly ours: readonly number[];
  readonly firstPauseMs?: number;
}): X11 {
  const server = xServer(options.display, options.firstPauseMs);
  const fullscreen = x11Fullscreen(server, options);
  return {
    idle: x11Idle(server),
    fullscreen,
    close() {
      fullscreen.close();
      server.close();
    },
  };
}
