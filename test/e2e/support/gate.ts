import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A way to a real service that a test can shut and open: to whoever connects, a shut gate is a service that is not there.
 */
export class Gate {
  readonly #open: () => Socket;
  readonly #path: string | number;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;

  private constructor(path: string | number, open: () => Socket) {
    this.#path = path;
    this.#open = open;
  }

  /** From a socket file to another. */
  static ofSocket(path: string, target: string): Gate {
    return new Gate(path, () => connect(target));
  }

  /** From a loopback port to the service behind `url`. */
  static ofPort(port: number, url: string): Gate {
    const { hostname, port: target } = new URL(url);
    return new Gate(port, () => connect(Number(target), hostname));
  }

  async open(): Promise<void> {
    if (this.#server !== null) return;
    if (typeof this.#path === 'string') rmSync(this.#path, { force: true });
    const server = createServer((near) => {
      const far = this.#open();
      for (const [here, there] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(here);
        here.on('error', () => there.destroy());
        here.on('close', () => {
          this.#sockets.delete(here);
          there.destroy();
        });
        here.pipe(there);
      }
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (typeof this.#path === 'string') server.listen(this.#path, resolve);
      else server.listen(this.#path, '127.0.0.1', resolve);
    });
  }

  /** Breaks what is connected, too. */
  async shut(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** A loopback port that nobody uses at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
