import type { z } from 'zod';
import type { Answer, Asked } from '../core/api.ts';
import type { Auth, Endpoint } from '../core/endpoint.ts';
import { admit, type Caller } from './callers.ts';
import type { Context } from './context.ts';
import { type App, answer, type Reply, type Request } from './http.ts';

type CallerOf<A extends Auth> = A extends 'none' ? null : A extends 'optional' ? Caller | null : Caller;

export type Call<E extends Endpoint> = Asked<E> & {
  readonly caller: CallerOf<E['auth']>;
  readonly request: Request;
  readonly reply: Reply;
};

const read = (schema: z.ZodType | undefined, value: unknown): unknown => schema?.parse(value);

/** Makes a route of an endpoint. Whoever may not ask, and whatever fails its schema, changes nothing. */
export function serve<E extends Endpoint>(
  app: App,
  context: Context,
  endpoint: E,
  handle: (call: Call<E>) => Promise<Answer<E>>,
): void {
  const { method, path: url, auth, params, query, body, status, mostBytes } = endpoint;
  app.route({
    method,
    url,
    exposeHeadRoute: false,
    ...(mostBytes === undefined ? {} : { bodyLimit: mostBytes }),
    handler: async (request, reply) => {
      const caller = await admit(context, auth, request, reply);
      const asked = {
        params: read(params, request.params),
        query: read(query, request.query),
        body: read(body, request.body),
      };
      const value = await handle({ ...asked, caller, request, reply } as Call<E>);
      // A blob, or an answer that its handler has sent.
      if (!reply.sent && typeof endpoint.answer !== 'string') await answer(reply, value, status);
      return reply;
    },
  });
}
