import type { Right } from '../core/api-messages.ts';
import type { Auth } from '../core/endpoint.ts';
import { Failure, fail } from '../core/errors.ts';
import type { Address } from '../core/primitives.ts';
import type { Role } from './access.ts';
import type { Context } from './context.ts';
import type { Reply, Request } from './http.ts';
import { findKey, looksLikeKey } from './keys.ts';

/** Who asks: by an access token for a signed request, or by an API key. */
export type Caller = {
  readonly account: Address;
  readonly role: Role;
  /** null: an access token, which may do all that the account may. */
  readonly key: { readonly id: string; readonly rights: ReadonlySet<Right> } | null;
};

const NEEDED = 'a valid access token or API key is needed; ask for a token at /v1/access';

async function identify(context: Context, request: Request): Promise<Caller | null> {
  const [scheme, text] = (request.headers.authorization ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'bearer' || text === undefined) return null;
  const now = context.options.clock.now();
  if (!looksLikeKey(text)) {
    const bearer = context.tokens.check(text, now);
    return bearer === null ? null : { ...bearer, key: null };
  }
  const key = await findKey(context.db, text, now);
  return key === null ? null : { account: key.account, role: 'consumer', key };
}

export const may = (caller: Caller, right: Right): boolean => caller.key === null || caller.key.rights.has(right);

/**
 * The caller, if the endpoint's `auth` allows it, counted against its account. Throws UNAUTHORISED or TOO_MANY. null: nobody said who
 * they are, where nobody needs to.
 */
export async function admit(context: Context, auth: Auth, request: Request, reply: Reply): Promise<Caller | null> {
  if (auth === 'none') return null;
  const caller = await identify(context, request);
  if (caller === null) {
    if (auth === 'optional' && request.headers.authorization === undefined) return null;
    return fail('UNAUTHORISED', NEEDED);
  }
  if (caller.role === 'consumer') countRequest(context, caller.account, reply);
  if (auth === 'bearer' || auth === 'optional') return caller;
  if (caller.role !== 'consumer') fail('UNAUTHORISED', 'this is for consumers; a device has its session');
  if (auth === 'account') {
    if (caller.key !== null) fail('UNAUTHORISED', 'an API key may not do this; sign in at /v1/access');
  } else if (!may(caller, auth)) fail('UNAUTHORISED', `the API key lacks the right to ${auth}`);
  return caller;
}

/** Tells the limit in the fields of draft-ietf-httpapi-ratelimit-headers. */
function countRequest({ consumers }: Context, account: Address, reply: Reply): void {
  const { allowed, remaining, retryAfter } = consumers.request(account);
  const { burst, perSecond } = consumers.quotas;
  reply.header('ratelimit-policy', `"account";q=${burst};w=${Math.ceil(burst / perSecond)}`);
  reply.header('ratelimit', `"account";r=${remaining};t=${retryAfter}`);
  if (!allowed) throw new Failure('TOO_MANY', 'too many requests of this account; slow down', { retryAfter });
}
