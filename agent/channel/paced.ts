import type { Direction } from '../../core/traffic.ts';
import type { Passage, Traffic } from '../ports.ts';
import type { ChannelRoute } from './routes.ts';

/** The owner's line, as a channel meets it: a way for each stream, and how much of it should pass at once. */
export type Pace = { readonly passage: () => Passage; readonly piece: Traffic['piece'] };

/** What bodies of a channel have taken of the line so far. */
export type Passed = { readonly [Way in Direction]: number };

/**
 * The same routes, whose bodies pass at the owner's rates: an answer as fast as it may go out, a request as fast as it may come in.
 * What may not come in yet is not read, so the window of HTTP/2 closes and the consumer waits. Each request is a stream of its own and gets
 * as much as the others.
 */
export function pacedRoutes(
  routes: readonly ChannelRoute[],
  { passage, piece }: Pace,
): { readonly routes: readonly ChannelRoute[]; readonly passed: () => Passed } {
  let passed: Passed = { in: 0, out: 0 };

  async function* paced(
    body: AsyncIterable<Uint8Array>,
    pass: Passage,
    direction: Direction,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    for await (const part of body) {
      for (let at = 0; at < part.length; ) {
        const next = part.subarray(at, Math.min(part.length, at + piece(direction)));
        await pass(direction, next.length, signal);
        passed = { ...passed, [direction]: passed[direction] + next.length };
        at += next.length;
        yield next;
      }
    }
  }

  return {
    passed: () => passed,
    routes: routes.map((route) => ({
      ...route,
      async handle(request) {
        const pass = passage();
        const { signal } = request;
        const answer = await route.handle({ ...request, body: paced(request.body, pass, 'in', signal) });
        if (answer.body === undefined) return answer;
        const body = answer.body instanceof Uint8Array ? [answer.body] : answer.body;
        return { ...answer, body: paced(each(body), pass, 'out', signal) };
      },
    })),
  };
}

async function* each(parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* parts;
}
