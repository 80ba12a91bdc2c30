import type { Address, Hex32 } from '../../core/primitives.ts';

/** A request of a consumer over a channel. */
export type ChannelRequest = {
  readonly consumer: Address;
  readonly channelId: Hex32;
  /** What stood for each `:name` of the route's path. */
  readonly params: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
  /** The consumer has gone, or does not want the answer any more. */
  readonly signal: AbortSignal;
};

export type ChannelAnswer = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array> | Uint8Array;
};

/** What a device answers over channels. A `Failure` that is thrown is told as a problem document with its code. */
export type ChannelRoute = {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Segments; `:name` stands for any one. */
  readonly path: string;
  readonly handle: (request: ChannelRequest) => Promise<ChannelAnswer>;
};

type Found = { readonly route: ChannelRoute; readonly params: Readonly<Record<string, string>> };

/** null: there is no such route. */
export function findRoute(routes: readonly ChannelRoute[], method: string, path: string): Found | null {
  const given = path.split('/');
  for (const route of routes) {
    const wanted = route.path.split('/');
    if (route.method !== method || wanted.length !== given.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((part, index) => {
      const segment = given[index] ?? '';
      if (!part.startsWith(':')) return part === segment;
      params[part.slice(1)] = segment;
      return segment !== '';
    });
    if (fits) return { route, params };
  }
  return null;
}
